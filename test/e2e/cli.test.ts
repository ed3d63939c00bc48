import type { ChildProcess } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reportSchema, scorecardSchema } from '../../src/domain/index.ts';
import { testServer } from '../support/servers.ts';
import { runCli, runCliHere, startCli } from './run-cli.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgluthier-cli-'));
  // Root's embedded servers run under another account, which must pass through.
  await chmod(directory, 0o711);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const start = (args: string[], environment: Record<string, string> = {}) =>
  startCli(directory, args, environment);
const run = (args: string[], environment: Record<string, string> = {}) =>
  runCli(directory, args, environment);
const here = (args: string[]) => runCliHere(directory, args);

const SCHEMA = `
CREATE EXTENSION pg_stat_statements;
CREATE TABLE "Orders" (id int PRIMARY KEY, customer int NOT NULL, state text NOT NULL, note text);
INSERT INTO "Orders" SELECT g, g % 7000, CASE WHEN g % 200 = 0 THEN 'open' ELSE 'done' END, repeat('y', 50)
  FROM generate_series(1, 80000) AS g;
ANALYZE "Orders";
`;

describe('scorecard', () => {
  it('prints values and checklist, and exits by --fail-on', async () => {
    const server = await testServer();
    const database = await server.createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements' });
    const { code, out } = await run(['scorecard', database.dsn, '--json']);
    expect(code).toBe(0);
    expect(scorecardSchema.parse(JSON.parse(out).scorecard).checklist.length).toBeGreaterThan(20);
    const thresholds = join(directory, 'strict.json');
    // Nobody uses less than nothing of the memory.
    const strict = {
      memory_usage: { target: 0, acceptable: 0, critical: 0 },
      connections_used: { target: 0, acceptable: 0, critical: 0 },
    };
    await writeFile(thresholds, JSON.stringify(strict));
    // This connection keeps one in use beside ours.
    const client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    const failing = await here([
      'scorecard',
      database.dsn,
      '--thresholds',
      thresholds,
      '--fail-on',
      'critical',
    ]);
    await client.end();
    expect(failing.code).toBe(1);
    expect(failing.out).toContain('Checklist');
    expect((await here(['scorecard'])).code).toBe(2);
    await database.drop();
  });
});

describe('analyze', () => {
  it('takes statements from files and prints the report as JSON, with one weight each or as a comment says', async () => {
    const server = await testServer();
    const database = await server.createDatabase({ sql: SCHEMA });
    const workload = join(directory, 'queries');
    await mkdir(workload, { recursive: true });
    await writeFile(join(workload, '1.sql'), `SELECT note FROM "Orders" WHERE customer = 42;`);
    await writeFile(
      join(workload, '2.sql'),
      `-- calls: 500\nSELECT id FROM "Orders" WHERE state = 'open' ORDER BY id DESC LIMIT 10;`,
    );
    const { code, out } = await run([
      'analyze',
      database.dsn,
      '--workload',
      workload,
      '--budget',
      '300MB',
      '--only',
      'index',
      '--json',
    ]);
    expect(code).toBe(0);
    const report = reportSchema.parse(JSON.parse(out));
    expect(report.window.source).toBe('files');
    const statements = report.recommendations.flatMap((item) => item.statements);
    expect(statements.some((sql) => sql.includes('"Orders"') && sql.includes('customer'))).toBe(true);
    expect(report.recommendations.flatMap((item) => item.affects).map((item) => item.calls)).toContain(500);

    const text = await here([
      'analyze',
      database.dsn,
      '--workload',
      workload,
      '--only',
      'index',
      '--ram',
      '8GB',
    ]);
    expect(text.code).toBe(0);
    expect(text.out).toContain('CREATE INDEX CONCURRENTLY');
    await database.drop();
  });

  it('says what is wrong and ends with the right code', async () => {
    const server = await testServer();
    const cases: [args: string[], code: number, word: string][] = [
      [['analyze', 'postgresql://u:geheim@127.0.0.1:1/x'], 3, 'target_unreachable'],
      [['analyze', 'nonsense'], 3, 'dsn_invalid'],
      [['analyze', server.dsn(), '--workload', '/does/not/exist'], 2, 'workload_not_found'],
      [['analyze', server.dsn(), '--budget', 'much'], 2, '300MB'],
      [['analyze', server.dsn(), '--max-regression', '0.1'], 2, '10%'],
      [['analyze'], 2, 'usage_invalid'],
      [['analyze', server.dsn(), '--snapshot', 'x'], 2, 'usage_invalid'],
      [['analyze', '--snapshot', '/does/not/exist'], 2, 'snapshot_file_unreadable'],
      [['export', server.dsn()], 2, '--output'],
      [['frobnicate'], 2, 'unknown command'],
    ];
    // The first in a process of its own: its end has the code.
    for (const [args, code, word] of cases) {
      const result = await (args === cases[0]?.[0] ? run : here)(args);
      expect([result.code, args], result.err).toEqual([code, args]);
      expect(result.err).toContain(word);
      expect(result.err + result.out).not.toContain('geheim');
    }
  });
});

describe('--version', () => {
  it('loads neither the store nor the API: their packages alone are a third of all modules', async () => {
    const { code, out, err } = await run(['--version'], { NODE_DEBUG: 'esm' });
    expect(code).toBe(0);
    expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
    const loaded = (name: string) => err.includes(`node_modules/${name}/`);
    expect(loaded('commander')).toBe(true);
    expect(['kysely', 'hono', '@hono/node-server', 'pino'].filter(loaded)).toEqual([]);
  });
});

describe('doctor', () => {
  it('lists what is missing and ends with 1', async () => {
    const server = await testServer();
    const database = await server.createDatabase();
    const { code, out } = await run(['doctor', database.dsn]);
    expect(code).toBe(1);
    expect(out).toContain('CREATE EXTENSION pg_stat_statements;');
    await database.drop();
  });
});

/** Starts `serve`, waits until it listens, and gives what it printed. */
async function serve(
  environment: Record<string, string>,
): Promise<{ child: ChildProcess; url: string; printed: string }> {
  const child = await start(['serve'], { PGLUTHIER_PORT: '0', PGLUTHIER_LOG_LEVEL: 'warn', ...environment });
  let printed = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr?.on('data', (chunk) => {
      printed += chunk;
    });
    child.stdout?.on('data', (chunk) => {
      printed += chunk;
      const found = /listens on (http:\S+)/.exec(printed)?.[1];
      if (found) setTimeout(() => resolve(found), 200);
    });
    child.on('close', (code) => reject(new Error(`serve ended with ${code}: ${printed}`)));
  });
  return { child, url, printed };
}

describe('serve', () => {
  it('prints a token once, survives kill -9 with its state, and stops on SIGTERM', {
    timeout: 120_000,
  }, async () => {
    const environment = { PGLUTHIER_DATA_DIR: join(directory, 'serve') };
    const server = await testServer();
    const first = await serve(environment);
    const token = /pgl_[\w-]+/.exec(first.printed)?.[0] ?? '';
    expect(token).not.toBe('');
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const added = await fetch(`${first.url}/v1/targets`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ name: 'kept', dsn: server.dsn() }),
    });
    expect(added.status).toBe(201);
    const killed = new Promise((resolve) => first.child.on('close', resolve));
    first.child.kill('SIGKILL');
    await killed;

    const second = await serve(environment);
    expect(second.printed).not.toContain('pgl_');
    const listed = await fetch(`${second.url}/v1/targets`, { headers });
    expect(await listed.json()).toMatchObject({ items: [{ name: 'kept', dsn_source: 'sealed' }] });
    const ended = new Promise<number | null>((resolve) => second.child.on('close', resolve));
    second.child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });
});

describe('migrate', () => {
  it('brings an embedded store up to date and can be run again', async () => {
    const environment = { PGLUTHIER_DATA_DIR: join(directory, 'migrate') };
    for (let time = 0; time < 2; time += 1) {
      expect(await run(['migrate'], environment)).toMatchObject({
        code: 0,
        out: 'The store is up to date.\n',
      });
    }
  });
});
