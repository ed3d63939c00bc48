/**
 * What the list of most common values tells of all others. ANALYZE lists the values that stand in its sample so much
 * more often than the average that chance does not explain it (analyze_mcv_list() of analyze.c), the most common ones
 * first. How many are listed near the list's end is how many values there are of that frequency: none where all values
 * are about alike, a full list where a few are common and most are rare.
 */

/** ANALYZE's sample of a column, nulls apart. */
export interface ColumnSample {
  /** Rows in it. */
  sampled: number;
  /** Sampled rows ÷ rows of the column. */
  fraction: number;
  /** pg_stats.n_distinct as a count. */
  estimate: number;
  /** How often each listed value stands in the sample, the most common one first. */
  counts: readonly number[];
  /** Values that are listed at most: the column's statistics target. */
  target: number;
}

/** The sample without the common values whose number says nothing of the others. */
export interface SampleTail {
  sample: ColumnSample;
  /** Values that stand in the sample as often are listed, all of them. */
  listed_from: number;
  /** Values are counted up to this: what is far more common may be of another kind (a default, a handful of states). */
  counted_to: number;
  /** Counts between the two. */
  seen: readonly number[];
  /** Sampled rows of values that stand there less often. */
  rows: number;
  /** Listed values above `listed_from`. */
  head: number;
}

/** Counts up to so many times the least listed one are compared with what groups of some sizes would show. */
const WINDOW = 4;

/** The least count that is listed: significantly above the average of what is not (analyze_mcv_list()). */
function leastListed({ sampled, fraction, estimate, counts }: ColumnSample): number {
  const listed = counts.reduce((sum, each) => sum + each, 0);
  const average = Math.max(0, sampled - listed) / Math.max(1, estimate - counts.length);
  let count = 2;
  while (count <= average + 0.5 + 2 * Math.sqrt(count * (1 - count / sampled) * (1 - fraction))) count += 1;
  return count;
}

/** Null: the whole table was sampled, so that nothing is left to be told. */
export function sampleTail(sample: ColumnSample): SampleTail | null {
  const { counts, target, sampled, fraction } = sample;
  if (sampled < 2 || fraction >= 1 || leastListed(sample) >= sampled) return null;
  const isFull = counts.length >= target;
  // Of a full list the last count may have been cut off in the midst of its values.
  const from = isFull ? (counts.at(-1) ?? 0) + 1 : leastListed(sample);
  const head = counts.filter((count) => count >= from);
  const to = WINDOW * from;
  return {
    sample,
    listed_from: from,
    counted_to: to,
    seen: head.filter((count) => count <= to),
    rows: Math.max(1, sampled - head.reduce((sum, each) => sum + each, 0)),
    head: head.length,
  };
}

/** What values with an expected number of rows show in the sample, by that number. */
export interface RateGrid {
  /** Expected rows of a value: from hardly ever any to the most that could be unlisted. */
  rates: Float64Array;
  /** Chance to be seen once. */
  once: Float64Array;
  /** Chance to be seen, and expected sampled rows, if it is seen less often than what is listed. */
  unlisted: Float64Array;
  unlisted_rows: Float64Array;
  /** Chance to be among those that are counted, and of each count from `listed_from` on. */
  counted: Float64Array;
  of_count: Float64Array[];
}

/** Rates are this far apart. */
export const RATE_STEP = Math.SQRT2;
/** Values of this rate have one row where they have any. */
export const RAREST = 0.03;

/** Sampled rows of a value of a rate are Poisson distributed. */
export function rateGrid({ sample: { fraction }, listed_from: from, counted_to: to }: SampleTail): RateGrid {
  const highest = Math.max(100, (2 * to) / fraction);
  const size = Math.ceil(Math.log(highest / RAREST) / Math.log(RATE_STEP));
  const empty = () => new Float64Array(size);
  const grid: RateGrid = {
    rates: empty(),
    once: empty(),
    unlisted: empty(),
    unlisted_rows: empty(),
    counted: empty(),
    of_count: Array.from({ length: to - from + 1 }, empty),
  };
  for (let at = 0; at < size; at += 1) {
    const rate = RAREST * RATE_STEP ** at;
    grid.rates[at] = rate;
    let chance = Math.exp(-rate * fraction);
    for (let count = 1; count <= to; count += 1) {
      chance *= (rate * fraction) / count;
      if (count === 1) grid.once[at] = chance;
      if (count < from) {
        grid.unlisted[at] = (grid.unlisted[at] ?? 0) + chance;
        grid.unlisted_rows[at] = (grid.unlisted_rows[at] ?? 0) + count * chance;
      } else {
        grid.counted[at] = (grid.counted[at] ?? 0) + chance;
        const ofCount = grid.of_count[count - from];
        if (ofCount) ofCount[at] = chance;
      }
    }
  }
  return grid;
}

/** What a mixture of rates shows. */
export interface Shown {
  /** ANALYZE's estimate of the distinct values. */
  estimate: number;
  /** Values among those that are counted. */
  counted: number;
  /** Values of each unit of weight. */
  scale: number;
}

/** What a sample would show if values had these rates, as many of each as the weights say, and the tail's rows in all. */
export function shownBy({ sample, rows, head }: SampleTail, grid: RateGrid, weights: Float64Array): Shown {
  let sampled = 0;
  let distinct = 0;
  let once = 0;
  let counted = 0;
  for (let at = 0; at < weights.length; at += 1) {
    const weight = weights[at] ?? 0;
    sampled += weight * (grid.unlisted_rows[at] ?? 0);
    distinct += weight * (grid.unlisted[at] ?? 0);
    once += weight * (grid.once[at] ?? 0);
    counted += weight * (grid.counted[at] ?? 0);
  }
  const scale = rows / Math.max(1e-300, sampled);
  // The estimator of Haas and Stokes that ANALYZE uses.
  const unseen = sample.sampled - scale * once * (1 - sample.fraction);
  return {
    estimate: (sample.sampled * (head + scale * distinct)) / Math.max(1e-9, unseen),
    counted: scale * counted,
    scale,
  };
}

/** How well a mixture explains how often the counted values stand in the sample, given how many they are. */
export function likelihood(
  { seen, listed_from: from }: SampleTail,
  grid: RateGrid,
  weights: Float64Array,
): number {
  const chances = grid.of_count.map((chanceOf) =>
    chanceOf.reduce((sum, chance, at) => sum + chance * (weights[at] ?? 0), 0),
  );
  const all = chances.reduce((sum, each) => sum + each, 0);
  return seen.reduce((sum, count) => sum + Math.log(Math.max(1e-300, chances[count - from] ?? 0) / all), 0);
}
