/** The work of each call, in blocks or bytes of WAL: a server's load does not change it, another plan does. */
import { MIN_INTERVALS, type Sample, type Series, varianceWith } from './series.ts';
import { ASSUMED_DRIFT, blocksPerCall, type Pair } from './shift.ts';
import { ofCalls } from './sides.ts';
import { workSteps } from './standing-loss.ts';
import { relative, test, type VarianceOfMean } from './welch.ts';

/** Of a logarithm; nothing was estimated. */
export const ASSUMED: VarianceOfMean = {
  variance: ASSUMED_DRIFT ** 2,
  degrees: Number.POSITIVE_INFINITY,
};

/** Does either side lack the intervals that would show how a mean varies by itself? */
export const withoutIntervals = ({ samples_before, samples_after }: Pair): boolean =>
  Math.min(samples_before.length, samples_after.length) < MIN_INTERVALS;

/**
 * By the work alone, without anybody beside it who tells what else happened: parameters, a deploy or growing data change
 * it, too, in a window as well as in the next. No counter shows how much, so it is what the simulated servers do at most
 * (`bench/verification`: steps of e^0.5, a factor of 1.65, either way): there, false verdicts are counted, and are as
 * many with a factor of 1.25 and with one of 2 (docs/verification.md).
 */
const ALONE: VarianceOfMean = { variance: 0.5 ** 2, degrees: Number.POSITIVE_INFINITY };

/** Two-sided p that the work of each call did not move at all. */
export interface WorkMoved {
  /** Beside other statements that tell what else happened. */
  p: number;
  /** By itself. */
  p_alone: number;
}

/**
 * Did the work of each call move in the direction of `gain`, by `least` at least? Null: it did not move so, or not by a
 * step where it grew.
 *
 * Where both sides have intervals, they show how much it varies. Without them nobody knows how it drifts, which is
 * assumed; and pg_stat_statements has no spread of single calls' blocks, but one of their times: a call of a hundred
 * times the blocks takes a hundred times as long, so that one heavy call among light ones is not taken for all of them.
 * @param gain above 0: each call takes less time than before.
 * @param least as a share.
 */
export function workMoved(pair: Pair, gain: number, least: number): WorkMoved | null {
  const { before, after, samples_before, samples_after } = pair;
  const moved = (was: number, is: number, pick: (sample: Sample) => number): WorkMoved | null => {
    if (!(was > 0 && is > 0) || Math.sign(was - is) !== Math.sign(gain)) return null;
    if (Math.abs(was - is) / was < least) return null;
    if (is > was && !workSteps(pair, pick, least)) return null;
    const series = (samples: readonly Sample[], lengths: Pair['lengths_before']): Series => ({
      ...lengths,
      samples: samples.map((sample) => ({ weight: sample.calls, value: pick(sample) })),
    });
    const [earlier, later] = [
      series(samples_before, pair.lengths_before),
      series(samples_after, pair.lengths_after),
    ];
    const [first, second] = [varianceWith(earlier, later, was), varianceWith(later, earlier, is)];
    const orders = Math.max(spreadOverOrders(earlier), spreadOverOrders(later));
    const parts =
      first && second
        ? [...relative([first], was), ...relative([second], is)].map(({ variance, degrees }) => ({
            variance: variance * orders,
            degrees,
          }))
        : [
            ...relative([ofCalls(before, after)], before.mean_exec_time_ms),
            ...relative([ofCalls(after, before)], after.mean_exec_time_ms),
            ASSUMED,
          ];
    const difference = Math.log(was / is);
    return { p: test(difference, parts), p_alone: test(difference, [...parts, ALONE]) };
  };
  const blocks = moved(blocksPerCall(before), blocksPerCall(after), (sample) => sample.blocks_per_call);
  if (before.class === 'select') return blocks;
  const bytes = (query: Pair['before']) => query.wal_bytes / query.calls;
  const wal = moved(bytes(before), bytes(after), (sample) => sample.wal_bytes_per_call);
  return blocks && wal ? (blocks.p < wal.p ? blocks : wal) : (blocks ?? wal);
}

/**
 * Variance of the intervals' logarithms over that in relation to their mean, 1 at least: about the same where a series
 * varies by parts of itself, many times as much where it swings between orders of magnitude, of which the mean and its
 * first-order error say little.
 */
function spreadOverOrders({ samples }: Series): number {
  if (samples.length < MIN_INTERVALS) return 1;
  const variance = (values: readonly number[]) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return { mean, of: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) };
  };
  const plain = variance(samples.map(({ value }) => value));
  if (plain.of === 0) return 1;
  // Nothing at all counts as one block or byte.
  const logs = variance(samples.map(({ value }) => Math.log(Math.max(1, value))));
  return Math.max(1, logs.of / (plain.of / plain.mean ** 2));
}
