/** What becomes of built snapshots: grades, what is unknown and why, the checklist, and comparisons. */
import { describe, expect, test } from 'vitest';
import { compareScorecards, loadRules, scoreTarget } from '../../../src/advise/index.ts';
import {
  gradeOf,
  type Scorecard,
  type ScorecardMetricId,
  type Snapshot,
  scorecardMetricIds,
  scorecardMetrics,
  scorecardSchema,
  scorecardThresholdsSchema,
  type Window,
} from '../../../src/domain/index.ts';
import {
  checkpointCounters,
  databaseCounters,
  snapshotOf,
  TAKEN_AT,
  windowOf,
  workloadOf,
  workloadQuery,
} from '../../support/snapshot-builder.ts';

type Input = Parameters<typeof scoreTarget>[0];
const rules = await loadRules();

async function score(snapshot: Snapshot, parts: Partial<Input> = {}): Promise<Scorecard> {
  const scorecard = await scoreTarget({
    target: { id: null, name: 'shop' },
    snapshot,
    window: null,
    workload: workloadOf(),
    usage_before: null,
    thresholds: {},
    rules,
    advice: null,
    baselines: null,
    now: new Date(TAKEN_AT),
    ...parts,
  });
  return scorecardSchema.parse(scorecard);
}

const metric = ({ metrics }: Scorecard, id: ScorecardMetricId) => {
  const found = metrics.find((one) => one.id === id);
  if (!found) throw new Error(id);
  return found;
};
const answer = ({ checklist }: Scorecard, id: string) => checklist.find((one) => one.id === id);

const clients = (sessions: number, state = 'idle') => ({
  ...snapshotOf().activity,
  groups: [
    {
      backend_type: 'client backend',
      database: 'app',
      user: 'app',
      application_name: 'app',
      state,
      wait_event_type: null,
      wait_event: null,
      query_id: null,
      sessions,
    },
  ],
});

describe('grades', () => {
  test('a bound is on its good side, and the gap before critical is a warning', () => {
    const of = (value: number) =>
      gradeOf('statement_mean_ms', value, scorecardMetrics.statement_mean_ms.defaults);
    expect([10, 10.1, 50, 50.1, 100, 100.1].map(of)).toEqual([
      'target',
      'acceptable',
      'acceptable',
      'warning',
      'warning',
      'critical',
    ]);
    const hits = (value: number) =>
      gradeOf('cache_hit_ratio', value, scorecardMetrics.cache_hit_ratio.defaults);
    expect([0.8, 0.79, 0.6, 0.5, 0.4, 0.39].map(hits)).toEqual([
      'target',
      'acceptable',
      'acceptable',
      'warning',
      'warning',
      'critical',
    ]);
  });

  test('every default could have been given by hand', () => {
    const defaults = Object.fromEntries(scorecardMetricIds.map((id) => [id, scorecardMetrics[id].defaults]));
    expect(scorecardThresholdsSchema.parse(defaults)).toEqual(defaults);
  });

  test.each([
    ['bounds out of order', { statement_p95_ms: { target: 5, acceptable: 4, critical: 9 } }, 'must rise'],
    [
      'the wrong way round',
      { cache_hit_ratio: { target: 0.1, acceptable: 0.5, critical: 0.9 } },
      'must fall',
    ],
    ['a share of 80', { cache_hit_ratio: { target: 80, acceptable: 60, critical: 40 } }, 'between 0 and 1'],
    ['a negative time', { statement_mean_ms: { target: -1, acceptable: 1, critical: 2 } }, 'below 0'],
    ['a missing bound', { statement_mean_ms: { target: 1, acceptable: 2 } }, 'number'],
    ['a metric that is none', { speed: { target: 1, acceptable: 2, critical: 3 } }, 'key'],
  ])('%s is refused', (_, thresholds, message) => {
    const parsed = scorecardThresholdsSchema.safeParse(thresholds);
    expect(parsed.success).toBe(false);
    expect(JSON.stringify(parsed.error?.issues)).toContain(message);
  });
});

describe('without anything seen', () => {
  test('nothing is graded, and each value says why', async () => {
    const scorecard = await score(snapshotOf({ cpu_count: null, ram_bytes: null }));
    expect(scorecard.overall).toBe('unknown');
    expect(scorecard.grades.unknown).toBe(scorecardMetricIds.length);
    for (const { id, value, note } of scorecard.metrics) {
      expect({ id, value }).toEqual({ id, value: null });
      expect(note).not.toBe('');
      expect(scorecard.limits.some(({ scope }) => scope === `scorecard/${id}`)).toBe(true);
    }
  });

  test('no question is answered by a yes that nobody saw', async () => {
    const blind = snapshotOf({ cpu_count: null, ram_bytes: null });
    const scorecard = await score({ ...blind, settings: [], limits: [] });
    for (const id of [
      'io_timed',
      'crash_safe',
      'checksums',
      'slow_statements_logged',
      'waits_logged',
      'idle_transactions_end',
      'wal_kept_elsewhere',
      'configuration_tuned',
      'limits_set',
      'indexes_for_queries',
      'load_tested',
      'n_plus_one',
      'connection_pool',
    ]) {
      expect({ id, answer: answer(scorecard, id)?.answer }).toEqual({ id, answer: 'unknown' });
      expect(answer(scorecard, id)?.because).not.toBe('');
    }
  });
});

/** A day's window of a busy shop. */
const busy = (parts: Partial<Window> = {}) => {
  const {
    numbackends: _n,
    stats_reset: _s,
    checksum_failures: _c,
    ...database
  } = databaseCounters({
    xact_commit: 863_136,
    xact_rollback: 864,
    blks_hit: 990_000,
    blks_read: 10_000,
    deadlocks: 2,
  });
  const counters = {
    database,
    checkpoints: { timed: 10, requested: 30, write_time_ms: 0, sync_time_ms: 0, buffers_written: 0 },
    wal: null,
    bgwriter: null,
    archiver: null,
    xids: null,
    io: null,
  };
  const concurrency = {
    samples: 1440,
    active_p50: 2,
    active_p95: 6,
    active_max: 9,
    total_p95: 80,
    total_max: 87,
    idle_in_transaction_p95: 0,
    waiting_for_lock_max: 0,
    oldest_xmin_age_max: null,
  };
  return windowOf(86_400, { counters, concurrency, ...parts });
};
const seen = snapshotOf({
  activity: clients(40),
  counters: { database: databaseCounters(), checkpoints: checkpointCounters() },
});
const statements = workloadOf(
  [
    workloadQuery({
      query_id: 'a',
      calls: 100_000,
      mean_exec_time_ms: 2,
      stddev_exec_time_ms: 1,
      total_exec_time_ms: 200_000,
    }),
    workloadQuery({
      query_id: 'b',
      calls: 500,
      mean_exec_time_ms: 400,
      stddev_exec_time_ms: 50,
      total_exec_time_ms: 200_000,
      query: 'SELECT slow',
    }),
  ],
  { source: 'window', seconds: 86_400 },
);

describe('a day of a busy shop', () => {
  test('has its values with grades, and where they came from', async () => {
    const scorecard = await score(seen, { window: busy(), workload: statements });
    const values = Object.fromEntries(scorecard.metrics.map(({ id, value, grade }) => [id, [value, grade]]));
    expect(values).toMatchObject({
      statement_mean_ms: [expect.closeTo(3.98, 2), 'target'],
      cache_hit_ratio: [0.99, 'target'],
      rollback_ratio: [0.001, 'target'],
      deadlocks_per_day: [2, 'warning'],
      transactions_per_second: [10, 'ungraded'],
      cpu_usage: [null, 'unknown'],
      active_sessions_per_cpu: [1.5, 'acceptable'],
      connections_used: [0.87, 'warning'],
      requested_checkpoints: [0.75, 'critical'],
    });
    expect(scorecard.overall).toBe('critical');
    const p95 = metric(scorecard, 'statement_p95_ms');
    expect(p95).toMatchObject({ level: 'estimated', grade: 'target', provisional: false });
    expect(p95.value).toBeGreaterThan(p95.low ?? Number.NaN);
    expect(p95.value).toBeLessThan(p95.high ?? Number.NaN);
    expect(p95.evidence.map(({ formula }) => formula).join()).toContain('log-normal');
    expect(p95.note).toContain('Derived, not measured');
    for (const { value, evidence } of scorecard.metrics)
      if (value !== null) expect(evidence.length).toBeGreaterThan(0);
    expect(scorecard.limits.map(({ code }) => code)).not.toContain('statistics_young');
  });

  test('five minutes are graded, and said to be too young', async () => {
    const scorecard = await score(seen, { window: { ...busy(), seconds: 300 }, workload: statements });
    expect(scorecard.limits[0]).toMatchObject({ code: 'statistics_young' });
    expect(metric(scorecard, 'cache_hit_ratio')).toMatchObject({ provisional: true, grade: 'target' });
    expect(metric(scorecard, 'deadlocks_per_day')).toMatchObject({ value: null, grade: 'unknown' });
  });

  test('a quantile of a hundred calls is not told', async () => {
    const few = workloadOf([workloadQuery({ calls: 99 })]);
    const scorecard = await score(seen, { workload: few });
    expect(metric(scorecard, 'statement_p95_ms').note).toContain('99 calls were counted; 100 are wanted');
    expect(metric(scorecard, 'statement_mean_ms').value).not.toBeNull();
  });

  test('thresholds of the target take the place of the defaults; null ends the grading', async () => {
    const thresholds = {
      statement_mean_ms: { target: 1, acceptable: 2, critical: 3 },
      requested_checkpoints: null,
      transactions_per_second: { target: 100, acceptable: 50, critical: 20 },
    };
    const scorecard = await score(seen, { window: busy(), workload: statements, thresholds });
    expect(metric(scorecard, 'statement_mean_ms')).toMatchObject({
      grade: 'critical',
      thresholds_source: "this target's own",
    });
    expect(metric(scorecard, 'requested_checkpoints')).toMatchObject({ grade: 'ungraded', value: 0.75 });
    expect(metric(scorecard, 'transactions_per_second').grade).toBe('critical');
  });

  test('where the whole range has not one grade, it says so', async () => {
    const wide = workloadOf([
      workloadQuery({
        calls: 10_000,
        mean_exec_time_ms: 300,
        stddev_exec_time_ms: 200,
        total_exec_time_ms: 3_000_000,
      }),
    ]);
    expect(metric(await score(seen, { workload: wide }), 'statement_p95_ms')).toMatchObject({
      certain: false,
    });
  });
});

describe('counters since their reset', () => {
  test('make no rate where nobody noted when that was', async () => {
    const since = (stats_reset: string | null, deadlocks: number) =>
      score(
        snapshotOf({
          counters: { database: databaseCounters({ xact_commit: 1e6, deadlocks, stats_reset }) },
        }),
      );
    const unknown = await since(null, 3);
    expect(metric(unknown, 'deadlocks_per_day').value).toBeNull();
    expect(metric(unknown, 'transactions_per_second').note).toContain(
      'since when the counters count is not noted',
    );
    expect(metric(await since(null, 0), 'deadlocks_per_day').value).toBe(0);
    // Ten days.
    expect(metric(await since('2026-02-19T12:00:00.000Z', 5), 'deadlocks_per_day').value).toBe(0.5);
  });
});

describe('the host', () => {
  const usage = (at: string, total: number, idle: number) => ({
    read_at: at,
    cpu_total_ticks: total,
    cpu_idle_ticks: idle,
    memory_total_bytes: 100,
    memory_available_bytes: 20,
  });
  test('is used by what two readings differ in', async () => {
    const host = {
      ...seen.host,
      usage: { value: usage('2026-03-01T12:00:00Z', 50_000, 20_000), source: '/proc/stat' },
    };
    const before = usage('2026-03-01T11:55:00Z', 10_000, 10_000);
    const scorecard = await score({ ...seen, host }, { usage_before: before });
    expect(metric(scorecard, 'cpu_usage')).toMatchObject({
      value: 0.75,
      grade: 'acceptable',
      covers_seconds: 300,
    });
    expect(metric(scorecard, 'memory_usage')).toMatchObject({
      value: 0.8,
      grade: 'acceptable',
      provisional: true,
    });
    const once = await score({ ...seen, host });
    expect(metric(once, 'cpu_usage').note).toContain('two readings');
    const rebooted = await score(
      { ...seen, host },
      { usage_before: usage('2026-03-01T11:55:00Z', 90_000, 80_000) },
    );
    expect(metric(rebooted, 'cpu_usage').value).toBeNull();
  });
});

describe('the checklist', () => {
  test('answers from rules: no with what they found', async () => {
    const scorecard = await score(snapshotOf({ settings: { fsync: 'off', autovacuum: 'off' } }));
    expect(answer(scorecard, 'crash_safe')).toMatchObject({
      answer: 'no',
      because: 'fsync is off, full_page_writes is on.',
    });
    const autovacuum = answer(scorecard, 'autovacuum_configured');
    expect(autovacuum?.answer).toBe('no');
    expect(autovacuum?.evidence.map(({ source }) => source).join()).toContain('health/autovacuum-off');
    expect(answer(await score(snapshotOf()), 'crash_safe')?.answer).toBe('yes');
  });

  test('answers on indexes from the last analysis alone', async () => {
    const advice = { analysed_at: TAKEN_AT, analysed_share_of_time: 0.95, open: [] };
    const of = async (known: Input['advice']) => {
      const scorecard = await score(seen, { advice: known });
      return [
        answer(scorecard, 'indexes_for_queries')?.answer,
        answer(scorecard, 'queries_explained')?.answer,
      ];
    };
    expect(await of(null)).toEqual(['unknown', 'unknown']);
    expect(await of(advice)).toEqual(['yes', 'yes']);
    expect(await of({ ...advice, analysed_share_of_time: 0.4 })).toEqual(['unknown', 'no']);
    const open = [{ rule: 'index/missing', title: 'Index on t (a)', severity: 'high' as const }];
    expect(await of({ ...advice, open })).toEqual(['no', 'yes']);
  });

  test('says no yes of autovacuum and of statements when nothing was counted for long', async () => {
    const minutes = { server: { started_at: '2026-03-01T11:50:00.000Z' } };
    const { counters } = snapshotOf({
      counters: { database: databaseCounters({ stats_reset: '2026-03-01T11:55:00.000Z' }) },
    });
    const young = await score(snapshotOf({ ...minutes, counters }), {
      workload: workloadOf([workloadQuery()], { seconds: 300 }),
    });
    expect(answer(young, 'autovacuum_configured')).toMatchObject({
      answer: 'unknown',
      because: expect.stringContaining('300 s'),
    });
    expect(answer(young, 'no_bottleneck')?.answer).toBe('unknown');
    const old = await score(seen, { workload: workloadOf([workloadQuery()], { seconds: 86_400 }) });
    expect(answer(old, 'autovacuum_configured')?.answer).toBe('yes');
    expect(answer(old, 'no_bottleneck')?.answer).toBe('yes');
  });

  test('answers on baselines, bottlenecks and connections', async () => {
    const scorecard = await score(seen, { window: busy(), workload: statements, baselines: ['go-live'] });
    expect(answer(scorecard, 'baseline_established')).toMatchObject({
      answer: 'yes',
      because: 'There is go-live.',
    });
    expect(answer(scorecard, 'no_bottleneck')).toMatchObject({ answer: 'no' });
    expect(answer(scorecard, 'no_bottleneck')?.evidence[0]).toMatchObject({
      name: 'SELECT slow',
      value: 400,
    });
    expect(answer(scorecard, 'connections_sized')?.answer).toBe('no');
    expect(answer(scorecard, 'cache_hit_rate')?.answer).toBe('yes');
    expect(answer(await score(seen, { baselines: [] }), 'baseline_established')?.answer).toBe('no');
    expect(answer(await score(seen), 'connections_sized')?.answer).toBe('unknown');
  });
});

describe('against a baseline', () => {
  const kept = (scorecard: Scorecard) => ({ name: 'then', saved_at: TAKEN_AT, actor: 'me', scorecard });

  test('the same scorecard has not moved', async () => {
    const scorecard = await score(seen, { window: busy(), workload: statements });
    const comparison = compareScorecards(scorecard, kept(scorecard));
    expect(comparison.caveats).toEqual([]);
    expect(comparison.checklist).toEqual([]);
    expect(new Set(comparison.metrics.map(({ verdict }) => verdict))).toEqual(new Set(['same', 'unknown']));
  });

  test('what got slower is worse, what is asked more of is only changed, and other loads are said', async () => {
    const before = await score(seen, { window: busy(), workload: statements });
    const slower = workloadOf(
      statements.queries.map((query) => ({
        ...query,
        mean_exec_time_ms: query.mean_exec_time_ms * 10,
        stddev_exec_time_ms: query.stddev_exec_time_ms * 10,
      })),
      { source: 'window', seconds: 86_400 },
    );
    const window = busy();
    const database = window.counters?.database;
    if (database) Object.assign(database, { xact_commit: 8_640_000, blks_hit: 500_000, blks_read: 500_000 });
    const now = await score(seen, { window, workload: slower });
    const comparison = compareScorecards(now, kept(before));
    const of = (id: ScorecardMetricId) => comparison.metrics.find((one) => one.id === id);
    expect(of('statement_mean_ms')).toMatchObject({
      verdict: 'worse',
      grade_before: 'target',
      grade_now: 'acceptable',
    });
    expect(of('statement_mean_ms')?.relative).toBeCloseTo(9, 6);
    expect(of('statement_p95_ms')).toMatchObject({ verdict: 'worse' });
    expect(of('cache_hit_ratio')).toMatchObject({ verdict: 'worse', change: expect.closeTo(-0.49, 6) });
    expect(of('rollback_ratio')?.verdict).toBe('better');
    expect(of('transactions_per_second')?.verdict).toBe('changed');
    expect(of('deadlocks_per_day')?.verdict).toBe('same');
    expect(of('cpu_usage')?.verdict).toBe('unknown');
    expect(comparison.caveats.join()).toContain('The load is another');
    expect(comparison.checklist).toEqual([
      expect.objectContaining({ id: 'cache_hit_rate', before: 'yes', now: 'no' }),
    ]);
  });

  test('a baseline is graded by the thresholds that are in force now', async () => {
    const before = await score(seen, { window: busy(), workload: statements });
    const strict = { statement_mean_ms: { target: 1, acceptable: 2, critical: 3 } };
    const now = await score(seen, { window: busy(), workload: statements, thresholds: strict });
    const [mean] = compareScorecards(now, kept(before)).metrics;
    expect(mean).toMatchObject({ verdict: 'same', grade_before: 'critical', grade_now: 'critical' });
  });

  test('another major, another database and a much shorter window are said', async () => {
    const before = await score(snapshotOf({ major: 16 }), { window: busy(), workload: statements });
    const now = await score(snapshotOf({ server: { database: 'other', database_size_bytes: 1 } }), {
      window: { ...busy(), seconds: 600 },
      workload: { ...statements, seconds: 600 },
    });
    const text = compareScorecards(now, kept(before)).caveats.join('\n');
    for (const part of ['of the database app', 'PostgreSQL 16.1 then', 'times the size', 'covers 86400 s'])
      expect(text).toContain(part);
  });
});
