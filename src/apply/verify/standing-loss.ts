/**
 * Does a loss stand? Data that grow make statements slower from day to day, and caches and plans that warm up make them
 * slower for a while: neither is what the change did. A loss counts where it begins with the change and lasts.
 */
import { MIN_INTERVALS, type Sample } from './series.ts';
import type { Pair, Shift } from './shift.ts';

/** Intervals of the window after whose mean must show the loss as well: its last third. */
const LAST_SHARE = 1 / 3;
/** Of the loss of the whole window after, this much must be left in its last third. */
const LEAST_LEFT = 0.75;
/** Caches and plans take up to some hours to be warm: before, a loss by time alone is not told, s. */
const WARM_AFTER_SECONDS = 4 * 3_600;

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

/**
 * The step at the change by segmented regression with one slope for both sides (Wagner et al., J. Clin. Pharm. Ther. 27,
 * 2002): ln y = a + b·t + c·[t > 0], least squares; c. Null with fewer than four intervals on a side: no trend is known.
 */
export function stepAtChange(before: readonly Point[], after: readonly Point[]): number | null {
  if (before.length < MIN_INTERVALS || after.length < MIN_INTERVALS) return null;
  const sides = [before, after].map((points) => {
    const mean = (of: (point: Point) => number) =>
      points.reduce((sum, one) => sum + of(one), 0) / points.length;
    const [at, log] = [mean((one) => one.at), mean((one) => one.log)];
    return {
      at,
      log,
      squares: points.reduce((sum, one) => sum + (one.at - at) ** 2, 0),
      products: points.reduce((sum, one) => sum + (one.at - at) * (one.log - log), 0),
    };
  });
  const [was, is] = sides as [(typeof sides)[0], (typeof sides)[0]];
  // A constant on either side takes its mean out: the common slope is that within the sides.
  const slope = (was.products + is.products) / (was.squares + is.squares);
  return is.log - was.log - slope * (is.at - was.at);
}

/**
 * @param least the smallest loss that matters, as a share.
 * @param shift what the controls did is taken out of the intervals; null: of blocks, which load does not move.
 */
export function beginsWithChange(pair: Pair, pick: Pick, shift: Shift | null, least: number): boolean {
  const { before, after } = pointsOf(pair, pick, shift);
  const step = stepAtChange(before, after);
  return step === null || step - (shift ? everybodyLost(shift) : 0) >= Math.log1p(least);
}

/** As a logarithm. That the controls won something does not make a loss larger. */
const everybodyLost = ({ factor }: Shift): number => Math.max(0, Math.log(factor));

/** Of time alone; where blocks or WAL say the same as the time, the plan is another one, and that does not fade. */
export function standingOf(pair: Pair, shift: Shift, corroborated: boolean, least: number): Standing {
  if (!beginsWithChange(pair, (sample) => sample.mean_ms, shift, least)) return 'grew';
  return corroborated || lasts(pair, shift, least) ? 'stands' : 'fades';
}

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
  return left >= Math.log1p(least) && left >= LEAST_LEFT * (mean(after) - was);
}
