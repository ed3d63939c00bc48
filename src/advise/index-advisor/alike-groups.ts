/**
 * How many rows have the same value. pg_stats.n_distinct is no count: ANALYZE reckons it out of a sample, by the
 * estimator "Duj1" of Haas and Stokes, n d / (n − f1 + f1 n / N) (compute_scalar_stats() of analyze.c; d values in n
 * sampled rows, f1 of them once). It is right where all values occur equally often, and too low where values are drawn
 * at random: of 400,000 values drawn 1.2 million times it finds 300,000. What it says for certain is how many other rows
 * a row has with its value, and that is read back here.
 */

/** Rows that ANALYZE samples for each unit of the statistics target (std_typanalyze() of analyze.c). */
export const SAMPLED_ROWS_PER_TARGET = 300;
/** From this correlation on, rows of one value lie on the same pages: of these few are sampled, and all of their rows. */
const LIES_TOGETHER = 0.9;

/** ANALYZE's sample tells the evenness to about a tenth: nearly even is taken for even, the larger index. */
const NEARLY_EVEN = 0.75;

/** ANALYZE's estimate of how many values there are may be wrong, but not by so much where all numbers are used. */
const CERTAINLY_FEWER = 0.8;

/** What is known of a column's values. */
export interface SampledValues {
  /** What pg_stats.n_distinct says, as a count. */
  estimate: number;
  /** The estimate is a count: somebody set it (ALTER TABLE … SET (n_distinct = …)). */
  is_counted: boolean;
  /** Rows of the column that are not null. */
  rows: number;
  /** Rows that ANALYZE looked at. */
  sampled: number;
  /** Pages of the table. */
  pages: number;
  /** Of the column, −1 to 1; null: unknown. */
  correlation: number | null;
  /** Most common values: how many, and their share of the rows that are not null. */
  common: { values: number; share: number };
  /** Rows of the table that a foreign key of this column refers to; null: there is none. */
  referred: number | null;
  /** Bounds of the histogram where they are whole numbers, ascending; empty: there is none, or of another type. */
  bounds: readonly number[];
  /** How often each of the most common values stands in the sample; absent: only their share is known. */
  counts?: readonly number[];
  /** Values that the list of the most common ones holds at most (the column's statistics target). */
  target?: number;
}

/** Values that occur about equally often. */
export interface GroupClass {
  /** Of the rows that have none of the most common values. */
  share: number;
  /** Rows of such a value, on average, of those that occur. */
  rows: number;
}

export interface GroupSizes {
  /** Values that occur, the most common ones among them. */
  distinct: number;
  classes: GroupClass[];
  /** 0: rows have their values at random; 1: all values of a class occur equally often. */
  evenness: number;
  /** The fewest and the most values that the statistics leave possible. Absent: they leave next to nothing open. */
  least?: GroupSizes;
  most?: GroupSizes;
}

/** Groups as if all values were about alike. */
export interface Alike {
  groups: GroupSizes;
  /** Rows to be expected of a value, for each share of the rows. */
  rates: GroupClass[];
  /** Values that there can be. */
  possible: number;
  /** Rows of each value, if all but the most common had as many and the sample tells nothing else. */
  even: number;
}

/**
 * As if values were about alike: drawn at random, or more evenly. Whole numbers are taken to be used
 * evenly between two bounds of the histogram, so that each hundredth of the rows has its own density; there are no more
 * of them than lie between the bounds, and no more than a foreign key refers to.
 */
export function alikeGroups(values: SampledValues): Alike {
  const { rows, common, referred, estimate } = values;
  // Fewer numbers between the bounds than ANALYZE found: they are not the values (a stripped snapshot has their ranks).
  const between = (values.bounds.at(-1) ?? 0) - (values.bounds[0] ?? 0) + 1;
  const bounds = between < CERTAINLY_FEWER * (estimate - common.values) ? [] : values.bounds;
  const others = Math.max(1, rows * (1 - common.share));
  const shape = bounds.length > 1 ? ofBounds(bounds, others) : [1];
  const first = bounds[0] ?? 0;
  const last = bounds.at(-1) ?? 0;
  const domain = bounds.length > 1 ? last - first + 1 : (referred ?? Number.POSITIVE_INFINITY);
  const density = bounds.length > 1 ? Math.min(1, (referred ?? domain) / domain) : 1;
  // Expected rows of a value, as multiples of `shape`: at least what all values that there may be would get.
  const least = bounds.length > 1 ? 1 / density : others / domain;
  const at = (scale: number) => expectedEstimate(values, shape, scale, 0);
  const found = scaleOf(estimate, others, at);
  const evenness = found < least ? evennessAt(values, shape, least) : 0;
  const scale = Math.max(found, least);
  const classes = joined(
    shape.map((each) => ({ share: 1 / shape.length, rows: presentRows(each * scale, evenness) })),
  );
  const counted = classes.reduce((sum, each) => sum + (others * each.share) / each.rows, 0);
  return {
    groups: { distinct: Math.min(rows, common.values + counted), classes, evenness },
    rates: shape.map((each) => ({ share: 1 / shape.length, rows: each * scale })),
    possible: bounds.length > 1 ? domain * density : domain,
    even: Math.max(
      1,
      scaleOf(estimate, others, (each) => expectedEstimate(values, [1], each, 1)),
    ),
  };
}

/** Rows of a value by which ANALYZE's estimate is what it is; the more rows, the lower the estimate. */
function scaleOf(estimate: number, others: number, at: (scale: number) => number): number {
  let [low, high] = [1e-9, others * 10];
  for (let step = 0; step < 80; step += 1) {
    const scale = Math.sqrt(low * high);
    if (at(scale) > estimate) low = scale;
    else high = scale;
  }
  return high;
}

/** Rows for each whole number in each bin of the histogram, if all of them are used. */
function ofBounds(bounds: readonly number[], others: number): number[] {
  const each = others / (bounds.length - 1);
  return bounds.slice(1).map((bound, bin) => each / Math.max(1, bound - (bounds[bin] ?? 0)));
}

/** Rows of a value that occurs, where `expected` are to be expected of any. */
function presentRows(expected: number, evenness: number): number {
  const random = expected < 1e-6 ? 1 : expected / -Math.expm1(-expected);
  return Math.max(1, random + evenness * (Math.max(1, expected) - random));
}

/** How much of the way from values at random to equally frequent ones explains what ANALYZE found. */
function evennessAt(values: SampledValues, shape: readonly number[], scale: number): number {
  const random = expectedEstimate(values, shape, scale, 0);
  const even = expectedEstimate(values, shape, scale, 1);
  if (even <= random) return 0;
  const part = Math.max(0, (values.estimate - random) / (even - random));
  return part > NEARLY_EVEN ? 1 : part;
}

/**
 * What ANALYZE would say of rows whose values have `scale` × `shape` rows each: at random, or (evenness 1) exactly. A
 * sampled row meets as many others of its value as it has, times the share of the rows that is sampled: of the table,
 * or where a value's rows lie together and not all pages are read, of the pages that are.
 */
function expectedEstimate(
  values: SampledValues,
  shape: readonly number[],
  scale: number,
  evenness: 0 | 1,
): number {
  const { rows, common, pages } = values;
  const sampled = values.is_counted ? rows : Math.min(values.sampled, rows);
  const fraction = sampled / rows;
  const isTogether = liesTogether(values);
  const met = isTogether ? Math.min(1, pages / rows) : fraction;
  let distinct = common.values;
  let once = 0;
  const each = (sampled * (1 - common.share)) / shape.length;
  for (const relative of shape) {
    const expected = relative * scale;
    if (evenness === 1) {
      const mates = Math.max(1, expected);
      once += each * (1 - met) ** (mates - 1);
      distinct += (each * (1 - (1 - met) ** mates)) / (mates * met);
    } else {
      const mates = expected * met;
      once += each * Math.exp(-mates);
      distinct += mates < 1e-9 ? each : (each * -Math.expm1(-mates)) / mates;
    }
  }
  return (sampled * distinct) / Math.max(1e-9, sampled - once + once * fraction);
}

/** Rows of a value stand on the same pages, of which the sample has all or none. */
export function liesTogether({ correlation, pages, sampled }: SampledValues): boolean {
  return Math.abs(correlation ?? 0) >= LIES_TOGETHER && pages > sampled;
}

/** Classes of about the same size are one. */
export function joined(classes: readonly GroupClass[]): GroupClass[] {
  const bins = new Map<number, { share: number; groups: number }>();
  for (const { share, rows } of classes) {
    const bin = Math.round(6 * Math.log2(rows));
    const into = bins.get(bin) ?? { share: 0, groups: 0 };
    into.share += share;
    into.groups += share / rows;
    bins.set(bin, into);
  }
  return [...bins.values()].map(({ share, groups }) => ({ share, rows: share / groups }));
}
