import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan } from '../../src/apply/index.ts';
import { writeMigrations } from '../../src/commands/migration.ts';
import { type Change, isTransactional, quoteIdentifier } from '../../src/domain/index.ts';
import { type migrationFormats, renderMigration } from '../../src/report/index.ts';
import { testServer } from '../support/servers.ts';

const run = promisify(execFile);
const AT = new Date('2026-11-27T20:15:30Z');
const key = (column: string) => ({
  column,
  expression: null,
  opclass: null,
  collation: null,
  direction: 'asc' as const,
  nulls: null,
});
/** A literal with what quoting breaks on, in a partitioned tree: ON ONLY, CONCURRENTLY and ATTACH together. */
const TREE: Change = {
  kind: 'index.create',
  index: {
    schema: 'public',
    table: 'ev',
    name: 'ev "at" idx',
    method: 'btree',
    unique: false,
    keys: [key('at')],
    include: [],
    where: "(note <> 'it''s; \\\"x\\\" %s {y} #{z} é'::text)",
    options: {},
  },
  partitions: [
    {
      schema: 'public',
      table: 'ev_1',
      name: 'ev_1_at',
      parent_schema: 'public',
      parent_name: 'ev "at" idx',
      leaf: true,
    },
    {
      schema: 'public',
      table: 'ev_2',
      name: 'ev_2_at',
      parent_schema: 'public',
      parent_name: 'ev "at" idx',
      leaf: true,
    },
  ],
};
const OPTIONS: Change = {
  kind: 'table.reloptions',
  schema: 'public',
  table: 'ev_1',
  set: { fillfactor: '90' },
  previous: { fillfactor: null },
};
const render = (format: (typeof migrationFormats)[number], change: Change = TREE) => {
  const { statements, rollback } = buildPlan(change);
  return renderMigration(format, { title: 'Index on ev\nDROP TABLE ev; (at)', statements, rollback }, AT);
};
const { statements, rollback } = buildPlan(TREE);

describe('migrations', () => {
  let client: pg.Client;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const server = await testServer();
    const database = await server.createDatabase({
      sql: `CREATE TABLE ev (at int, note text) PARTITION BY RANGE (at);
            CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (0) TO (10);
            CREATE TABLE ev_2 PARTITION OF ev FOR VALUES FROM (10) TO (20)`,
    });
    drop = database.drop;
    client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await drop();
  });
  const indexes = async () =>
    (
      await client.query<{ n: number; valid: boolean | null }>(
        'SELECT count(*)::int AS n, bool_and(indisvalid) AS valid FROM pg_index WHERE indrelid::regclass::text LIKE $1',
        ['ev%'],
      )
    ).rows[0];

  it.each(['golang-migrate', 'prisma'] as const)(
    'of %s run file by file as one query each, up and down',
    async (format) => {
      const { files } = render(format);
      const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
      const up = sorted.filter(({ path }) => path.endsWith('.up.sql') || path.endsWith('migration.sql'));
      const down = sorted.filter((file) => !up.includes(file));
      expect(up.length).toBe(statements.length);
      // The simple protocol: several statements of one query are one transaction, as these tools send them.
      for (const { content } of up) await client.query(content);
      expect(await indexes()).toEqual({ n: 3, valid: true });
      for (const { content } of format === 'prisma' ? down : down.toReversed()) await client.query(content);
      expect(await indexes()).toEqual({ n: 0, valid: null });
      const whole = statements.map((sql) => `${sql};`).join('\n');
      await expect(client.query(whole)).rejects.toMatchObject({ code: '25001' });
    },
  );

  it.each(['golang-migrate', 'prisma'] as const)(
    'of %s set a value of the database and of a role in it, and take it back to what was there',
    async (format) => {
      const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
      const database = rows[0]?.name ?? '';
      const role = `Migrated "${process.pid}"`;
      await client.query(`CREATE ROLE ${quoteIdentifier(role)}`);
      const config = async () =>
        (
          await client.query<{ config: string[] }>(
            `SELECT setconfig AS config FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
             WHERE datname = $1 ORDER BY setrole`,
            [database],
          )
        ).rows.map(({ config }) => config);
      const parts = { database, name: 'work_mem', value: '64MB', current_value: '4MB' };
      const changes: [Change, string[][]][] = [
        [{ kind: 'database.setting', ...parts, previous: null }, [['work_mem=64MB']]],
        [{ kind: 'role.database.setting', role, ...parts, previous: null }, [['work_mem=64MB']]],
        [{ kind: 'database.setting', ...parts, previous: '4MB', reset: true }, []],
      ];
      for (const [change, after] of changes) {
        if ('reset' in change)
          await client.query(`ALTER DATABASE ${quoteIdentifier(database)} SET work_mem = '4MB'`);
        const before = await config();
        const { files } = render(format, change);
        const up = files.filter(({ path }) => path.endsWith('.up.sql') || path.endsWith('migration.sql'));
        const down = files.filter((file) => !up.includes(file));
        for (const { content } of up) await client.query(content);
        expect(await config()).toEqual(after);
        for (const { content } of down) await client.query(content);
        expect(await config()).toEqual(before);
        await client.query(`ALTER DATABASE ${quoteIdentifier(database)} RESET work_mem`);
      }
      await client.query(`DROP ROLE ${quoteIdentifier(role)}`);
    },
  );

  it('of node-pg-migrate are a module that sends the statements outside of a transaction', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pgluthier-migration-'));
    const [file] = render('node-pg-migrate').files;
    // 14 digits it takes for ms, and sorts them behind all others.
    expect(file?.path).toMatch(/^\d{17}_/);
    const path = join(directory, file?.path ?? '');
    await writeFile(path, file?.content ?? '');
    const module = (await import(path)) as Record<'up' | 'down', (pgm: unknown) => void>;
    for (const [direction, wanted] of [
      ['up', statements],
      ['down', rollback],
    ] as const) {
      const sent: string[] = [];
      module[direction]({
        noTransaction: () => sent.push('no transaction'),
        sql: (sql: string) => sent.push(sql),
      });
      expect(sent).toEqual(['no transaction', ...wanted]);
    }
    await rm(directory, { recursive: true });
  });

  it('of Django hold the statements as Python reads them', async (context) => {
    const [file] = render('django').files;
    expect(file?.content).toContain('    atomic = False\n');
    const program = `
import ast, json, sys
tree = ast.parse(sys.argv[1])
call = next(n for n in ast.walk(tree) if isinstance(n, ast.Call))
print(json.dumps({k.arg: ast.literal_eval(k.value) for k in call.keywords}))`;
    const python = await run('python3', ['-c', program, file?.content ?? '']).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        return null;
      },
    );
    if (!python) return context.skip('python3 is not installed');
    expect(JSON.parse(python.stdout)).toEqual({ sql: statements, reverse_sql: rollback });
  });

  it('have the mark of each tool exactly where something may not be in a transaction', () => {
    const marks: [(typeof migrationFormats)[number], RegExp][] = [
      ['plain', /not inside of a transaction/],
      ['flyway', /executeInTransaction=false/],
      ['node-pg-migrate', /pgm\.noTransaction\(\)/],
      ['rails', /disable_ddl_transaction!/],
      ['django', /atomic = False/],
    ];
    for (const [format, mark] of marks) {
      expect(JSON.stringify(render(format).files), format).toMatch(mark);
      expect(JSON.stringify(render(format, OPTIONS).files), format).not.toMatch(mark);
    }
    expect(render('flyway').files.map(({ path }) => path)).toEqual([
      'V20261127201530__index_on_ev_drop_table_ev_at.sql',
      'U20261127201530__index_on_ev_drop_table_ev_at.sql',
      'V20261127201530__index_on_ev_drop_table_ev_at.sql.conf',
      'U20261127201530__index_on_ev_drop_table_ev_at.sql.conf',
    ]);
    expect(render('drizzle').files.every(({ path }) => path.startsWith('outside-of-drizzle/'))).toBe(true);
    expect(render('rails').files[0]?.content).toContain(
      'class IndexOnEvDropTableEvAt < ActiveRecord::Migration',
    );
  });

  it('let no line of a title become a statement', async () => {
    for (const format of ['plain', 'flyway', 'golang-migrate', 'prisma', 'drizzle'] as const) {
      for (const { content } of render(format).files) expect(content).not.toMatch(/^DROP TABLE/m);
    }
  });

  it('know of each kind of statement whether a transaction takes it, as the server does', async () => {
    await client.query('CREATE TABLE kinds (a int, b int); CREATE INDEX kinds_a ON kinds (a)');
    for (const sql of [
      'CREATE INDEX CONCURRENTLY kinds_b ON kinds (b)',
      'CREATE UNIQUE INDEX CONCURRENTLY kinds_c ON kinds (b)',
      'DROP INDEX CONCURRENTLY kinds_a',
      'REINDEX INDEX CONCURRENTLY kinds_a',
      'VACUUM (FREEZE, TRUNCATE false) kinds',
      "ALTER SYSTEM SET work_mem = '5MB'",
      'CREATE INDEX " CONCURRENTLY " ON kinds (a)',
      'ALTER TABLE kinds SET (fillfactor = 90)',
      'CREATE STATISTICS kinds_s (dependencies) ON a, b FROM kinds',
      'ANALYZE kinds',
      'SELECT pg_reload_conf()',
    ]) {
      await client.query('BEGIN');
      const refused = await client.query(sql).then(
        () => false,
        (error: { code?: string }) => error.code === '25001',
      );
      await client.query('ROLLBACK');
      expect(isTransactional(sql), sql).toBe(!refused);
    }
  });

  it('are written from a report, and never over a file that is there', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pgluthier-migration-'));
    const report = join(directory, 'report.json');
    const one = { id: 'rec_1', title: 'Options', change: OPTIONS };
    const finding = { id: 'rec_2', title: 'A finding', change: { kind: 'finding' } };
    await writeFile(report, JSON.stringify({ recommendations: [one, finding] }));
    const options = { format: 'plain' as const, output: join(directory, 'out') };
    const lines = await writeMigrations(report, options, AT);
    expect(lines).toContain('20261127201530_options.up.sql');
    expect(await readFile(join(directory, 'out/20261127201530_options.down.sql'), 'utf8')).toContain(
      'ALTER TABLE public.ev_1 RESET (fillfactor);',
    );
    await expect(writeMigrations(report, options, AT)).rejects.toMatchObject({ code: 'usage_file_exists' });
    await expect(writeMigrations(report, { ...options, only: ['rec_x'] }, AT)).rejects.toMatchObject({
      code: 'usage_recommendation_unknown',
    });
    await expect(writeMigrations('/dev/null', options, AT)).rejects.toMatchObject({
      code: 'usage_report_unreadable',
    });
    await rm(directory, { recursive: true });
  });
});
