/**
 * Does a loss stand? Data that grow make statements slower from day to day, and caches and plans that warm up make them
 * slower for a while: neither is what the change did. A loss counts where it begins with the change and lasts.
 */
import { MIN_INTERVALS, type Sample } from './series.ts';
import { blocksPerCall, type Pair, type Shift } from './shift.ts';

/** Intervals of the window after whose mean must show the loss as well: its last third. */
const LAST_SHARE = 1 / 3;
/** Of the loss of the whole window after, this much must be left in its last third. */
const LEAST_LEFT = 0.75;
/** Caches and plans take up to some hours to be warm: before, a loss by time alone is not told, s. */
const WARM_AFTER_SECONDS = 4 * 3_600;
/** What is slower for a table's large part may take a day to be warm. */
const DAY_SECONDS = 24 * 3_600;

/** `grew`: what came before goes on. `fades`: less of it towards the end, or too early to tell. */
export type Standing = 'stands' | 'grew' | 'fades';

interface Point {
  /** Seconds from the change. */
  at: number;
  log: number;
}

type Pick = (sample: Sample) => number;

function pointsOf(pair: Pair, pick: Pick, shift: Shift | null): { before: Point[]; after: Point[] } {
  const of = (
    samples: readonly Sample[],
    start: number,
    length: number,
    together?: ReadonlyMap<number, number>,
  ) =>
    samples.flatMap((sample) => {
      const value = pick(sample) / (together?.get(sample.interval) ?? 1);
      return value > 0 ? [{ at: start + (sample.interval + 0.5) * length, log: Math.log(value) }] : [];
    });
  const { lengths_before: was, lengths_after: is } = pair;
  return {
    before: of(pair.samples_before, -was.seconds, was.interval_seconds, shift?.intervals_before),
    after: of(pair.samples_after, 0, is.interval_seconds, shift?.intervals_after),
  };
}

/** Of a side's points: their means, and sums of squares and products about them. */
function lineOf(points: readonly Point[]) {
  const mean = (of: (point: Point) => number) =>
    points.reduce((sum, one) => sum + of(one), 0) / points.length;
  const [at, log] = [mean((one) => one.at), mean((one) => one.log)];
  return {
    at,
    log,
    squares: points.reduce((sum, one) => sum + (one.at - at) ** 2, 0),
    products: points.reduce((sum, one) => sum + (one.at - at) * (one.log - log), 0),
  };
}

/**
 * The step at the change by segmented regression (Wagner et al., J. Clin. Pharm. Ther. 27, 2002): least squares of
 * ln y = a + b·t + c·[t > 0], with `slopes` 2 also + d·t·[t > 0], for growth that slows; c. Null with fewer than four
 * intervals on a side: no trend is known.
 */
export function stepAtChange(
  before: readonly Point[],
  after: readonly Point[],
  slopes: 1 | 2,
): number | null {
  if (before.length < MIN_INTERVALS || after.length < MIN_INTERVALS) return null;
  const [was, is] = [lineOf(before), lineOf(after)];
  // A constant on either side takes its mean out: the common slope is that within the sides.
  const common = (was.products + is.products) / (was.squares + is.squares);
  const [first, second] =
    slopes === 1 ? [common, common] : [was.products / was.squares, is.products / is.squares];
  return is.log - second * is.at - (was.log - first * was.at);
}

/** Of the work of each call, blocks or WAL, which hardly varies where the plan stays: by either regression. */
export function workSteps(pair: Pair, pick: Pick, least: number): boolean {
  const { before, after } = pointsOf(pair, pick, null);
  return ([1, 2] as const).every((slopes) => {
    const step = stepAtChange(before, after, slopes);
    return step === null || step >= Math.log1p(least);
  });
}

/** What the controls did is taken out. */
function timeSteps(pair: Pair, shift: Shift, least: number): boolean {
  const { before, after } = pointsOf(pair, (sample) => sample.mean_ms, shift);
  const step = stepAtChange(before, after, 1);
  return step === null || step - everybodyLost(shift) >= Math.log1p(least);
}

/** What each call works more, though not by a step: so much longer may it take. As a logarithm. */
function workGrown({ before, after }: Pair): number {
  const [was, is] = [blocksPerCall(before), blocksPerCall(after)];
  return was > 0 && is > 0 ? Math.max(0, Math.log(is / was)) : 0;
}

/** As a logarithm. That the controls won something does not make a loss larger. */
const everybodyLost = ({ factor }: Shift): number => Math.max(0, Math.log(factor));

/**
 * @param least the smallest loss that matters, as a share.
 * @param corroborated blocks or WAL of each call stepped as its time did: the plan is another one, and that does not fade.
 */
export function standingOf(pair: Pair, shift: Shift, corroborated: boolean, least: number): Standing {
  if (!timeSteps(pair, shift, least)) return 'grew';
  if (corroborated) return 'stands';
  const lost = Math.log(pair.after.mean_exec_time_ms / pair.before.mean_exec_time_ms) - everybodyLost(shift);
  if (lost - workGrown(pair) < Math.log1p(least)) return 'grew';
  return lasts(pair, shift, least) ? 'stands' : 'fades';
}

/**
 * The last third of the window after must show the loss by itself, and so must what comes of it where it goes on falling
 * as it did, in a straight line (an exponential falls less), for as long again or to the age of a day.
 */
function lasts(pair: Pair, shift: Shift, least: number): boolean {
  const { seconds } = pair.lengths_after;
  if (seconds < WARM_AFTER_SECONDS) return false;
  const { before, after } = pointsOf(pair, (sample) => sample.mean_ms, shift);
  if (before.length < MIN_INTERVALS || after.length < MIN_INTERVALS) return true;
  const mean = (points: readonly Point[]) => points.reduce((sum, { log }) => sum + log, 0) / points.length;
  const last = after.filter(({ at }) => at >= seconds * (1 - LAST_SHARE));
  if (last.length === 0) return false;
  const was = mean(before) + everybodyLost(shift);
  const left = mean(last) - was;
  const { squares, products } = lineOf(after);
  const later = left + Math.min(0, products / squares) * Math.max(seconds, DAY_SECONDS - seconds);
  return later >= Math.log1p(least) && left >= LEAST_LEFT * (mean(after) - was);
}
