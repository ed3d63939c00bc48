import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collectSnapshot } from '../../src/collect/index.ts';
import type { Snapshot, StatementDelta, Window } from '../../src/domain/index.ts';
import { availableMajors, type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { diffSnapshots } from '../../src/workload/index.ts';
import { testMajors } from '../support/servers.ts';

/** A server of its own: these tests restart it, crash it and reset its statistics. */
const majors = [...new Set([...availableMajors().filter((major) => major >= 14), ...testMajors])].sort();

describe.each(majors)('what happens to counters of PostgreSQL %i', (major) => {
  let server: EmbeddedServer;

  beforeAll(async () => {
    server = await startEmbedded({
      major,
      light: 'disk',
      settings: { shared_preload_libraries: 'pg_stat_statements' },
    });
    await run('create extension pg_stat_statements', 'create table t (a int)', 'create table u (a int)');
  }, 60_000);
  afterAll(() => server.stop());

  async function run(...statements: string[]): Promise<pg.QueryResult[]> {
    const client = new pg.Client({ connectionString: server.dsn() });
    // A crash ends connections while nothing is asked of them: the next statement fails then.
    client.on('error', () => {});
    await client.connect();
    try {
      const results: pg.QueryResult[] = [];
      for (const sql of statements) results.push(await client.query(sql));
      return results;
    } finally {
      await client.end();
    }
  }

  async function collect(): Promise<Snapshot> {
    const session = await openTarget(server.dsn(), { applicationName: 'pgluthier:test', readOnly: true });
    try {
      return await collectSnapshot(session);
    } finally {
      await session.close();
    }
  }

  /** Waits until what sessions did is in the cumulative statistics: a session that ends hands its counts over. */
  async function scansOf(table: string, least: number): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      const [result] = await run(
        `select seq_scan::int n from pg_stat_user_tables where relname = '${table}'`,
      );
      if ((result?.rows[0]?.n ?? 0) >= least) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`the scans of ${table} never showed`);
  }

  async function whenUp(): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      try {
        await run('select 1');
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    throw new Error('the server did not recover');
  }

  const of = (window: Window, text: string): StatementDelta | undefined =>
    window.statements.find((row) => row.query?.startsWith(text));
  const codes = (window: Window) => window.limits.map((limit) => limit.code).sort();
  const times = (n: number, sql: string) => run(...Array.from({ length: n }, () => sql));

  test('the deviation is of the population: two calls lie one deviation from their mean', async () => {
    const before = await collect();
    await run(
      'select /* spread */ pg_sleep(0.01) from (select 1) x',
      'select /* spread */ pg_sleep(0.04) from (select 1) x',
    );
    const after = await collect();
    const row = after.statements.find((each) => each.query?.includes('spread'));
    const half = ((row?.max_exec_time_ms ?? 0) - (row?.min_exec_time_ms ?? 0)) / 2;
    expect(row?.stddev_exec_time_ms).toBeCloseTo(half, 6);
    expect(of(diffSnapshots(before, after), 'select /* spread */')?.stddev_exec_time_ms).toBeCloseTo(half, 6);
  });

  test('resets of single statements and tables leave the others exact', async () => {
    await times(5, 'select count(*) from t');
    await times(4, 'select count(*) from u');
    await scansOf('t', 5);
    await scansOf('u', 4);
    const before = await collect();
    await run(
      `select pg_stat_statements_reset(userid, dbid, queryid) from pg_stat_statements where query = 'select count(*) from t'`,
      `select pg_stat_reset_single_table_counters('t'::regclass)`,
    );
    await times(3, 'select count(*) from t');
    await times(2, 'select count(*) from u');
    await scansOf('t', 3);
    await scansOf('u', 6);
    const window = diffSnapshots(before, await collect());
    expect(of(window, 'select count(*) from t')?.calls).toBe(3);
    expect(of(window, 'select count(*) from u')?.calls).toBe(2);
    expect(codes(window)).toContain('statements_began_anew');
    expect(codes(window)).toContain('relation_statistics_reset');
    const scans = new Map(window.tables.map((row) => [row.oid, row.seq_scan]));
    const oid = (name: string) => before.tables.find((table) => table.name === name)?.oid ?? 0;
    expect([scans.get(oid('t')), scans.get(oid('u'))]).toEqual([3, 2]);
  });

  test.runIf(major >= 17)('resetting minimum and maximum alone changes nothing else', async () => {
    const before = await collect();
    await times(2, 'select count(*) from u');
    await run('select pg_stat_statements_reset(0, 0, 0, true)');
    await times(3, 'select count(*) from u');
    const window = diffSnapshots(before, await collect());
    expect(of(window, 'select count(*) from u')?.calls).toBe(5);
    expect(codes(window)).toEqual([]);
  });

  test('a restart that saves goes on; one that does not counts since then; an old file is not new activity', async () => {
    await times(6, 'select count(*) from t');
    const before = await collect();
    await times(2, 'select count(*) from t');
    await server.restart();
    await times(3, 'select count(*) from t');
    const kept = await collect();
    const window = diffSnapshots(before, kept);
    expect(of(window, 'select count(*) from t')?.calls).toBe(5);
    expect(codes(window)).toEqual(['server_restarted']);

    // The file that the first of these restarts writes is read by the third.
    await run('alter system set pg_stat_statements.save = off');
    await server.restart();
    await server.restart();
    await times(4, 'select count(*) from t');
    const lost = await collect();
    const since = diffSnapshots(kept, lost);
    expect(of(since, 'select count(*) from t')?.calls).toBe(4);
    expect(codes(since)).toEqual(expect.arrayContaining(['server_restarted', 'statements_reset']));

    await run('alter system set pg_stat_statements.save = on');
    await server.restart();
    const old = diffSnapshots(lost, await collect());
    expect(of(old, 'select count(*) from t')).toBeUndefined();
    expect(codes(old)).toEqual(expect.arrayContaining(['statements_replaced', 'statements_start_unknown']));
  });

  test('a crash is told from a reset and from quiet', async () => {
    await times(6, 'select count(*) from t');
    await scansOf('t', 6);
    const before = await collect();
    const session = async () => {
      const client = new pg.Client({ connectionString: server.dsn() });
      client.on('error', () => {});
      await client.connect();
      return { client, ended: new Promise((resolve) => client.once('end', resolve)) };
    };
    const [victim, other] = [await session(), await session()];
    const { rows } = await victim.client.query('select pg_backend_pid() pid');
    process.kill(rows[0].pid, 'SIGKILL');
    // The postmaster ends the other one when it has noticed; until then it lets sessions in that it will end, too.
    await Promise.all([victim.ended, other.ended]);
    await whenUp();
    await times(9, 'select count(*) from t');
    await scansOf('t', 9);
    const window = diffSnapshots(before, await collect());
    expect(of(window, 'select count(*) from t')?.calls).toBe(9);
    expect(codes(window)).toContain('server_crashed');
    expect(window.tables.find((row) => row.seq_scan === 9)).toBeDefined();
  });

  test('evictions: what is counted is true, and what was missed is estimated', async () => {
    await run('alter system set pg_stat_statements.max = 200');
    await server.restart();
    await run('select pg_stat_statements_reset()');
    const before = await collect();
    await times(20, 'select count(*) from t');
    const rare = 900;
    await run(
      ...Array.from(
        { length: rare },
        (_, n) => `select ${Array.from({ length: n + 2 }, () => '1').join(',')}`,
      ),
    );
    await times(20, 'select count(*) from t');
    const after = await collect();
    const window = diffSnapshots(before, after);
    expect(of(window, 'select count(*) from t')?.calls).toBe(40);
    const kept = window.statements.filter((row) => row.query?.startsWith('select $1,')).length;
    const said = window.limits.find((limit) => limit.code === 'statements_evicted')?.message ?? '';
    const estimate = Number(said.split('some ')[1]?.split(' ')[0]);
    expect(kept).toBeLessThan(rare);
    // All rare ones ran once: the truth is known to be rare - kept, and our own statements that went beside them.
    expect(estimate).toBeGreaterThan((rare - kept) / 2);
    expect(estimate).toBeLessThan((rare - kept) * 2);
  });
});
