/**
 * Size of a freshly built B-tree. It follows nbtsort.c (_bt_buildadd, _bt_load) and nbtdedup.c of PostgreSQL 13 to 18:
 * tuples are packed into leaves up to the fill factor, equal keys merge into posting lists of a tenth of a page.
 */
import type { IndexSize } from '../../domain/index.ts';
import type { GroupClass as GroupShare } from './group-sizes.ts';
import type { KeyFacts } from './key-facts.ts';

const PAGE = 8192;
/** A page without header (24) and special space (16). */
const USABLE = PAGE - 24 - 16;
const LINE_POINTER = 4;
const TUPLE_HEADER = 8;
/** Header and null bitmap (for up to 32 columns), aligned. */
const TUPLE_HEADER_WITH_NULLS = 16;
const TID = 6;
/** BTREE_NONLEAF_FILLFACTOR. */
const INNER_FILLFACTOR = 70;
/** MAXALIGN_DOWN(BLCKSZ × 10 / 100) − sizeof(ItemIdData): longest posting-list tuple that a build makes. */
const MAX_POSTING = 812;
/** More tuples than this are not packed one by one: a sample of the groups is, and scaled up. */
const SIMULATED_TUPLES = 20_000;
/** Points of the distribution of group sizes. */
const QUANTILES = 32;

export function alignTo(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** Draws of widths that a tuple's average size is taken over. */
const DRAWS = 64;

/** Average bytes of an index tuple with these values (none null), MAXALIGN'ed. */
function tupleBytes(values: readonly KeyFacts[], header = TUPLE_HEADER): number {
  const draws = values.some((value) => value.widths.length > 1) ? DRAWS : 1;
  let total = 0;
  for (let draw = 0; draw < draws; draw += 1) {
    let offset = header;
    values.forEach((value, position) => {
      // Different strides: the columns' widths are independent of each other.
      const width =
        value.widths[(draw * (2 * position + 1) + 7 * position) % value.widths.length] ?? value.width;
      offset = alignTo(offset, value.align) + width;
    });
    total += alignTo(offset, 8);
  }
  return total / draws;
}

/** Which of the values are null, and in what share of the rows: nulls of different columns taken as independent. */
function nullPatterns<T extends KeyFacts>(values: readonly T[]): { present: T[]; share: number }[] {
  let patterns: { present: T[]; share: number }[] = [{ present: [], share: 1 }];
  for (const value of values) {
    patterns = patterns.flatMap(({ present, share }) => [
      ...(value.null_frac < 1
        ? [{ present: [...present, value], share: share * (1 - value.null_frac) }]
        : []),
      ...(value.null_frac > 0 ? [{ present, share: share * value.null_frac }] : []),
    ]);
  }
  return patterns;
}

/** Average bytes of a tuple over all rows. */
function averageTupleBytes(values: readonly KeyFacts[]): number {
  return nullPatterns(values).reduce((sum, { present, share }) => {
    const header = present.length < values.length ? TUPLE_HEADER_WITH_NULLS : TUPLE_HEADER;
    return sum + share * tupleBytes(present, header);
  }, 0);
}

/** Groups of equal keys: `groups` of them with `rows` rows each on average. */
interface GroupClass {
  groups: number;
  rows: number;
  /** Bytes of a plain tuple of these keys. */
  bytes: number;
  /** 0: sizes scatter as a Poisson distribution (values drawn at random); 1: all are alike. */
  evenness: number;
}

/** So many classes of about equally frequent values describe a column among others. */
const VALUE_CLASSES = 12;
/** More combinations of classes than this are joined, those of about the same frequency. */
const MOST_CLASSES = 400;

/** `values` values (or combinations) that each occur in `share` of the rows. */
interface ValueClass {
  values: number;
  share: number;
}

/** How often a column's values occur: the most common ones as ANALYZE saw them, the rest alike. Nulls are apart. */
function valueClasses(key: KeyFacts): ValueClass[] {
  const present = Math.max(1e-9, 1 - key.null_frac);
  const common = key.most_common_freqs.map((share) => ({ values: 1, share: share / present }));
  const rest = Math.max(0, 1 - common.reduce((sum, each) => sum + each.share, 0));
  const others = key.distinct - common.length;
  if (rest <= 1e-6 || others <= 0) return joinClasses(common, VALUE_CLASSES);
  return joinClasses([...common, ...otherClasses(key.groups?.classes ?? [], others, rest)], VALUE_CLASSES);
}

/** Values that are not among the most common: those of each class as its rows and their number have it. */
function otherClasses(classes: readonly GroupShare[], others: number, rest: number): ValueClass[] {
  if (classes.length === 0) return [{ values: others, share: rest / others }];
  const groups = classes.reduce((sum, { share, rows }) => sum + share / rows, 0);
  return classes.map(({ share, rows }) => {
    const values = Math.max(1e-9, (others * share) / rows / groups);
    return { values, share: (rest * share) / values };
  });
}

/** At most `limit` classes: neighbours by frequency become one, with their rows and their values summed. */
function joinClasses(classes: readonly ValueClass[], limit: number): ValueClass[] {
  if (classes.length <= limit) return [...classes];
  const sorted = classes.toSorted((a, b) => b.share - a.share);
  const highest = Math.log(sorted[0]?.share ?? 1);
  const lowest = Math.log(sorted.at(-1)?.share ?? 1);
  const step = Math.max(1e-9, (highest - lowest) / limit);
  const joined = new Map<number, { values: number; rows: number }>();
  for (const { values, share } of sorted) {
    const bin = Math.min(limit - 1, Math.floor((highest - Math.log(share)) / step));
    const into = joined.get(bin) ?? { values: 0, rows: 0 };
    into.values += values;
    into.rows += values * share;
    joined.set(bin, into);
  }
  return [...joined.values()].map(({ values, rows }) => ({ values, share: rows / values }));
}

/** Combinations of independent columns' values: the share of each is the product of its parts'. */
function combinedClasses(keys: readonly KeyFacts[]): ValueClass[] {
  let combined: ValueClass[] = [{ values: 1, share: 1 }];
  for (const key of keys) {
    const classes = valueClasses(key);
    combined = joinClasses(
      combined.flatMap((each) =>
        classes.map((one) => ({ values: each.values * one.values, share: each.share * one.share })),
      ),
      MOST_CLASSES,
    );
  }
  return combined;
}

/** Combinations of the keys' values: `groups` of them, of `rows` rows each. */
interface Combinations {
  groups: number;
  rows: number;
}

/**
 * The rows of each value of the most distinct key, spread over the other keys' values as if they were independent: a
 * unique key has as many combinations as rows, whatever stands beside it.
 */
function combinations(keys: readonly KeyFacts[], rows: number): Combinations[] {
  const [finest, ...others] = keys.toSorted((a, b) => b.distinct - a.distinct);
  if (finest === undefined) return [];
  const spread = combinedClasses(others);
  return valueClasses(finest).flatMap((value) => {
    const each = Math.max(1, rows * value.share);
    const present = value.values * Math.min(1, rows * value.share);
    return spread.map((other) => {
      const met = other.values * (1 - (1 - Math.min(1, other.share)) ** each);
      const groups = Math.max(1e-9, present * met);
      return { groups, rows: (present * each * other.values * other.share) / groups };
    });
  });
}

/** Distinct combinations of the keys that `rows` rows show, columns taken as independent unless `known` says more. */
export function distinctCombinations(keys: readonly KeyFacts[], rows: number, known?: number): number {
  const [only, ...more] = keys;
  // One column's distinct values are what ANALYZE counted; of combinations only some occur among so few rows.
  if (only !== undefined && more.length === 0) return Math.max(1, Math.min(rows, only.distinct));
  const met = known ?? combinations(keys, rows).reduce((sum, { groups }) => sum + groups, 0);
  return Math.max(1, Math.min(rows, Math.max(...keys.map((key) => key.distinct), met)));
}

function groupClasses(keys: readonly KeyFacts[], rows: number, known?: number): GroupClass[] {
  return nullPatterns(keys).flatMap(({ present, share }) => {
    const count = rows * share;
    if (count < 0.5) return [];
    const header = present.length < keys.length ? TUPLE_HEADER_WITH_NULLS : TUPLE_HEADER;
    const bytes = tupleBytes(present, header);
    const [only] = present;
    if (only === undefined) return [{ groups: 1, rows: count, bytes, evenness: 1 }];
    if (present.length === 1) return singleKeyClasses(only, count, bytes);
    if (known !== undefined) {
      const groups = distinctCombinations(present, count, Math.max(1, known * share));
      return [{ groups, rows: count / groups, bytes, evenness: 0 }];
    }
    return combinations(present, count).map((each) => ({ ...each, bytes, evenness: 0 }));
  });
}

/** The most common values each by itself, the rest alike. */
function singleKeyClasses(key: KeyFacts, rows: number, bytes: number): GroupClass[] {
  const classes: GroupClass[] = [];
  let rest = rows;
  for (const share of key.most_common_freqs) {
    // pg_stats gives shares of all rows, nulls among them.
    const count = Math.min(rest, (share / (1 - key.null_frac)) * rows);
    if (count < 1) continue;
    classes.push({ groups: 1, rows: count, bytes, evenness: 1 });
    rest -= count;
  }
  if (rest >= 1) {
    const distinct = distinctCombinations([key], rows) - classes.length;
    const others = Math.min(rest, Math.max(1, distinct));
    const evenness = key.groups?.evenness ?? 0;
    for (const { values, share } of otherClasses(key.groups?.classes ?? [], others, 1)) {
      classes.push({ groups: values, rows: Math.max(1, rest * share), bytes, evenness });
    }
  }
  return classes;
}

/**
 * Sizes of groups of `mean` rows that each have at least one: quantiles of a Poisson distribution without zero, or a
 * part of them (`evenness`) as near to the mean as whole numbers are.
 */
function scatteredSizes(mean: number, evenness: number): number[] {
  if (mean <= 1.0001) return [1];
  const random = mean > LARGE_GROUP ? normalSizes(mean) : poissonSizes(mean);
  const sizes = random.map((size, at) => {
    // Spread over the quantiles, so that what is left of the random ones is still all of their kinds.
    const isEven = ((at * 5) % QUANTILES) + 0.5 < evenness * QUANTILES;
    return isEven ? Math.floor(mean + (((at * 11) % QUANTILES) + 0.5) / QUANTILES) : size;
  });
  // Neighbours in the index are not neighbours in size.
  return sizes.map((_, index) => sizes[(index * 13) % QUANTILES] ?? mean);
}

/** From here on a Poisson distribution is as good as a normal one. */
const LARGE_GROUP = 60;

/** Quantiles of a normal distribution of this mean and variance: by Tukey's lambda, right to a hundredth of a deviation. */
function normalSizes(mean: number): number[] {
  return Array.from({ length: QUANTILES }, (_, at) => {
    const p = (at + 0.5) / QUANTILES;
    return Math.max(1, Math.round(mean + (Math.sqrt(mean) * (p ** 0.135 - (1 - p) ** 0.135)) / 0.1975));
  });
}

function poissonSizes(mean: number): number[] {
  let low = 1e-6;
  let high = mean;
  for (let step = 0; step < 50; step += 1) {
    const lambda = (low + high) / 2;
    if (lambda / (1 - Math.exp(-lambda)) < mean) low = lambda;
    else high = lambda;
  }
  const sizes: number[] = [];
  let size = 1;
  let probability = (low * Math.exp(-low)) / (1 - Math.exp(-low));
  let cumulated = probability;
  for (let quantile = 0; quantile < QUANTILES; quantile += 1) {
    while (cumulated < (quantile + 0.5) / QUANTILES && size < 1000) {
      size += 1;
      probability *= low / size;
      cumulated += probability;
    }
    sizes.push(size);
  }
  return sizes;
}

/** Packs tuples into leaves as a build does. */
class LeafPacker {
  pages = 1;
  private readonly full: number;
  private free = USABLE - LINE_POINTER;
  private count = 0;
  private last = 0;
  private lastExtra = 0;

  constructor(fillfactor: number) {
    this.full = Math.floor((PAGE * (100 - fillfactor)) / 100);
  }

  /** @param extra bytes of its posting list, which the page's high key would do without. */
  add(bytes: number, extra: number): void {
    const space = this.free - LINE_POINTER;
    if (space < bytes + 8 || (space + this.lastExtra < this.full && this.count > 1)) {
      // The last tuple begins the next page and leaves its key behind as the high key.
      this.pages += 1;
      this.free = USABLE - LINE_POINTER - (this.last + LINE_POINTER);
      this.count = 1;
    }
    this.free -= bytes + LINE_POINTER;
    this.count += 1;
    this.last = bytes;
    this.lastExtra = extra;
  }
}

/** Leaves that groups of equal keys fill when equal keys are merged. */
function deduplicatedLeaves(classes: readonly GroupClass[], fillfactor: number): number {
  const tuples = classes.reduce(
    (sum, each) => sum + each.groups * Math.max(1, each.rows / ((MAX_POSTING - each.bytes) / TID)),
    0,
  );
  const scale = Math.max(1, tuples / SIMULATED_TUPLES);
  const packer = new LeafPacker(fillfactor);
  const wanted = classes.reduce((sum, each) => sum + each.groups * each.rows, 0) / scale;
  let packed = 0;
  for (const each of classes) {
    const perPosting = Math.max(1, Math.floor((Math.floor(MAX_POSTING / 8) * 8 - each.bytes) / TID));
    // A few huge groups are made smaller, many small ones fewer.
    const shrinkRows = each.groups < 2 * scale || each.rows > perPosting * 20;
    const groups = shrinkRows
      ? Math.max(1, Math.round(each.groups))
      : Math.max(1, Math.round(each.groups / scale));
    const sizes = each.groups > 1 ? scatteredSizes(each.rows, each.evenness) : [each.rows];
    for (let group = 0; group < groups; group += 1) {
      let rows = (sizes[group % sizes.length] ?? each.rows) / (shrinkRows ? scale : 1);
      while (rows > 0.5) {
        const merged = Math.min(perPosting, Math.max(1, Math.round(rows)));
        const bytes = merged === 1 ? each.bytes : alignTo(each.bytes + merged * TID, 8);
        packer.add(bytes, bytes - each.bytes);
        rows -= merged;
        packed += merged;
      }
    }
  }
  // Whole rows in whole groups are not quite as many as there are.
  const missed = Math.min(1.25, Math.max(0.8, wanted / Math.max(1, packed)));
  return Math.max(1, Math.round((packer.pages - 0.5) * scale * missed));
}

interface BtreeShape {
  keys: readonly KeyFacts[];
  include: readonly KeyFacts[];
  /** Rows in the index. */
  rows: number;
  unique: boolean;
  /** Percent; 90 is PostgreSQL's default. */
  fillfactor: number;
  /** Storage parameter deduplicate_items. */
  deduplicate: boolean;
  /** Distinct combinations of all keys where extended statistics tell; else columns are taken as independent. */
  distinct?: number | undefined;
}

/** Pages, tuples and height of a B-tree as CREATE INDEX would leave it. */
export function btreeSize(shape: BtreeShape): IndexSize {
  const rows = Math.max(0, Math.round(shape.rows));
  if (rows === 0) return { pages: 1, tuples: 0, tree_height: 0 };
  const bytes = averageTupleBytes([...shape.keys, ...shape.include]);
  // An index with included columns never deduplicates (_bt_allequalimage).
  const merges =
    shape.deduplicate &&
    !shape.unique &&
    shape.include.length === 0 &&
    shape.keys.every((key) => key.equalimage);
  const slack = Math.floor((PAGE * (100 - shape.fillfactor)) / 100);
  const perLeaf = Math.max(1, Math.floor((USABLE - 2 * LINE_POINTER - slack) / (bytes + LINE_POINTER)));
  const leaves = merges
    ? deduplicatedLeaves(groupClasses(shape.keys, rows, shape.distinct), shape.fillfactor)
    : Math.ceil(rows / perLeaf);
  // Pivot tuples keep only the keys that tell two leaves apart, and a row's address where the keys do not.
  const distinct = distinctCombinations(shape.keys, rows, shape.distinct);
  const significant = leadingKeysThatTell(shape.keys, rows);
  const pivot = averageTupleBytes(significant) + (distinct < rows * 0.9 ? 8 : 0);
  const innerSlack = Math.floor((PAGE * (100 - INNER_FILLFACTOR)) / 100);
  const fanOut = Math.max(2, Math.floor((USABLE - 2 * LINE_POINTER - innerSlack) / (pivot + LINE_POINTER)));
  let pages = leaves;
  let level = leaves;
  let height = 0;
  while (level > 1) {
    level = Math.ceil(level / fanOut);
    pages += level;
    height += 1;
  }
  return { pages: pages + 1, tuples: rows, tree_height: height };
}

/** The shortest leading part of the keys that is about as distinct as a leaf's boundary needs. */
function leadingKeysThatTell(keys: readonly KeyFacts[], rows: number): readonly KeyFacts[] {
  for (let count = 1; count < keys.length; count += 1) {
    const leading = keys.slice(0, count);
    if (distinctCombinations(leading, rows) > rows / 2) return leading;
  }
  return keys;
}
