/** The values that a column's statistics offer, and representatives of them with weights. */
import type { ColumnStats } from '../domain/index.ts';
import { arrayValues } from './array-text.ts';

/** A value with the share of the rows that it, and those like it, have. */
export interface WeightedValue {
  value: string;
  weight: number;
  /** Share of the rows with exactly this value; null: not known. */
  frequency: number | null;
}

/** What pg_stats says of a column's values. */
export interface ValuePool {
  /** Most common first. */
  common: WeightedValue[];
  /** Ascending, as the server ordered them. */
  bounds: string[];
  /** Elements of arrays or lexemes, most common first. */
  elements: WeightedValue[];
  /** Share of the rows that are in neither list nor NULL. */
  rest: number;
  n_distinct: number;
}

const EMPTY: ValuePool = { common: [], bounds: [], elements: [], rest: 1, n_distinct: -1 };

/** Reads a column's statistics; an empty pool where there are none. */
export function valuePool(stats: ColumnStats | null, delimiter = ','): ValuePool {
  if (stats === null) return EMPTY;
  const weighted = (text: string | null, freqs: number[] | null): WeightedValue[] =>
    // most_common_elem_freqs has two or three more numbers than there are elements.
    arrayValues(text, delimiter)
      .map((value, index) => ({ value, weight: freqs?.[index] ?? 0, frequency: freqs?.[index] ?? 0 }))
      .sort((a, b) => b.weight - a.weight);
  const common = weighted(stats.most_common_vals, stats.most_common_freqs);
  const bounds = arrayValues(stats.histogram_bounds, delimiter);
  const seen = common.reduce((sum, each) => sum + each.weight, 0);
  return {
    common,
    bounds,
    elements: weighted(stats.most_common_elems, stats.most_common_elem_freqs),
    rest: Math.max(0, 1 - seen - stats.null_frac),
    n_distinct: stats.n_distinct,
  };
}

/** All values that are known, each once, the common ones first, then the histogram's from its middle outwards. */
export function knownValues(pool: ValuePool): string[] {
  const middle = Math.floor(pool.bounds.length / 2);
  const outwards = pool.bounds.map((_, index) => {
    const step = Math.ceil(index / 2);
    return pool.bounds[index % 2 === 0 ? middle + step : middle - step];
  });
  const values = [...pool.common.map((each) => each.value), ...outwards.filter((each) => each !== undefined)];
  return [...new Set([...values, ...pool.bounds])];
}

/**
 * Half of the weight by the data's frequencies, since people ask for what there is; half evenly, since states that
 * are asked for all the time (a queue's "new") are rare by design.
 */
function blend(values: readonly WeightedValue[]): WeightedValue[] {
  const total = values.reduce((sum, each) => sum + each.weight, 0);
  return values.map((each) => ({
    ...each,
    weight: (total > 0 ? each.weight / total / 2 : 0.5 / values.length) + 0.5 / values.length,
  }));
}

/**
 * Representatives for an equality: the most common value, a middling one, and a rare one (from the histogram where
 * there is one). A column without common values has one representative: all of its values are alike to the planner.
 */
export function equalityValues(pool: ValuePool, rows: number): WeightedValue[] {
  const { common, bounds, rest } = pool;
  const middle = bounds[Math.floor(bounds.length / 2)];
  const distinct = pool.n_distinct > 0 ? pool.n_distinct : -pool.n_distinct * Math.max(rows, 1);
  const rare: WeightedValue[] =
    middle === undefined
      ? []
      : [{ value: middle, weight: rest, frequency: rest / Math.max(1, distinct - common.length) }];
  const [first] = common;
  if (first === undefined) return blend(rare);
  const others = common.slice(1);
  const mass = others.reduce((sum, each) => sum + each.weight, 0);
  const middling = others[Math.floor((others.length - 1) / 2)];
  const last = others.at(-1);
  const chosen: WeightedValue[] = [first];
  if (middling !== undefined) chosen.push({ ...middling, weight: mass });
  if (rare.length > 0) chosen.push(...rare);
  else if (last !== undefined && last.value !== middling?.value) {
    chosen.push(last);
  }
  return blend(chosen);
}

function compareAs(numeric: boolean): (a: string, b: string) => number {
  return numeric ? (a, b) => Number(a) - Number(b) : (a, b) => (a < b ? -1 : a > b ? 1 : 0);
}

/** Places that a common value gets in an ordered list for each hundredth of the rows that it has. */
const SLOTS = 100;

/**
 * Values in ascending order, each as often as it stands for rows: the histogram's bounds (in the server's own order,
 * equally many rows between them), or, for a column that has only common values, those sorted, repeated by frequency.
 */
export function orderedValues(pool: ValuePool, numeric: boolean): string[] {
  if (pool.bounds.length > 1) return pool.bounds;
  const compare = compareAs(numeric);
  return [...pool.common]
    .sort((a, b) => compare(a.value, b.value))
    .flatMap((each) =>
      Array.from({ length: Math.max(1, Math.round(each.weight * SLOTS)) }, () => each.value),
    );
}
