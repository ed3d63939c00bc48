/** Groups of rows with equal keys: of one column as its statistics tell, of several as if they were independent. */
import type { GroupClass as GroupShare } from './alike-groups.ts';
import { nullPatterns, TUPLE_HEADER, TUPLE_HEADER_WITH_NULLS, tupleBytes } from './index-tuple.ts';
import type { KeyFacts } from './key-facts.ts';

/** Groups of equal keys: `groups` of them with `rows` rows each on average. */
export interface GroupClass {
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
const MOST_CLASSES = 100;

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

/** Whether `rows` rows show more distinct combinations than that (distinctCombinations), reckoned only where bounds leave it open. */
export function hasMoreCombinations(
  keys: readonly KeyFacts[],
  rows: number,
  than: number,
  known?: number,
): boolean {
  if (than >= rows) return false;
  if (keys.some((key) => key.distinct > than)) return true;
  const product = keys.reduce((all, key) => all * key.distinct, 1);
  if (known === undefined && product <= than) return false;
  return distinctCombinations(keys, rows, known) > than;
}

export function groupClasses(keys: readonly KeyFacts[], rows: number, known?: number): GroupClass[] {
  return nullPatterns(keys).flatMap(({ present, share }) => {
    const count = rows * share;
    if (count < 0.5) return [];
    const header = present.length < keys.length ? TUPLE_HEADER_WITH_NULLS : TUPLE_HEADER;
    const bytes = tupleBytes(present, header);
    const [only] = present;
    if (only === undefined) return [{ groups: 1, rows: count, bytes, evenness: 1 }];
    if (present.length === 1) return singleKeyClasses(only, count, header);
    if (known !== undefined) {
      const groups = distinctCombinations(present, count, Math.max(1, known * share));
      return [{ groups, rows: count / groups, bytes, evenness: 0 }];
    }
    return combinations(present, count).map((each) => ({ ...each, bytes, evenness: 0 }));
  });
}

/** The most common values each by itself, the rest alike; each as wide as it is. */
function singleKeyClasses(key: KeyFacts, rows: number, header: number): GroupClass[] {
  const classes: GroupClass[] = [];
  let rest = rows;
  key.most_common_freqs.forEach((share, place) => {
    // pg_stats gives shares of all rows, nulls among them.
    const count = Math.min(rest, (share / (1 - key.null_frac)) * rows);
    if (count < 1) return;
    const width = key.common_widths[place];
    const bytes = tupleBytes([width === undefined ? key : { ...key, widths: [width] }], header);
    classes.push({ groups: 1, rows: count, bytes, evenness: 1 });
    rest -= count;
  });
  if (rest >= 1) {
    const distinct = distinctCombinations([key], rows) - classes.length;
    const others = Math.min(rest, Math.max(1, distinct));
    const evenness = key.groups?.evenness ?? 0;
    const rates = key.groups?.classes ?? [];
    const bytesOf = bytesByRows(key, rates, header);
    for (const { values, share } of otherClasses(rates, others, 1)) {
      const each = Math.max(1, rest * share);
      classes.push({ groups: values, rows: each, bytes: bytesOf(each), evenness });
    }
  }
  return classes;
}

/** Values with so many rows are taken to be as wide as those that are listed as common. */
const REPEATS = 2;
/** So few listed widths say nothing of others. */
const FEW_WIDTHS = 5;

/**
 * Bytes of a tuple by how many rows have its value. Where values are of two kinds, common ones are the short or the long
 * ones, and merged tuples are mostly of the others: widths that are most like those of the listed values are given to
 * values that repeat.
 */
function bytesByRows(
  key: KeyFacts,
  classes: readonly GroupShare[],
  header: number,
): (rows: number) => number {
  const bytes = (widths: readonly number[]) => tupleBytes([{ ...key, widths }], header);
  const { other_widths: widths, common_widths: common } = key;
  const repeating = classes.reduce((sum, { share, rows }) => sum + (rows >= REPEATS ? share : 0), 0);
  const count = Math.round(repeating * widths.length);
  if (common.length < FEW_WIDTHS || count === 0 || count === widths.length) {
    const all = bytes(widths);
    return () => all;
  }
  const usual = common.reduce((sum, width) => sum + width, 0) / common.length;
  const sorted = widths.toSorted((a, b) => Math.abs(a - usual) - Math.abs(b - usual));
  const [repeated, rare] = [bytes(sorted.slice(0, count)), bytes(sorted.slice(count))];
  return (rows) => (rows >= REPEATS ? repeated : rare);
}
