/** What a setting or a storage parameter is to move, before and after: a series of shares or rates, or a count. */
import { amountWords, bytesWords, type Verdict } from '../../domain/index.ts';
import { MIN_EFFECT } from './compare.ts';
import { MIN_INTERVALS, type Series, varianceBetween, varianceWith } from './series.ts';
import { regularisedIncompleteBeta, welch } from './welch.ts';

export interface OwnMeasure {
  name: string;
  unit: string;
  /** Of what it is a share. Absent: it is none. */
  of?: string;
  source: string;
  /** Means of the sides; null: not seen. */
  before: number | null;
  after: number | null;
  /** Two-sided; null: it could not be tested. */
  p: number | null;
  /** `unknown`: not enough was seen to say. `none`: there was nothing of it before, and there is none now. */
  word: 'better' | 'worse' | 'same' | 'unknown' | 'none';
}

/** Events, what they are counted over, and the same interval by interval. */
export interface Counted {
  count: number;
  exposure: number;
  rates: Series;
}

interface Naming {
  name: string;
  unit: string;
  /** Of what it is a share, where it is one: `of all rows`. */
  of?: string;
  /** View and columns that it is read from. */
  source: string;
  better: 'lower' | 'higher';
}

/** Interval by interval, each of the same weight, by Welch's test; each side varies as it shows and as the other does. */
export function compareSeries(naming: Naming, before: Series, after: Series, maxP: number): OwnMeasure {
  const [was, is] = [meanOf(before), meanOf(after)];
  if (was === null || is === null) return measure(naming, was, is, null, maxP, 'unknown');
  const p = testSeries(before, after, was, is);
  return p === null ? measure(naming, was, is, null, maxP, 'unknown') : measure(naming, was, is, p, maxP);
}

/** Null: too few intervals. */
function testSeries(before: Series, after: Series, was: number, is: number): number | null {
  const [first, second] = [varianceWith(before, after, was), varianceWith(after, before, is)];
  // A side that is zero throughout says nothing of how the other varies, and is as sure as it shows.
  const parts = [first ?? varianceBetween(before.samples), second ?? varianceBetween(after.samples)];
  const [a, b] = parts;
  if (!a || !b) return null;
  return welch(was - is, [a, b]) ?? (was === is ? 1 : 0);
}

/**
 * Counts of rare events by their exposure (hours, bytes of WAL): given how many there were in all, those after are
 * binomial with the exposure's share where nothing has changed (the conditional test of two Poisson rates; Przyborowski &
 * Wilenski, Biometrika 31, 1940). Two-sided by twice the smaller tail. Events that come in bursts are no Poisson
 * process: where there are intervals, their rates must differ as well, by Welch's test.
 */
export function compareCounts(naming: Naming, before: Counted, after: Counted, maxP: number): OwnMeasure {
  if (!(before.exposure > 0) || !(after.exposure > 0)) {
    return measure(naming, null, null, null, maxP, 'unknown');
  }
  const [was, is] = [before.count / before.exposure, after.count / after.exposure];
  const all = before.count + after.count;
  if (all === 0) return measure(naming, was, is, null, maxP, 'none');
  const share = after.exposure / (before.exposure + after.exposure);
  // P(X ≤ c) = I_{1−p}(n−c, c+1) (Abramowitz & Stegun 26.5.24).
  const atMost = (c: number) =>
    c < 0 ? 0 : c >= all ? 1 : regularisedIncompleteBeta(1 - share, all - c, c + 1);
  const ofCounts = Math.min(1, 2 * Math.min(atMost(after.count), 1 - atMost(after.count - 1)));
  const [ratesBefore, ratesAfter] = [meanOf(before.rates), meanOf(after.rates)];
  const ofRates =
    ratesBefore === null || ratesAfter === null
      ? null
      : testSeries(before.rates, after.rates, ratesBefore, ratesAfter);
  return measure(naming, was, is, Math.max(ofCounts, ofRates ?? 0), maxP);
}

function measure(
  { better, ...naming }: Naming,
  before: number | null,
  after: number | null,
  p: number | null,
  maxP: number,
  given?: OwnMeasure['word'],
): OwnMeasure {
  const found = { ...naming, before, after, p };
  if (given) return { ...found, word: given };
  if (before === null || after === null || p === null) return { ...found, word: 'unknown' };
  if (before === 0 && after === 0) return { ...found, word: 'none' };
  const moved = before === 0 ? 1 : Math.abs(after - before) / before;
  if (p >= maxP || moved < MIN_EFFECT) return { ...found, word: 'same' };
  return { ...found, word: after < before === (better === 'lower') ? 'better' : 'worse' };
}

export function asVerdictMeasure({
  name,
  before,
  after,
  unit,
  of,
  source,
  p,
}: OwnMeasure): Verdict['measures'][number] {
  return { name: of === undefined ? name : `${name}, ${of}`, before, after, unit, source, p_value: p };
}

/** In words, with its numbers, their unit and where they were read. */
export function inWords({ name, before, after, unit, of, source, p, word }: OwnMeasure): string {
  const number = (value: number | null) => {
    if (value === null) return 'unknown';
    if (unit === 'share')
      return `${Number((100 * value).toPrecision(2))} %${of === undefined ? '' : ` ${of}`}`;
    if (unit === 'bytes per call') return `${bytesWords(value)} per call`;
    return `${amountWords(value)} ${unit}`;
  };
  switch (word) {
    case 'unknown':
      return `Whether it moved ${name} cannot be told yet: ${MIN_INTERVALS} intervals of both windows are needed (${source}).`;
    case 'none':
      return `There were no ${name} before and there are none now, so that there was nothing to gain (${source}).`;
    default: {
      const change = { better: 'better', worse: 'worse', same: 'no change of a tenth beyond doubt' }[word];
      return `The ${name}: ${number(before)} before, ${number(after)} after, ${change} (p = ${p === null ? 'unknown' : Number(p.toPrecision(2))}; ${source}).`;
    }
  }
}

function meanOf({ samples }: Series): number | null {
  return samples.length === 0 ? null : samples.reduce((sum, { value }) => sum + value, 0) / samples.length;
}
