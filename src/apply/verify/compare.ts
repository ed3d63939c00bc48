/** Statements before and after, each with what can be said of it. */
import type { MeasuredStatement } from '../../domain/index.ts';
import type { Side } from './judgement.ts';
import { lengthsOf, samplesOf } from './series.ts';
import { blocksPerCall, comparable, type Pair, type Shift } from './shift.ts';
import { sidesOf, totalOf } from './sides.ts';
import { type Standing, standingOf } from './standing-loss.ts';
import { holm, relative, test, type VarianceOfMean } from './welch.ts';
import { ASSUMED, withoutIntervals, workMoved } from './work.ts';

/** The smallest change that matters. */
export const MIN_EFFECT = 0.1;
/** 99 % of a normal distribution lie within this many standard errors. */
const Z_99 = 2.576;

export interface Compared {
  pair: Pair;
  measured: MeasuredStatement;
  /** Mean time won (+) or lost (−) by each call, ms, with the shift taken out. */
  gain_ms: number;
  word: 'faster' | 'slower' | 'same';
  /** More calls could still show an effect that matters. */
  undecided: boolean;
  /** Slower beyond doubt, but not by what is known of the change: as it was becoming before, or only for a while. */
  passing: Exclude<Standing, 'stands'> | null;
  /** The blocks or WAL bytes of each call say the same as its time. */
  corroborated: boolean;
  /** Share of its time that each call may have lost, at 99 %; below 0: it has won for certain. */
  may_have_lost: number;
}

/** Of statements whose loss fades or is too young: no verdict yet, neither for nor against the change. */
export const tooEarly = (statements: number): string =>
  `${statements} statement(s) are slower, but it is too early to tell whether that lasts or fades.`;

/** The statements that both sides know, by query_id. */
export function pairsOf(before: Side, after: Side): Pair[] {
  const earlier = new Map(before.workload.queries.map((query) => [query.query_id, query]));
  return after.workload.queries.flatMap((query) => {
    const found = earlier.get(query.query_id);
    if (!found) return [];
    return [
      {
        before: found,
        after: query,
        samples_before: samplesOf(before, found),
        samples_after: samplesOf(after, query),
        lengths_before: lengthsOf(before),
        lengths_after: lengthsOf(after),
      },
    ];
  });
}

/**
 * Compares one family of statements. Those with too few calls are left out. A statement counts as faster or slower
 * where it is so with what happened to the controls taken out, and also as it was measured: controls may have changed
 * for reasons of their own, which must not be read as the statement's. Only where the blocks or the WAL of each call
 * moved the same way, which the load of a server does not do, is either enough: the second with the p of the work
 * alone where that is larger (an intersection-union test: both have to have moved).
 */
export function compareAll(pairs: readonly Pair[], shift: Shift, maxP: number): Compared[] {
  const tested = pairs.filter(comparable).map((pair) => testPair(pair, shift, maxP));
  const corrected = holm(tested.map((item) => item.decisive_p));
  return tested.map(({ decisive_p: _, log_error, log_gain, effect, ...item }, position) => {
    const p = corrected[position] ?? 1;
    const significant = p < maxP && Math.abs(effect) >= MIN_EFFECT;
    const standing =
      significant && effect < 0 ? standingOf(item.pair, shift, item.corroborated, MIN_EFFECT) : 'stands';
    const passing = standing === 'stands' ? null : standing;
    const word = significant && !passing ? (effect > 0 ? 'faster' : 'slower') : 'same';
    const reach = Z_99 * log_error;
    return {
      ...item,
      word,
      passing,
      undecided: word === 'same' && Math.abs(effect) + reach >= MIN_EFFECT,
      may_have_lost: Math.exp(reach - log_gain) - 1,
    };
  });
}

function testPair(pair: Pair, shift: Shift, maxP: number) {
  const { before, after } = pair;
  const was = before.mean_exec_time_ms;
  const adjusted = after.mean_exec_time_ms / shift.factor;
  const gain = was - adjusted;
  const work = workMoved(pair, gain, MIN_EFFECT);
  const corroborated = work !== null && work.p < maxP;
  const sides = sidesOf(pair, corroborated ? null : driftOf(shift), {
    before: shift.intervals_before,
    after: shift.intervals_after,
  });
  const parts = [
    ...relative(sides.before, was),
    ...relative(sides.after, after.mean_exec_time_ms),
    ...(shift.controls > 0 ? [{ variance: shift.log_variance, degrees: shift.controls - 1 }] : []),
  ];
  const logGain = Math.log(was / adjusted);
  const rawGain = was - after.mean_exec_time_ms;
  const adjustedP = test(logGain, parts);
  const decisive = corroborated
    ? Math.min(adjustedP, Math.max(work.p_alone, asMeasured(pair, gain)))
    : Math.max(adjustedP, test(Math.log(was / after.mean_exec_time_ms), rawParts(pair, shift)));
  const agree = corroborated || Math.sign(gain) === Math.sign(rawGain);
  const smaller = corroborated || Math.abs(gain) < Math.abs(rawGain) ? gain : rawGain;
  const measured: MeasuredStatement = {
    query_id: after.query_id,
    query: after.query,
    calls_before: before.calls,
    calls_after: after.calls,
    mean_ms_before: was,
    mean_ms_after: after.mean_exec_time_ms,
    ratio: after.mean_exec_time_ms / was,
    p_value: decisive,
    blocks_per_call_before: blocksPerCall(before),
    blocks_per_call_after: blocksPerCall(after),
    wal_bytes_per_call_before: before.wal_bytes / before.calls,
    wal_bytes_per_call_after: after.wal_bytes / after.calls,
    intervals_before: pair.samples_before.length,
    intervals_after: pair.samples_after.length,
  };
  return {
    pair,
    measured,
    gain_ms: gain,
    corroborated,
    effect: agree ? smaller / was : 0,
    decisive_p: decisive,
    log_gain: logGain,
    log_error: Math.sqrt(totalOf(parts)),
  };
}

/** As measured, with whatever the load did: without intervals nobody knows how much that is, and it is assumed. */
function rawParts(pair: Pair, shift: Shift): VarianceOfMean[] {
  const { before, after } = pair;
  const sides = sidesOf(pair, driftOf(shift));
  return [
    ...relative(sides.before, before.mean_exec_time_ms),
    ...relative(sides.after, after.mean_exec_time_ms),
    ...(withoutIntervals(pair) && shift.controls > 0 ? [ASSUMED] : []),
  ];
}

/**
 * Of a statement whose work tells that load did not do it: p that its time, as measured, did not move the same way, by a
 * tenth at least. No control has a part in it, so that few which lie far apart cannot hide a change of a thousandfold.
 */
function asMeasured(pair: Pair, gain: number): number {
  const { before, after } = pair;
  const [was, is] = [before.mean_exec_time_ms, after.mean_exec_time_ms];
  if (Math.sign(was - is) !== Math.sign(gain) || Math.abs(was - is) / was < MIN_EFFECT) return 1;
  const sides = sidesOf(pair, null);
  return test(Math.log(was / is), [
    ...relative(sides.before, was),
    ...relative(sides.after, is),
    ...(withoutIntervals(pair) ? [ASSUMED] : []),
  ]);
}

/** Assumed, where there are no controls. */
const driftOf = (shift: Shift): VarianceOfMean => ({
  variance: shift.drift_variance,
  degrees: shift.controls > 0 ? shift.controls - 1 : Number.POSITIVE_INFINITY,
});
