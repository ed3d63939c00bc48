/** `analyze` with files as a DBA keeps them, and what it prints run on the database that it is about. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { analyzeOnce } from '../../src/commands/analyze.ts';
import { type Report, reportSchema } from '../../src/domain/index.ts';
import { renderReportSql } from '../../src/report/index.ts';
import { parseSql } from '../../src/workload/index.ts';
import { ofOwnTables } from '../support/own-tables.ts';
import { testServer } from '../support/servers.ts';
import { runCli } from './run-cli.ts';

const SCHEMA = `
CREATE SCHEMA shop;
CREATE TABLE shop."Orders" (id int PRIMARY KEY, customer int NOT NULL, state text NOT NULL, placed timestamptz, note text);
INSERT INTO shop."Orders" SELECT g, g * 7919 % 3000, CASE WHEN g % 200 = 0 THEN 'open' ELSE 'done' END,
  timestamptz '2024-01-01' + g * interval '1 minute', md5(g::text) FROM generate_series(1, 40000) AS g;
CREATE INDEX orders_customer ON shop."Orders" (customer);
CREATE TABLE events (at timestamptz NOT NULL, kind int, payload text) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
INSERT INTO events SELECT timestamptz '2024-01-01' + g * interval '2 minutes', g * 31 % 2000, repeat('e', 50)
  FROM generate_series(1, 30000) g;
-- a_b (c) and a (b_c) would have the same name
CREATE TABLE a (id int, b_c int, pad text);
CREATE TABLE a_b (id int, c int, pad text);
INSERT INTO a SELECT g, g * 7919 % 4000, repeat('a', 60) FROM generate_series(1, 20000) g;
INSERT INTO a_b SELECT g, g * 7919 % 4000, repeat('a', 60) FROM generate_series(1, 20000) g;
`;

let directory: string;
let dsn: string;
let client: pg.Client;
let drop: () => Promise<void>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgluthier-files-'));
  const database = await (await testServer()).createDatabase({ sql: SCHEMA });
  ({ dsn, drop } = database);
  client = new pg.Client({ connectionString: dsn });
  await client.connect();
  await client.query(await ofOwnTables(client, 'VACUUM ANALYZE'));
});
afterAll(async () => {
  await client.end();
  await drop();
  await rm(directory, { recursive: true, force: true });
});

async function folder(name: string, files: Record<string, string | Buffer>): Promise<string> {
  const path = join(directory, name);
  await mkdir(path, { recursive: true });
  for (const [file, content] of Object.entries(files)) await writeFile(join(path, file), content);
  return path;
}

const analyze = (workload: string, more: Partial<Parameters<typeof analyzeOnce>[1]> = {}): Promise<Report> =>
  analyzeOnce(dsn, { workload, whatIf: 'twin', format: 'text', only: ['index'], ...more });

describe('files as they come', () => {
  it('are taken with comments, dollar quotes, weights, marks of Windows, DDL, cut statements and parameters', async () => {
    const path = await folder('odd', {
      '1.sql': `\uFEFF-- the shop\r\n/* calls: 40 */\r\nSELECT note FROM shop."Orders" WHERE customer = 42 AND state = 'open';\r\nSELECT 1; -- calls: 3\r\n`,
      '2.sql': `SELECT * FROM a WHERE b_c = $1;\nSELECT * FROM a_b -- calls: 7\n WHERE c = $1 AND pad <> $q$;'$q$;`,
      '3.sql': 'CREATE TABLE not_made (id int); SET work_mem = 1; SELECT * FROM shop."Orders" WHERE',
      'notes.txt': 'not SQL at all',
    });
    const report = reportSchema.parse(await analyze(path));
    const calls = (text: string) =>
      report.recommendations.flatMap(({ affects }) => affects).find(({ query }) => query.includes(text))
        ?.calls;
    expect([calls('"Orders"'), calls('a_b'), calls('FROM a ')]).toEqual([40, 7, 1]);
    const { summary } = report;
    expect(summary.statements_seen).toBe(7);
    expect(summary.statements_analysed).toBe(3);
    expect(Object.fromEntries(summary.not_analysed.map((item) => [item.code, item.statements]))).toEqual({
      no_table: 1,
      truncated: 1,
      utility: 2,
    });
    const left = summary.not_analysed.reduce((sum, item) => sum + item.share_of_time, 0);
    expect(left + summary.analysed_share_of_time).toBeCloseTo(1);
    expect((await client.query("SELECT to_regclass('not_made') AS made")).rows).toEqual([{ made: null }]);
  });

  it('are a workload of their own: that the server keeps no statements is no limit of what is said of them', async () => {
    const path = await folder('only', { 'w.sql': 'SELECT * FROM a WHERE b_c = 7;' });
    const { limits, summary, recommendations } = await analyze(path);
    expect(summary.statements_analysed).toBe(1);
    expect(recommendations).toHaveLength(1);
    const [missing, ...more] = limits.filter(({ scope }) => scope === 'statements');
    expect(more).toEqual([]);
    expect(missing?.code).toBe('pg_stat_statements_missing');
    expect(missing?.message).toMatch(/^The statements that were given are analysed/);
    expect(limits.map(({ code }) => code)).not.toContain('no_workload');
  });

  it('are refused with the file, the line and what to do', async () => {
    const sql = (text: string | Buffer) => ({ 'w.sql': text });
    const cases: [files: Record<string, string | Buffer>, code: string, words: string][] = [
      [{}, 'workload_empty', '.sql'],
      [{ 'w.sql': '-- nothing\n' }, 'workload_empty', 'w.sql'],
      [sql('SELECT 1;\n\\d "Orders"\n'), 'workload_psql_command', 'w.sql, line 2'],
      [sql("SELECT 1;\nSELECT 'x"), 'workload_file_unreadable', 'w.sql, line 2'],
      [sql(Buffer.from('SELECT 1;', 'utf16le')), 'workload_file_unreadable', 'w.sql'],
      [sql(Buffer.from([0x53, 0xff, 0xfe])), 'workload_file_unreadable', 'UTF-8'],
      ...['many', '', '0', '-3', '1e9999', '0x10', '12 times'].map(
        (n): [Record<string, string>, string, string] => [
          { 'w.sql': `SELECT 1;\n-- calls: ${n}\nSELECT 2;` },
          'workload_calls_invalid',
          'w.sql, line 2',
        ],
      ),
      [sql('-- calls: 2\n-- calls: 3\nSELECT 1;'), 'workload_calls_invalid', 'line 2'],
      [sql('SELECT 1;\n\n-- calls: 3\n'), 'workload_calls_invalid', 'line 3'],
    ];
    for (const [position, [files, code, words]] of cases.entries()) {
      const path = await folder(`refused-${position}`, files);
      const error = await analyze(path).then(
        () => ({ code: 'none', message: JSON.stringify(files) }),
        (thrown: { code: string; message: string }) => thrown,
      );
      expect([error.code, error.message]).toEqual([code, expect.stringContaining(words)]);
    }
    const path = await folder('directory', {});
    await mkdir(join(path, 'x.sql'));
    await expect(analyze(path)).rejects.toMatchObject({
      code: 'workload_file_unreadable',
      message: expect.stringContaining('EISDIR'),
    });
  });
});

describe('the command as it is documented', () => {
  it('prints a report within the limits that it was given', async () => {
    const path = await folder('plain', {
      '1.sql': 'SELECT * FROM a WHERE b_c = 7;',
      '2.sql': '-- calls: 50\nSELECT * FROM a_b WHERE c = 7;',
    });
    const args = ['analyze', dsn, '--workload', path, '--budget', '300MB', '--only', 'index'];
    const limits = ['--max-regression', '10%', '--max-indexes-per-table', '6', '--time-limit', '60'];
    const { code, out, err } = await runCli(directory, [...args, ...limits, '--json']);
    expect(code, err).toBe(0);
    const report = reportSchema.parse(JSON.parse(out));
    expect(report.recommendations).toHaveLength(2);
    expect(report.summary.optimality_gap).toBeGreaterThanOrEqual(0);
    expect(report.summary.optimality_gap).toBeLessThan(0.5);
  });
});

describe('the printed SQL', () => {
  it('runs as it stands, statement by statement, and makes what was promised', async () => {
    const path = await folder('sql', {
      'w.sql': `
        -- calls: 100
        SELECT note FROM shop."Orders" WHERE customer = $1 AND state = $2 ORDER BY placed DESC LIMIT 5;
        -- calls: 50
        SELECT id FROM shop."Orders" WHERE state = 'open' ORDER BY placed DESC NULLS LAST LIMIT 10;
        SELECT id FROM shop."Orders" WHERE upper(note) = $1;
        -- calls: 100
        SELECT payload FROM events WHERE kind = $1;
        SELECT * FROM a WHERE b_c = $1; SELECT * FROM a_b WHERE c = $1;`,
    });
    const report = await analyze(path);
    const sql = renderReportSql(report);
    const statements = (await parseSql(sql)).stmts ?? [];
    expect(statements.length).toBeGreaterThan(4);
    const bytes = Buffer.from(sql);
    for (const { stmt_location: start = 0, stmt_len } of statements) {
      const end = stmt_len ? start + stmt_len : bytes.length;
      await client.query(bytes.subarray(start, end).toString());
    }
    const made = report.recommendations.flatMap(({ change }) =>
      change.kind === 'index.create' ? [change.index] : [],
    );
    expect(new Set(made.map((index) => `${index.schema}.${index.name}`)).size).toBe(made.length);
    for (const { schema, name } of made) {
      const { rows } = await client.query(
        `SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
          WHERE c.relnamespace = $1::regnamespace AND c.relname = $2`,
        [schema, name],
      );
      expect([name, rows]).toEqual([name, [{ indisvalid: true }]]);
    }
    // What is there now is not advised again.
    await client.query(await ofOwnTables(client, 'VACUUM ANALYZE'));
    const again = await analyze(path);
    const keys = new Set(report.recommendations.map(({ key }) => key));
    expect(again.recommendations.filter(({ key }) => keys.has(key)).map(({ key }) => key)).toEqual([]);
  });
});
