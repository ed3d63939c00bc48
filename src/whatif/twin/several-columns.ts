/**
 * Values of several columns at once, drawn from what pg_stats shows of each, as if they had nothing to do with each other:
 * what an expression over a title and a body is applied to.
 */
import type pg from 'pg';
import { type ColumnRow, type ColumnStats, quoteIdentifier } from '../../domain/index.ts';

/** Rows drawn: as many as a histogram has bounds, so that none of those stands for two rows. */
const DRAWN = 100;

/** What is drawn. */
export interface DrawnRows {
  /** A query of `pgl_place` and the columns by their names. */
  sql: string;
  values: unknown[];
  /** As one column's: shares of nulls, distinct values, widths. */
  stats: ColumnStats;
}

/**
 * Draws rows of these columns, by each one's nulls, common values and histogram.
 * Of texts that are all too long to be shown the others stand for them (`ColumnStats.wider`).
 * @returns null where one of the columns shows no values, or none of them does.
 */
export async function drawRows(
  planner: pg.Client,
  columns: readonly ColumnRow[],
  rows: number,
): Promise<DrawnRows | null> {
  const drawn: (readonly (string | null)[])[] = [];
  let unseen = 0;
  for (const [place, column] of columns.entries()) {
    const values = column.stats ? await valuesOf(planner, column, column.stats) : null;
    if (values === null && column.typcategory !== 'S') return null;
    if (values === null) unseen += 1;
    drawn.push(values === null ? new Array<string>(DRAWN).fill('') : shuffled(values, place));
  }
  if (unseen === columns.length) return null;
  const names = columns.map(({ name }) => quoteIdentifier(name));
  const arrays = columns.map(({ type }, place) => `unnest($${place + 1}::text[]::${type}[])`).join(', ');
  const distinct = columns.reduce((all, { stats }) => all * distinctOf(stats, rows), 1);
  const widths = columns.map(({ stats }) => (stats?.avg_width ?? 0) * (1 - (stats?.null_frac ?? 0)));
  return {
    sql: `SELECT * FROM ROWS FROM (${arrays}) WITH ORDINALITY AS drawn (${names.join(', ')}, pgl_place)`,
    values: drawn.map((values) => [...values]),
    stats: {
      inherited: false,
      null_frac: 0,
      avg_width: widths.reduce((sum, each) => sum + each, 0),
      n_distinct: distinct >= rows ? -1 : distinct,
      most_common_vals: null,
      most_common_freqs: null,
      histogram_bounds: null,
      correlation: null,
      most_common_elems: null,
      most_common_elem_freqs: null,
      elem_count_histogram: null,
    },
  };
}

/** Values of a column, a null among them where there are any. */
function distinctOf(stats: ColumnStats | null, rows: number): number {
  if (stats === null) return 1;
  const { n_distinct: distinct, null_frac } = stats;
  return Math.max(1, distinct >= 0 ? distinct : -distinct * rows) + (null_frac > 0 ? 1 : 0);
}

/** The quantiles of a column's distribution: nulls, then common values, then those between the bounds. */
async function valuesOf(
  planner: pg.Client,
  { type }: ColumnRow,
  stats: ColumnStats,
): Promise<(string | null)[] | null> {
  const { rows } = await planner.query<{
    common: (string | null)[] | null;
    bounds: (string | null)[] | null;
  }>(`SELECT $1::text::${type}[]::text[] AS common, $2::text::${type}[]::text[] AS bounds`, [
    stats.most_common_vals,
    stats.histogram_bounds,
  ]);
  const common = rows[0]?.common ?? [];
  const bounds = rows[0]?.bounds ?? [];
  if (common.length + bounds.length === 0 && stats.null_frac < 1) return null;
  const freqs = stats.most_common_freqs ?? [];
  const ends: number[] = [stats.null_frac];
  for (const [place] of common.entries()) ends.push((ends.at(-1) ?? 0) + (freqs[place] ?? 0));
  const listed = ends.at(-1) ?? 0;
  const all = bounds.length > 0 ? 1 : listed;
  return Array.from({ length: DRAWN }, (_, draw) => {
    const at = ((draw + 0.5) / DRAWN) * all;
    const place = ends.findIndex((end) => at < end);
    if (place === 0) return null;
    if (place > 0) return common[place - 1] ?? null;
    const within = (at - listed) / Math.max(1e-9, all - listed);
    return bounds[Math.min(bounds.length - 1, Math.floor(within * bounds.length))] ?? null;
  });
}

const MULTIPLIER = 48_271;
const MODULUS = 2 ** 31 - 1;

/** In another order for each column, always the same one (Fisher and Yates, with the generator of Park and Miller). */
function shuffled<T>(values: readonly T[], seed: number): T[] {
  const copy = [...values];
  let state = 12_345 + 7_919 * seed;
  for (let at = copy.length - 1; at > 0; at -= 1) {
    state = (state * MULTIPLIER) % MODULUS;
    const other = Math.floor((state / MODULUS) * (at + 1));
    [copy[at], copy[other]] = [copy[other] as T, copy[at] as T];
  }
  return copy;
}
