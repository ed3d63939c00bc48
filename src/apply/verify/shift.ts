/** How much everything got slower or faster at once: what a change must not be credited with. */
import type { WorkloadQuery } from '../../domain/index.ts';
import { varianceOfMean } from './welch.ts';

/** Fewer calls than this on either side say nothing about a mean. */
export const MIN_CALLS = 30;
const MIN_CONTROLS = 3;
/** Variance of a median over that of a mean, normal case (π/2). */
const MEDIAN_PENALTY = Math.PI / 2;

export interface Pair {
  before: WorkloadQuery;
  after: WorkloadQuery;
}

export interface Shift {
  /** Median of after/before over the controls; 1 where there are too few. */
  factor: number;
  /** Variance of ln(factor). */
  log_variance: number;
  /** Statements that it rests on; 0: none used. */
  controls: number;
}

export function summaryOf(query: WorkloadQuery): { n: number; mean: number; stddev: number } {
  return { n: query.calls, mean: query.mean_exec_time_ms, stddev: query.stddev_exec_time_ms };
}

/** Statements with enough calls on both sides to compare. */
export function comparable({ before, after }: Pair): boolean {
  return (
    before.calls >= MIN_CALLS &&
    after.calls >= MIN_CALLS &&
    before.mean_exec_time_ms > 0 &&
    after.mean_exec_time_ms > 0
  );
}

/**
 * Median ratio of the controls. Its uncertainty is the larger of what the controls' own noise explains and of how far
 * they lie apart, so that controls which disagree make every verdict more careful.
 */
export function globalShift(controls: readonly Pair[]): Shift {
  const usable = controls.filter(comparable);
  if (usable.length < MIN_CONTROLS) return { factor: 1, log_variance: 0, controls: 0 };
  const logs = usable.map(({ before, after }) =>
    Math.log(after.mean_exec_time_ms / before.mean_exec_time_ms),
  );
  const noise = usable.map(({ before, after }) => relativeVariance(before) + relativeVariance(after));
  const mean = average(logs);
  const apart = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (logs.length - 1);
  return {
    factor: Math.exp(median(logs)),
    log_variance: (MEDIAN_PENALTY * Math.max(average(noise), apart)) / logs.length,
    controls: usable.length,
  };
}

function relativeVariance(query: WorkloadQuery): number {
  return varianceOfMean(summaryOf(query)).variance / query.mean_exec_time_ms ** 2;
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
