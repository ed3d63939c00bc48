/** Statements before and after, each with what can be said of it. */
import type { MeasuredStatement, Workload } from '../../domain/index.ts';
import { comparable, type Pair, type Shift, summaryOf } from './shift.ts';
import { holm, varianceOfMean, welch } from './welch.ts';

/** Significance after Holm's correction, and the smallest change that matters. */
export const MAX_P = 0.01;
export const MIN_EFFECT = 0.1;
/** 99 % of a normal distribution lie within this many standard errors. */
const Z_99 = 2.576;

export interface Compared {
  pair: Pair;
  measured: MeasuredStatement;
  /** Mean after, with the shift taken out, ms. */
  adjusted_mean_ms: number;
  /** Mean time won (+) or lost (−) by each call, ms. */
  gain_ms: number;
  word: 'faster' | 'slower' | 'same';
  /** More calls could still show an effect that matters. */
  undecided: boolean;
}

/** The statements that both workloads know, by query_id. */
export function pairsOf(before: Workload, after: Workload): Pair[] {
  const earlier = new Map(before.queries.map((query) => [query.query_id, query]));
  return after.queries.flatMap((query) => {
    const found = earlier.get(query.query_id);
    return found ? [{ before: found, after: query }] : [];
  });
}

/**
 * Compares one family of statements. The time after is divided by the shift; the shift's own uncertainty counts in
 * the test. Those with too few calls are left out.
 */
export function compareAll(pairs: readonly Pair[], shift: Shift): Compared[] {
  const tested = pairs.filter(comparable).map((pair) => testPair(pair, shift));
  const corrected = holm(tested.map((item) => item.decisive_p));
  return tested.map(({ decisive_p: _, standard_error, ...item }, position) => {
    const before = item.pair.before.mean_exec_time_ms;
    const effect = item.gain_ms / before;
    const p = corrected[position] ?? 1;
    const significant = p < MAX_P && Math.abs(effect) >= MIN_EFFECT;
    const word = significant ? (effect > 0 ? 'faster' : 'slower') : 'same';
    const reach = (Z_99 * standard_error) / before;
    return { ...item, word, undecided: word === 'same' && Math.abs(effect) + reach >= MIN_EFFECT };
  });
}

function testPair(pair: Pair, shift: Shift) {
  const { before, after } = pair;
  const adjusted = after.mean_exec_time_ms / shift.factor;
  const gain = before.mean_exec_time_ms - adjusted;
  const ofBefore = varianceOfMean(summaryOf(before));
  const ofAfter = varianceOfMean(summaryOf(after));
  const parts = [ofBefore, { ...ofAfter, variance: ofAfter.variance / shift.factor ** 2 }];
  if (shift.controls > 0) {
    // First-order: var(m/f) gains m²/f² · var(ln f).
    parts.push({ variance: adjusted ** 2 * shift.log_variance, degrees: shift.controls - 1 });
  }
  const p = welch(gain, parts);
  const measured: MeasuredStatement = {
    query_id: after.query_id,
    query: after.query,
    calls_before: before.calls,
    calls_after: after.calls,
    mean_ms_before: before.mean_exec_time_ms,
    mean_ms_after: after.mean_exec_time_ms,
    ratio: after.mean_exec_time_ms / before.mean_exec_time_ms,
    p_value: p,
  };
  return {
    pair,
    measured,
    adjusted_mean_ms: adjusted,
    gain_ms: gain,
    // No variance at all on either side: the means are exact, and differ or do not.
    decisive_p: p ?? (gain === 0 ? 1 : 0),
    standard_error: Math.sqrt(parts.reduce((sum, part) => sum + part.variance, 0)),
  };
}
