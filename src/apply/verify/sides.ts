/** How sure the means of both sides are: each is taken to vary as it shows itself, and as the other side does. */
import type { WorkloadQuery } from '../../domain/index.ts';
import { type Sample, type Series, varianceAsOf, varianceBetween } from './series.ts';
import type { Pair } from './shift.ts';
import type { VarianceOfMean } from './welch.ts';

/** Parts that add up to the variance of a mean. */
type Parts = VarianceOfMean[];
type Together = ReadonlyMap<number, number>;
const NOTHING: Together = new Map();

export const totalOf = (parts: Parts): number => parts.reduce((sum, { variance }) => sum + variance, 0);

const largest = (choices: readonly Parts[]): Parts =>
  choices.reduce((worst, parts) => (totalOf(parts) > totalOf(worst) ? parts : worst));

/** Variance of single calls in relation to the square of their mean, unbiased. */
const spreadOf = ({ stddev_exec_time_ms, mean_exec_time_ms, calls }: WorkloadQuery): number =>
  ((stddev_exec_time_ms / mean_exec_time_ms) ** 2 * calls) / (calls - 1);

/**
 * By single calls: few of them rarely show the long tail that the many of the other side do, so that the wider of both
 * spreads counts for either.
 */
export function ofCalls(own: WorkloadQuery, other: WorkloadQuery): VarianceOfMean {
  const [itself, others] = [spreadOf(own), spreadOf(other)];
  return {
    variance: (own.mean_exec_time_ms ** 2 * Math.max(itself, others)) / own.calls,
    degrees: (itself >= others ? own.calls : other.calls) - 1,
  };
}

/** @param together what the controls did in each interval, which is taken out. */
function seriesOf(
  query: WorkloadQuery,
  samples: readonly Sample[],
  lengths: Pick<Series, 'seconds' | 'interval_seconds'>,
  together: Together,
): Series {
  const noise =
    samples.reduce((sum, { calls }) => sum + query.stddev_exec_time_ms ** 2 / calls, 0) / samples.length;
  return {
    ...lengths,
    ...(samples.length > 0 ? { noise } : {}),
    samples: samples.map(({ interval, calls, mean_ms }) => ({
      weight: calls,
      value: mean_ms / (together.get(interval) ?? 1),
    })),
  };
}

/** The largest of what the calls, the own intervals, and the other side's intervals with the own calls say. */
function ofSide(own: Series, other: Series, calls: VarianceOfMean, mean: number): Parts {
  const itself = varianceBetween(own.samples);
  const borrowed = varianceAsOf(other, mean, own.seconds);
  return largest([[calls], ...(itself ? [[itself]] : []), ...(borrowed ? [[borrowed, calls]] : [])]);
}

/**
 * Variances of the means before and after.
 * @param drift of what such a statement does by itself between the windows, as a variance of the logarithm: it counts
 * where it is more than the sides' own histories show. Null: not to be counted.
 */
export function sidesOf(
  pair: Pair,
  drift: VarianceOfMean | null,
  together: { before: Together; after: Together } = { before: NOTHING, after: NOTHING },
): { before: Parts; after: Parts } {
  const { before, after } = pair;
  const series = {
    before: seriesOf(before, pair.samples_before, pair.lengths_before, together.before),
    after: seriesOf(after, pair.samples_after, pair.lengths_after, together.after),
  };
  const calls = { before: ofCalls(before, after), after: ofCalls(after, before) };
  const shown = {
    before: ofSide(series.before, series.after, calls.before, before.mean_exec_time_ms),
    after: ofSide(series.after, series.before, calls.after, after.mean_exec_time_ms),
  };
  if (drift === null) return shown;
  const mean = after.mean_exec_time_ms;
  const drifted: VarianceOfMean = { ...drift, variance: drift.variance * mean ** 2 };
  const asOthers = { before: [calls.before], after: [calls.after, drifted] };
  // In relation to the means: the change may have made one side much smaller.
  const relative = (parts: { before: Parts; after: Parts }) =>
    totalOf(parts.before) / before.mean_exec_time_ms ** 2 + totalOf(parts.after) / mean ** 2;
  return relative(asOthers) > relative(shown) ? asOthers : shown;
}
