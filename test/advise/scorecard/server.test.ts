/** Scorecards of real servers of each major, whose views differ: values against what the test itself did. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadRules, scoreTarget } from '../../../src/advise/index.ts';
import { collectSnapshot } from '../../../src/collect/index.ts';
import type { Scorecard, ScorecardMetricId, Snapshot } from '../../../src/domain/index.ts';
import { openTarget } from '../../../src/target/index.ts';
import { diffSnapshots, workloadFromSnapshot, workloadFromWindow } from '../../../src/workload/index.ts';
import { testMajors, testServer } from '../../support/servers.ts';
import { asRole } from '../../target/as-role.ts';
import { type SampleDatabase, sampleDatabase } from '../rules/index/context.ts';

const SETTINGS = { deadlock_timeout: '100ms', track_io_timing: 'on', max_wal_size: '1GB' };
const SCHEMA = `
CREATE EXTENSION pg_stat_statements;
CREATE TABLE a (id int PRIMARY KEY, v int);
INSERT INTO a SELECT g, g FROM generate_series(1, 20000) AS g;
`;
const rules = await loadRules();

async function scoreOf(from: Snapshot | null, to: Snapshot): Promise<Scorecard> {
  const window = from && diffSnapshots(from, to);
  return scoreTarget({
    target: { id: null, name: 'test' },
    snapshot: to,
    window,
    workload: window ? await workloadFromWindow(window, to) : await workloadFromSnapshot(to),
    usage_before: from?.host.usage?.value ?? null,
    thresholds: {},
    rules,
    advice: null,
    baselines: null,
    now: new Date(),
  });
}

describe.each(testMajors.filter((major) => major >= 15))('PostgreSQL %i', (major) => {
  let database: SampleDatabase;
  let first: Snapshot;
  let second: Snapshot;
  let scorecard: Scorecard;
  /** Times of `SELECT pg_sleep($1)` as the client saw them, ms: none is shorter on the server than was asked. */
  const slept: number[] = [];
  const metric = (id: ScorecardMetricId) => scorecard.metrics.find((one) => one.id === id);
  const answer = (id: string) => scorecard.checklist.find((one) => one.id === id)?.answer;
  const evidence = (id: ScorecardMetricId, name: string) =>
    metric(id)?.evidence.find((one) => one.name === name);

  beforeAll(async () => {
    const server = await testServer({ major, settings: SETTINGS });
    database = await sampleDatabase(SCHEMA, server);
    const other = new pg.Client({ connectionString: database.dsn });
    await other.connect();
    const here = new pg.Client({ connectionString: database.dsn });
    await here.connect();
    await database.query('VACUUM ANALYZE a');
    const flush = async () => {
      for (const client of [here, other, database]) await client.query('SELECT pg_stat_force_next_flush()');
    };
    await flush();
    first = await database.snapshot();
    for (let n = 0; n < 300; n += 1) {
      await here.query('SELECT v FROM a WHERE id = $1', [n]);
      if (n % 10 === 0) {
        await here.query('BEGIN');
        await here.query('UPDATE a SET v = v + 1 WHERE id = $1', [n]);
        await here.query('ROLLBACK');
      }
      if (n % 12 === 0) {
        const started = performance.now();
        await here.query('SELECT pg_sleep($1)', [0.03]);
        slept.push(performance.now() - started);
      }
    }
    await here.query('BEGIN; UPDATE a SET v = 0 WHERE id = 1');
    await other.query('BEGIN; UPDATE a SET v = 0 WHERE id = 2');
    await Promise.all(
      [here.query('UPDATE a SET v = 0 WHERE id = 2'), other.query('UPDATE a SET v = 0 WHERE id = 1')].map(
        (update) => update.catch(() => {}),
      ),
    );
    await here.query('ROLLBACK');
    await other.query('ROLLBACK');
    for (let n = 0; n < 5; n += 1)
      await here.query('INSERT INTO a VALUES ($1); ', [100_000 + n]).then(() => here.query('CHECKPOINT'));
    await flush();
    second = await database.snapshot();
    scorecard = await scoreOf(first, second);
    await here.end();
    await other.end();
  });
  afterAll(() => database?.close());

  test("times: the mean is the counters' own, and the slow tenth is beyond the P95 where it must be", () => {
    const mean = metric('statement_mean_ms');
    expect(Number(evidence('statement_mean_ms', 'calls')?.value)).toBeGreaterThanOrEqual(300 + 25 + 30);
    expect(mean?.value).toBeGreaterThan(0.5);
    expect(mean?.value).toBeLessThan(Math.max(...slept));
    // 25 of some 365 calls sleep for 30 ms: the P95 lies among them.
    const p95 = metric('statement_p95_ms');
    expect(p95).toMatchObject({ level: 'estimated', provisional: true });
    // As log-normal: a quarter of the sleeps are shorter than it, up to two thirds of a deviation below
    // their mean, and none is shorter than 30 ms.
    expect(p95?.value).toBeGreaterThanOrEqual(30 - deviationOf(slept));
    expect(p95?.value).toBeLessThan(Math.max(...slept) + 5);
    expect(p95?.high).toBeGreaterThanOrEqual(p95?.value ?? Number.NaN);
    expect(metric('statement_p99_ms')?.note).toContain('500 are wanted');
  });

  test('rollbacks, deadlocks of a short window, throughput', () => {
    // 30 in the loop, the loser of the deadlock and the other one.
    expect(Number(evidence('rollback_ratio', 'rolled back')?.value)).toBeGreaterThanOrEqual(31);
    expect(metric('rollback_ratio')).toMatchObject({ grade: 'critical' });
    expect(metric('deadlocks_per_day')).toMatchObject({ value: null, grade: 'unknown' });
    expect(evidence('deadlocks_per_day', 'deadlocks')?.value).toBe(1);
    expect(metric('transactions_per_second')).toMatchObject({ grade: 'ungraded' });
    expect(metric('transactions_per_second')?.value).toBeGreaterThan(0);
  });

  test('the cache, with pg_stat_io from 16 on', () => {
    expect(metric('cache_hit_ratio')?.value).toBeGreaterThan(0.5);
    const clients = evidence('cache_hit_ratio', 'hit ratio of client backends, all databases');
    if (major < 16) expect(clients).toBeUndefined();
    else expect(Number(clients?.value)).toBeLessThanOrEqual(1);
  });

  test('checkpoints, from the view that this major has', () => {
    const requested = evidence('requested_checkpoints', 'requested');
    expect(Number(requested?.value)).toBeGreaterThanOrEqual(5);
    expect(requested?.source).toContain(major >= 17 ? 'pg_stat_checkpointer' : 'pg_stat_bgwriter');
    expect(metric('requested_checkpoints')?.grade).toBe('critical');
  });

  test('connections and the host', () => {
    expect(metric('connections_used')).toMatchObject({ provisional: true });
    expect(metric('connections_used')?.value).toBeGreaterThan(0);
    // This role may read the host's files, unless the server runs in a group with limits.
    const { usage } = second.host;
    if (usage?.value) {
      expect(metric('memory_usage')?.value).toBeGreaterThan(0);
      expect(metric('memory_usage')?.value).toBeLessThan(1);
      const cpu = metric('cpu_usage');
      if (cpu?.value !== null) expect(cpu?.value).toBeLessThanOrEqual(1);
      else expect(cpu?.note).toContain('too near');
    } else {
      expect(metric('cpu_usage')?.note).toContain('control group');
    }
  });

  test('the checklist, by what is there', () => {
    expect({
      statements_tracked: answer('statements_tracked'),
      io_timed: answer('io_timed'),
      // Test servers keep nothing safe on disk, on purpose.
      crash_safe: answer('crash_safe'),
      slow_statements_logged: answer('slow_statements_logged'),
      idle_transactions_end: answer('idle_transactions_end'),
      indexes_valid: answer('indexes_valid'),
      wraparound_far: answer('wraparound_far'),
      connection_pool: answer('connection_pool'),
      indexes_for_queries: answer('indexes_for_queries'),
    }).toEqual({
      statements_tracked: 'yes',
      io_timed: 'yes',
      crash_safe: 'no',
      slow_statements_logged: 'no',
      idle_transactions_end: 'no',
      indexes_valid: 'yes',
      wraparound_far: 'yes',
      connection_pool: 'unknown',
      indexes_for_queries: 'unknown',
    });
    for (const item of scorecard.checklist) expect(item.because.length).toBeGreaterThan(10);
  });

  test('one snapshot alone makes no rate out of counters without a beginning', async () => {
    const alone = await scoreOf(null, { ...second, server: second.server });
    const tps = alone.metrics.find(({ id }) => id === 'transactions_per_second');
    if (second.counters.database?.stats_reset === null) expect(tps?.value).toBeNull();
    else expect(tps?.value).toBeGreaterThan(0);
    expect(alone.metrics.find(({ id }) => id === 'cpu_usage')?.note).toMatch(/two readings|cannot be seen/);
  });
});

test('a role that sees nothing of others gets unknowns and the grant, not zeroes', async () => {
  const server = await testServer({ settings: SETTINGS });
  const { dsn, drop, name } = await server.createDatabase({ sql: SCHEMA });
  const role = `blind_${name}`;
  const client = new pg.Client({ connectionString: dsn });
  await client.connect();
  await client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'p'`);
  try {
    const session = await openTarget(asRole(dsn, role, 'p'), {
      applicationName: 'pgluthier-test',
      readOnly: true,
    });
    const snapshot = await collectSnapshot(session).finally(() => session.close());
    const scorecard = await scoreOf(null, snapshot);
    const of = (id: ScorecardMetricId) => scorecard.metrics.find((one) => one.id === id);
    for (const id of ['connections_used', 'active_sessions_per_cpu', 'statement_mean_ms'] as const)
      expect({ id, value: of(id)?.value }).toEqual({ id, value: null });
    expect(scorecard.limits.find(({ scope }) => scope === 'scorecard/connections_used')?.remedy).toContain(
      'GRANT',
    );
  } finally {
    await client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await client.end();
    await drop();
  }
});

/** Standard deviation. */
function deviationOf(values: readonly number[]): number {
  const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
  return Math.sqrt(values.reduce((sum, one) => sum + (one - mean) ** 2, 0) / values.length);
}
