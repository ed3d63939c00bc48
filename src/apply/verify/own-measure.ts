/** What a setting or a storage parameter is to move, before and after: a series of shares or rates, or a count. */
import type { Verdict } from '../../domain/index.ts';
import { MAX_P, MIN_EFFECT } from './compare.ts';
import { MIN_INTERVALS, varianceBetween } from './series.ts';
import { regularisedIncompleteBeta, welch } from './welch.ts';

export interface OwnMeasure {
  name: string;
  unit: string;
  /** Means of the sides; null: not seen. */
  before: number | null;
  after: number | null;
  /** Two-sided; null: it could not be tested. */
  p: number | null;
  /** `unknown`: not enough was seen to say. `none`: there was nothing of it before, and there is none now. */
  word: 'better' | 'worse' | 'same' | 'unknown' | 'none';
}

interface Naming {
  name: string;
  unit: string;
  better: 'lower' | 'higher';
}

/** Interval by interval, each of the same weight, by Welch's test with variances of batch means. */
export function compareSeries(
  naming: Naming,
  before: readonly number[],
  after: readonly number[],
): OwnMeasure {
  const [was, is] = [meanOf(before), meanOf(after)];
  const variances = [before, after].map((series) =>
    varianceBetween(series.map((value) => ({ weight: 1, value }))),
  );
  const [first, second] = variances;
  if (was === null || is === null || !first || !second) {
    return measure(naming, was, is, null, 'unknown');
  }
  const p = welch(was - is, [first, second]) ?? (was === is ? 1 : 0);
  return measure(naming, was, is, p);
}

/**
 * Counts of rare events by their exposure (hours, bytes of WAL): given how many there were in all, those after are
 * binomial with the exposure's share where nothing has changed (the conditional test of two Poisson rates; Przyborowski &
 * Wilenski, Biometrika 31, 1940). Two-sided by twice the smaller tail.
 */
export function compareCounts(
  naming: Naming,
  before: { count: number; exposure: number },
  after: { count: number; exposure: number },
): OwnMeasure {
  if (!(before.exposure > 0) || !(after.exposure > 0)) return measure(naming, null, null, null, 'unknown');
  const [was, is] = [before.count / before.exposure, after.count / after.exposure];
  const all = before.count + after.count;
  if (all === 0) return measure(naming, was, is, null, 'none');
  const share = after.exposure / (before.exposure + after.exposure);
  // P(X ≤ c) = I_{1−p}(n−c, c+1) (Abramowitz & Stegun 26.5.24).
  const atMost = (c: number) =>
    c < 0 ? 0 : c >= all ? 1 : regularisedIncompleteBeta(1 - share, all - c, c + 1);
  const p = Math.min(1, 2 * Math.min(atMost(after.count), 1 - atMost(after.count - 1)));
  return measure(naming, was, is, p);
}

function measure(
  { name, unit, better }: Naming,
  before: number | null,
  after: number | null,
  p: number | null,
  given?: OwnMeasure['word'],
): OwnMeasure {
  const found = { name, unit, before, after, p };
  if (given) return { ...found, word: given };
  if (before === null || after === null || p === null) return { ...found, word: 'unknown' };
  if (before === 0 && after === 0) return { ...found, word: 'none' };
  const moved = before === 0 ? 1 : Math.abs(after - before) / before;
  if (p >= MAX_P || moved < MIN_EFFECT) return { ...found, word: 'same' };
  return { ...found, word: after < before === (better === 'lower') ? 'better' : 'worse' };
}

export function asVerdictMeasure({ name, before, after, unit, p }: OwnMeasure): Verdict['measures'][number] {
  return { name, before, after, unit, p_value: p };
}

/** In words, with its numbers. */
export function inWords({ name, before, after, unit, p, word }: OwnMeasure): string {
  const number = (value: number | null) => (value === null ? '?' : Number(value.toPrecision(3)).toString());
  switch (word) {
    case 'unknown':
      return `${name} cannot be compared yet (${MIN_INTERVALS} intervals of both windows are needed).`;
    case 'none':
      return `${name} was none before and is none now: there was nothing to gain.`;
    default:
      return `${name}: ${number(before)} before, ${number(after)} after (${unit}; p = ${number(p)}).`;
  }
}

function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
