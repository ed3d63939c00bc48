/** How much everything got slower or faster at once: what a change must not be credited with. */
import { MIN_CONTROLS, type WorkloadQuery } from '../../domain/index.ts';
import type { Sample, Series } from './series.ts';
import { varianceOfMean } from './welch.ts';

/** Fewer calls than this on either side say nothing about a mean. */
export const MIN_CALLS = 30;

/**
 * Without controls nobody knows what the load did meanwhile: a statement is taken to drift by 15 % (one standard
 * deviation of the logarithm) for no reason of ours. An assumption, not a measurement; it asks for an effect of some 40 %.
 */
export const ASSUMED_DRIFT = 0.15;
/** Few controls may lie together by chance: of how far they lie apart, at least this share counts as drift. */
const LEAST_DRIFT_SHARE = 0.5;
const NO_INTERVALS: ReadonlyMap<number, number> = new Map();
/** Variance of a median over that of a mean, normal case (π/2). */
const MEDIAN_PENALTY = Math.PI / 2;

export interface Pair {
  before: WorkloadQuery;
  after: WorkloadQuery;
  /** What it did in each interval; empty: the window was not cut. */
  samples_before: Sample[];
  samples_after: Sample[];
  lengths_before: Pick<Series, 'seconds' | 'interval_seconds'>;
  lengths_after: Pick<Series, 'seconds' | 'interval_seconds'>;
}

export interface Shift {
  /** Median of after/before over the controls; 1 where there are too few. */
  factor: number;
  /** Variance of ln(factor). */
  log_variance: number;
  /**
   * Variance of what a single statement drifts by itself between the windows, as a logarithm: how far the controls lie
   * apart beyond their own noise. Without controls it is assumed.
   */
  drift_variance: number;
  /** Statements that it rests on; 0: none used. */
  controls: number;
  /** What all of them did together in single intervals, against their own means of that side; 1 where it is not listed. */
  intervals_before: ReadonlyMap<number, number>;
  intervals_after: ReadonlyMap<number, number>;
}

/** Shared blocks that each call asks for, found in the cache or read. */
export const blocksPerCall = (query: WorkloadQuery): number =>
  (query.shared_blks_hit + query.shared_blks_read) / query.calls;

function summaryOf(query: WorkloadQuery): { n: number; mean: number; stddev: number } {
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
  if (usable.length < MIN_CONTROLS) {
    return {
      factor: 1,
      log_variance: 0,
      drift_variance: ASSUMED_DRIFT ** 2,
      controls: 0,
      intervals_before: NO_INTERVALS,
      intervals_after: NO_INTERVALS,
    };
  }
  const logs = usable.map(({ before, after }) =>
    Math.log(after.mean_exec_time_ms / before.mean_exec_time_ms),
  );
  const noise = usable.map(({ before, after }) => relativeVariance(before) + relativeVariance(after));
  const mean = average(logs);
  const apart = logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (logs.length - 1);
  const noiseOfOne = average(noise);
  return {
    factor: Math.exp(median(logs)),
    log_variance: (MEDIAN_PENALTY * Math.max(noiseOfOne, apart)) / logs.length,
    drift_variance: Math.max(apart - noiseOfOne, LEAST_DRIFT_SHARE * apart),
    controls: usable.length,
    intervals_before: together(
      usable.map(({ samples_before: samples, before }) => ({ samples, mean: before })),
    ),
    intervals_after: together(usable.map(({ samples_after: samples, after }) => ({ samples, mean: after }))),
  };
}

/** Of each interval in which enough controls ran: the median of what they took, as a ratio to their own means. */
function together(
  controls: readonly { samples: readonly Sample[]; mean: WorkloadQuery }[],
): ReadonlyMap<number, number> {
  const ratios = new Map<number, number[]>();
  for (const { samples, mean } of controls) {
    for (const { interval, mean_ms } of samples) {
      const here = ratios.get(interval) ?? [];
      here.push(mean_ms / mean.mean_exec_time_ms);
      ratios.set(interval, here);
    }
  }
  const factors = new Map<number, number>();
  for (const [interval, here] of ratios) {
    const factor = median(here);
    if (here.length >= MIN_CONTROLS && factor > 0) factors.set(interval, factor);
  }
  return factors;
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
