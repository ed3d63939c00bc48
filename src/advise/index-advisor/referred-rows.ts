/**
 * Distinct values of a foreign key's column. ANALYZE's estimate is low where values occur a few times each, and very low
 * where those lie together (it samples pages); what the key refers to is counted, and says more.
 */

/** Rows that ANALYZE samples for each unit of the statistics target (std_typanalyze() of analyze.c). */
export const SAMPLED_ROWS_PER_TARGET = 300;
/** From this correlation on, rows of one value lie on the same pages: a sample of pages then tells little. */
const LIES_TOGETHER = 0.9;

export interface Reference {
  /** What pg_stats.n_distinct says, as a count. */
  estimate: number;
  /** Rows of the column that are not null. */
  rows: number;
  /** Rows of the table that the key refers to. */
  referred: number;
  /** Of the column, −1 to 1; null: unknown. */
  correlation: number | null;
  /** Rows that ANALYZE looked at. */
  sampled: number;
  /** Bounds of the histogram where they are whole numbers, ascending; empty: there is none, or of another type. */
  bounds: readonly number[];
  /** Most common values: how many, and their share of the rows. */
  common: { values: number; share: number };
}

/**
 * Distinct values, as a count: between ANALYZE's estimate and what as many rows that refer at random would show.
 * Keys that are whole numbers have a histogram that tells how many of them each hundredth of the rows is spread over;
 * else, where rows lie by their value, the upper end, and elsewhere as many as would have led ANALYZE to its estimate.
 */
export function distinctReferences(reference: Reference): number {
  const { estimate, rows, referred, correlation, sampled } = reference;
  const atRandom = shown(referred, rows);
  if (estimate >= atRandom) return estimate;
  if (reference.bounds.length > 1) return Math.max(estimate, Math.min(atRandom, ofHistogram(reference)));
  if (Math.abs(correlation ?? 0) >= LIES_TOGETHER) return atRandom;
  let low = estimate;
  let high = Math.max(estimate, 4 * referred);
  for (let step = 0; step < 60; step += 1) {
    const values = (low + high) / 2;
    if (estimateOfAnalyze(values, rows, sampled) < estimate) low = values;
    else high = values;
  }
  return Math.max(estimate, Math.min(atRandom, referred, shown(low, rows)));
}

/** Referred numbers lie evenly between the ends: each bin of the histogram has as many of them as it is wide. */
function ofHistogram({ bounds, rows, referred, common }: Reference): number {
  const first = bounds[0] ?? 0;
  const last = bounds.at(-1) ?? 0;
  const density = Math.min(1, referred / (last - first + 1));
  const each = (rows * Math.max(0, 1 - common.share)) / (bounds.length - 1);
  let distinct = common.values;
  for (let bin = 1; bin < bounds.length; bin += 1) {
    const width = (bounds[bin] ?? 0) - (bounds[bin - 1] ?? 0);
    distinct += shown(Math.max(1, width * density), each);
  }
  return distinct;
}

/** Of so many values, those that occur among rows that have any of them at random. */
function shown(values: number, rows: number): number {
  return values * (1 - Math.exp(-rows / Math.max(1, values)));
}

/**
 * What ANALYZE would expect of a column whose rows have any of so many values at random: the estimator "Duj1" of Haas
 * and Stokes, n d / (n − f1 + f1 n / N), as compute_scalar_stats() of analyze.c has it.
 */
function estimateOfAnalyze(values: number, rows: number, sampled: number): number {
  const sample = Math.min(sampled, rows);
  const each = sample / values;
  const distinct = values * (1 - Math.exp(-each));
  const once = values * each * Math.exp(-each);
  return (sample * distinct) / Math.max(1e-9, sample - once + (once * sample) / rows);
}
