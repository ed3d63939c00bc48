/** What a scorecard measures, and the thresholds that its values are graded by. */
import { z } from 'zod';

/**
 * How good a value is. `warning` lies between acceptable and critical, which the thresholds leave a gap for;
 * `ungraded`: seen, but nothing says what would be good; `unknown`: not seen, or not enough of it.
 */
export const scorecardGrades = [
  'target',
  'acceptable',
  'warning',
  'critical',
  'ungraded',
  'unknown',
] as const;
export type ScorecardGrade = (typeof scorecardGrades)[number];

export const scorecardMetricIds = [
  'statement_mean_ms',
  'statement_p95_ms',
  'statement_p99_ms',
  'cache_hit_ratio',
  'rollback_ratio',
  'deadlocks_per_day',
  'transactions_per_second',
  'cpu_usage',
  'memory_usage',
  'active_sessions_per_cpu',
  'connections_used',
  'requested_checkpoints',
] as const;
export type ScorecardMetricId = (typeof scorecardMetricIds)[number];

/** Bounds in the metric's unit; a value on a bound is still on its good side. */
export interface Thresholds {
  target: number;
  acceptable: number;
  critical: number;
}

export interface MetricDefinition {
  title: string;
  /** ms, share (0..1), 1/day, 1/s, sessions. */
  unit: string;
  better: 'lower' | 'higher';
  /** Null: not graded unless somebody says what is good. */
  defaults: Thresholds | null;
  /** Where the defaults come from. */
  source: string;
  /** A change smaller than this, in the metric's unit, is none. */
  noise: number;
}

/**
 * The table "Target Performance Metrics" of OctoLLM's performance tuning guide (docs/operations/performance-tuning.md),
 * which these scorecards began with.
 */
const GUIDE = 'performance tuning guide';
const OURS = 'our own choice';

export const scorecardMetrics: Readonly<Record<ScorecardMetricId, MetricDefinition>> = {
  statement_mean_ms: {
    title: 'Mean time of a statement',
    unit: 'ms',
    better: 'lower',
    defaults: { target: 10, acceptable: 50, critical: 100 },
    source: `${GUIDE}: database query time`,
    noise: 0.05,
  },
  statement_p95_ms: {
    title: 'P95 of statement time',
    unit: 'ms',
    better: 'lower',
    defaults: { target: 500, acceptable: 1000, critical: 2000 },
    source: `${GUIDE}: API latency P95, which a statement of the request must not exceed`,
    noise: 0.1,
  },
  statement_p99_ms: {
    title: 'P99 of statement time',
    unit: 'ms',
    better: 'lower',
    defaults: { target: 1000, acceptable: 2000, critical: 5000 },
    source: `${GUIDE}: API latency P99, which a statement of the request must not exceed`,
    noise: 0.1,
  },
  cache_hit_ratio: {
    title: 'Blocks found in shared_buffers',
    unit: 'share',
    better: 'higher',
    defaults: { target: 0.8, acceptable: 0.6, critical: 0.4 },
    source: `${GUIDE}: cache hit rate`,
    noise: 0.01,
  },
  rollback_ratio: {
    title: 'Transactions rolled back',
    unit: 'share',
    better: 'lower',
    defaults: { target: 0.001, acceptable: 0.01, critical: 0.05 },
    source: `${GUIDE}: error rate`,
    noise: 0.0005,
  },
  deadlocks_per_day: {
    title: 'Deadlocks',
    unit: '1/day',
    better: 'lower',
    defaults: { target: 0, acceptable: 1, critical: 10 },
    source: OURS,
    noise: 0.5,
  },
  transactions_per_second: {
    title: 'Throughput in transactions',
    unit: '1/s',
    better: 'higher',
    defaults: null,
    source: 'it says how much is asked of the database, not how well that is done',
    noise: 0.1,
  },
  cpu_usage: {
    title: 'CPU of the host in use',
    unit: 'share',
    better: 'lower',
    defaults: { target: 0.6, acceptable: 0.8, critical: 0.9 },
    source: `${GUIDE}: CPU usage`,
    noise: 0.02,
  },
  memory_usage: {
    title: 'Memory of the host in use',
    unit: 'share',
    better: 'lower',
    defaults: { target: 0.7, acceptable: 0.85, critical: 0.95 },
    source: `${GUIDE}: memory usage`,
    noise: 0.02,
  },
  active_sessions_per_cpu: {
    title: 'Active sessions for each CPU (P95 of samples)',
    unit: 'sessions',
    better: 'lower',
    defaults: { target: 1, acceptable: 2, critical: 4 },
    source: OURS,
    noise: 0.1,
  },
  connections_used: {
    title: 'Connections in use of those there may be',
    unit: 'share',
    better: 'lower',
    defaults: { target: 0.6, acceptable: 0.8, critical: 0.9 },
    source: OURS,
    noise: 0.02,
  },
  requested_checkpoints: {
    title: 'Checkpoints that were asked for before their time',
    unit: 'share',
    better: 'lower',
    defaults: { target: 0.1, acceptable: 0.3, critical: 0.5 },
    source: OURS,
    noise: 0.05,
  },
};

const thresholdsSchema = z
  .object({ target: z.number(), acceptable: z.number(), critical: z.number() })
  .strict();

/** Why these bounds cannot be; null: they can. */
function mistake(id: ScorecardMetricId, bounds: Thresholds): string | null {
  const { better, unit } = scorecardMetrics[id];
  const { target, acceptable, critical } = bounds;
  const values = [target, acceptable, critical];
  if (values.some((value) => value < 0)) return 'no bound may be below 0';
  if (unit === 'share' && values.some((value) => value > 1)) return 'a share lies between 0 and 1';
  const falls = better === 'higher';
  const ordered = falls
    ? target >= acceptable && acceptable >= critical
    : target <= acceptable && acceptable <= critical;
  return ordered
    ? null
    : `${falls ? 'higher' : 'lower'} is better: target, acceptable and critical must ${falls ? 'fall' : 'rise'}`;
}

/** Thresholds in place of the defaults, by metric; null: that metric is not graded. */
export const scorecardThresholdsSchema = z
  .partialRecord(z.enum(scorecardMetricIds), thresholdsSchema.nullable())
  .superRefine((overrides, check) => {
    for (const id of scorecardMetricIds) {
      const bounds = overrides[id];
      const message = bounds ? mistake(id, bounds) : null;
      if (message !== null) check.addIssue({ code: 'custom', path: [id], message });
    }
  });
export type ScorecardThresholds = z.infer<typeof scorecardThresholdsSchema>;

/** Those in force for a metric; null: it is not graded. */
export function thresholdsOf(id: ScorecardMetricId, overrides: ScorecardThresholds): Thresholds | null {
  const given = overrides[id];
  return given === undefined ? scorecardMetrics[id].defaults : given;
}

/** The grade of a value; what lies on a bound is on its good side. */
export function gradeOf(
  id: ScorecardMetricId,
  value: number | null,
  thresholds: Thresholds | null,
): ScorecardGrade {
  if (value === null) return 'unknown';
  if (thresholds === null) return 'ungraded';
  const sign = scorecardMetrics[id].better === 'lower' ? 1 : -1;
  const within = (bound: number) => sign * value <= sign * bound;
  if (within(thresholds.target)) return 'target';
  if (within(thresholds.acceptable)) return 'acceptable';
  return within(thresholds.critical) ? 'warning' : 'critical';
}
