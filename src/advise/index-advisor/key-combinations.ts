/**
 * Distinct combinations of several keys, where something tells of them: a unique index, or what ANALYZE counted for a
 * CREATE STATISTICS object (ndistinct) of all or some of the keys. Else keys are taken to have nothing to do with each
 * other.
 */

import type { GroupSizes } from './alike-groups.ts';
import { rowCount } from './catalog.ts';
import { groupSizes, thinned } from './group-sizes.ts';
import type { KeyFacts } from './key-facts.ts';
import { distinctCombinations } from './key-groups.ts';
import type { SizeInput } from './size-model.ts';

/** Combinations of some of the keys. */
interface Counted {
  /** Which of the keys, by their places. */
  places: readonly number[];
  groups: GroupSizes;
}

/** Distinct combinations of all keys among the rows of the index; undefined: nothing is known of two of them together. */
export function combinationsOf(
  input: SizeInput,
  keys: readonly KeyFacts[],
  rows: number,
): number | undefined {
  if (keys.length < 2) return undefined;
  if (tellsApart(input)) return rows;
  const counted = largestCounted(input);
  const { selectivity } = input;
  const groups =
    counted && (selectivity < 1 ? thinned(counted.groups, selectivity, 0) : counted.groups).distinct;
  if (input.dependent) return Math.max(groups ?? 1, ...keys.map(({ distinct }) => distinct));
  if (counted === null || groups === null) return isGrid(keys, rows) ? rows : undefined;
  const others = keys.filter((_, place) => !counted.places.includes(place));
  return others.length === 0 ? groups : distinctCombinations([asOneKey(groups), ...others], rows);
}

/** Whether it is known how many combinations of all keys there are. */
export function isCounted(input: SizeInput): boolean {
  return tellsApart(input) || largestCounted(input)?.places.length === input.definition.keys.length;
}

/** Distinct counts are right to that where each value has many rows in the sample. */
const GRID_TOLERANCE = 0.02;

/**
 * As many rows as there are pairs of the values: each sensor at each time, each product on each day. Keys that had nothing
 * to do with each other would show 63 % of the pairs among so many rows, and only by chance have that many.
 */
function isGrid(keys: readonly KeyFacts[], rows: number): boolean {
  if (keys.some(({ distinct, null_frac }) => distinct < 2 || distinct >= rows || null_frac > 0)) return false;
  const pairs = keys.reduce((product, { distinct }) => product * distinct, 1);
  return Math.abs(pairs / rows - 1) <= GRID_TOLERANCE;
}

/** A unique index on some of the keys: no two rows share all of them. */
function tellsApart({ definition, table }: SizeInput): boolean {
  const names = new Set(definition.keys.map(({ column }) => column));
  const attnums = new Map([...table.columns.values()].map((column) => [column.attnum, column]));
  return table.indexes.some(
    (index) =>
      index.is_unique &&
      index.is_valid &&
      index.predicate === null &&
      index.key_attnums.slice(0, index.keys.length).every((attnum) => {
        const column = attnums.get(attnum);
        // Rows with a null in it are not told apart.
        const isPresent = column?.not_null || column?.stats?.null_frac === 0;
        return column !== undefined && isPresent && names.has(column.name);
      }),
  );
}

/** Of the objects on two keys and more the one on the most of them. */
function largestCounted({ definition, table, statistics }: SizeInput): Counted | null {
  const attnums = definition.keys.map((key) => table.columns.get(key.column ?? '')?.attnum ?? null);
  let best: { places: number[]; estimate: number } | null = null;
  for (const { table_oid, data } of statistics ?? []) {
    if (table_oid !== table.row.oid || !data?.n_distinct) continue;
    // {"1, 2": 33178} up to PostgreSQL 18.
    const counts = JSON.parse(data.n_distinct) as Record<string, unknown>;
    for (const [columns, estimate] of Object.entries(counts)) {
      const places = columns.split(', ').map((attnum) => attnums.indexOf(Number(attnum)));
      if (typeof estimate !== 'number' || places.includes(-1)) continue;
      if (best === null || places.length > best.places.length) best = { places, estimate };
    }
  }
  // The same estimator as of single columns (estimate_ndistinct() of mvdistinct.c).
  return best && { places: best.places, groups: asCounted(best.estimate, table) };
}

/** Combinations that are there, out of what ANALYZE reckoned. */
function asCounted(estimate: number, table: SizeInput['table']): GroupSizes {
  const rows = rowCount(table);
  if (table.sampled_rows <= 0) {
    return { distinct: estimate, classes: [{ share: 1, rows: Math.max(1, rows / estimate) }], evenness: 0 };
  }
  return groupSizes({
    estimate,
    is_counted: false,
    rows,
    sampled: table.sampled_rows,
    pages: table.row.main_pages,
    correlation: null,
    common: { values: 0, share: 0 },
    referred: null,
    bounds: [],
  });
}

/** Combinations as if they were the values of one key. */
function asOneKey(distinct: number): KeyFacts {
  return {
    width: 8,
    align: 8,
    widths: [8],
    common_widths: [],
    other_widths: [8],
    scatters: false,
    distinct,
    groups: null,
    null_frac: 0,
    most_common_freqs: [],
    equalimage: true,
    correlation: null,
    elements: null,
    element_freqs: [],
    element_bytes: 8,
  };
}
