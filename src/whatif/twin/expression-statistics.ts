/**
 * Statistics for the expressions of a candidate index. A real index over an expression has them only once it is built
 * and analysed; until then the planner guesses 200 distinct values. The twin applies the expression to the values that
 * pg_stats shows of its column, weighted by how often they occur, and draws the statistics from the outcome as ANALYZE
 * would from a sample.
 */
import pg from 'pg';
import { type ColumnRow, type ColumnStats, quoteIdentifier } from '../../domain/index.ts';
import { type Applied, arrayText, isTsvector, lexemes, widerThanShown } from './lexeme-statistics.ts';
import { drawRows } from './several-columns.ts';

/** ANALYZE keeps a value as common when it is seen this much more often than the average value (compute_scalar_stats). */
const COMMON = 1.25;
const MOST_COMMON = 100;
/** So many of the column's values to an outcome: then the outcomes seen are all that there are, with their shares. */
const ALL_SEEN = 5;

/** An outcome a value, but for a few that meet by chance of where the points fell. */
const ONE_TO_ONE = 0.98;
/** Points that the histogram's bins are filled up to, where values between two bounds can be computed. */
const POINTS = 4000;
/** Types with points between two values, and how SQL says the point at share `k / m` of the way. */
const BETWEEN: Readonly<Record<string, string>> = {
  smallint: '(lo + ((hi::int8 - lo::int8) * k) / m)::int2',
  integer: '(lo + ((hi::int8 - lo::int8) * k) / m)::int4',
  bigint: '(lo + ((hi::numeric - lo::numeric) * k) / m)::int8',
  date: 'lo + ((hi - lo)::int8 * k / m)::int4',
  'timestamp without time zone': 'lo + (hi - lo) * (k::float8 / m)',
  'timestamp with time zone': 'lo + (hi - lo) * (k::float8 / m)',
  real: '(lo + (hi::float8 - lo::float8) * k / m)::float4',
  'double precision': 'lo + (hi - lo) * k / m',
  numeric: 'lo + (hi - lo) * k / m',
};

/** One distinct outcome of the expression. */
interface Image {
  /** Its text; null: SQL NULL. */
  image: string | null;
  /** Share of the table's rows that have it, as far as the column's values tell. */
  share: number;
  /** How many of the column's common values led to it, and how many of its histogram's bounds. */
  common: number;
  bounds: number;
  /** Bytes. */
  width: number;
}

/**
 * @param planner evaluates the expression: a session that may write nothing and is no superuser.
 * @param columns of the expression's table.
 * @param rows of the table.
 * @returns null where nothing can be told: an expression of several columns that is no tsvector, or of columns without
 *   statistics.
 */
export async function deriveExpressionStats(
  planner: pg.Client,
  expression: string,
  columns: readonly ColumnRow[],
  rows: number,
): Promise<ColumnStats | null> {
  const ofSession = derived.get(planner) ?? new Map<string, ColumnStats | null>();
  derived.set(planner, ofSession);
  const key = JSON.stringify([columns[0]?.table_oid, expression, rows]);
  const known = ofSession.get(key);
  if (known !== undefined) return known;
  const stats = await derive(planner, expression, columns, rows);
  ofSession.set(key, stats);
  return stats;
}

/** A run has dozens of indexes on a few expressions: what was derived for a table, by session. */
const derived = new WeakMap<pg.Client, Map<string, ColumnStats | null>>();

async function derive(
  planner: pg.Client,
  expression: string,
  columns: readonly ColumnRow[],
  rows: number,
): Promise<ColumnStats | null> {
  for (const column of columns) {
    if (!column.stats || !mentions(expression, column.name)) continue;
    try {
      return await applyTo(planner, expression, column, column.stats, rows);
    } catch (error) {
      // It needs more than this column, or rights, or values that do not read back: perhaps another column is its own.
      if (!(error instanceof pg.DatabaseError)) throw error;
    }
  }
  return ofSeveral(planner, expression, columns, rows);
}

/**
 * A tsvector of several columns: which lexemes there are hangs little on which title is with which body. Of other types
 * the values of one column with those of another are the point.
 */
async function ofSeveral(
  planner: pg.Client,
  expression: string,
  columns: readonly ColumnRow[],
  rows: number,
): Promise<ColumnStats | null> {
  const read = columns.filter(({ stats, name }) => stats !== null && mentions(expression, name));
  const [one] = read;
  if (one === undefined || read.length < 2) return null;
  const names = read.map(({ name }) => quoteIdentifier(name)).join(', ');
  try {
    const drawn = await drawRows(planner, read, rows);
    if (drawn === null) return null;
    const applied = `
      WITH given AS (
        SELECT drawn.*, 1::float8 / count(*) OVER () AS pgl_share, true AS pgl_bound, pgl_place AS pgl_value, concat(${names}) AS pgl_text
        FROM (${drawn.sql}) AS drawn
      ), applied AS (
        SELECT pgl_share, pgl_bound, pgl_value, pgl_place, pgl_text,
          (SELECT (${expression}) FROM (SELECT ${names}) AS ${quoteIdentifier(one.table)}) AS image
        FROM given
      )`;
    if (!(await isTsvector(planner, { applied, values: drawn.values }))) return null;
    return await statsOf(planner, { applied, values: drawn.values }, drawn.stats, rows, { rest: 1 });
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    return null;
  }
}

function mentions(expression: string, name: string): boolean {
  return quoteIdentifier(name) === name
    ? new RegExp(`(?<![\\w$])${name}(?![\\w$])`, 'i').test(expression)
    : expression.includes(quoteIdentifier(name));
}

async function applyTo(
  planner: pg.Client,
  expression: string,
  column: ColumnRow,
  stats: ColumnStats,
  rows: number,
): Promise<ColumnStats> {
  const frequencies = stats.most_common_freqs ?? [];
  const rest = Math.max(0, 1 - stats.null_frac - frequencies.reduce((sum, share) => sum + share, 0));
  // Only the expression's own column has a name that it could mean.
  const applied = `
    WITH given AS (
      SELECT pgl_value, pgl_share, false AS pgl_bound, 0::int8 AS pgl_place
      FROM unnest($1::text::${column.type}[], $2::float8[]) AS common (pgl_value, pgl_share)
      UNION ALL
      SELECT pgl_value, $4::float8 / count(*) OVER (), true, pgl_place FROM (${histogramPoints(column, stats)}) AS filled (pgl_value, pgl_place)
      UNION ALL
      SELECT NULL, $5::float8, false, 0
    ), applied AS (
      SELECT given.*, pgl_value::text AS pgl_text, (SELECT (${expression}) FROM (SELECT pgl_value AS ${quoteIdentifier(column.name)}) AS ${quoteIdentifier(column.table)}) AS image
      FROM given
    )`;
  const values = [
    stats.most_common_vals ?? '{}',
    frequencies,
    stats.histogram_bounds ?? '{}',
    rest,
    stats.null_frac,
  ];
  const { rows: inputs } = isFilled(column)
    ? await planner.query<{ n: number }>(
        `${applied} SELECT count(DISTINCT pgl_value)::int4 AS n FROM given`,
        values,
      )
    : { rows: [] };
  return statsOf(planner, { applied, values }, stats, rows, { rest, inputs: inputs[0]?.n });
}

/**
 * @param stats of what the expression is applied to.
 * @param known `rest`: share of the rows that are not of common values; `inputs`: values that were computed.
 */
async function statsOf(
  planner: pg.Client,
  { applied, values }: Applied,
  stats: ColumnStats,
  rows: number,
  known: { rest: number; inputs?: number | undefined },
): Promise<ColumnStats> {
  const { rows: images } = await planner.query<Image>(
    `${applied} SELECT image::text AS image, sum(pgl_share)::float8 AS share,
       count(pgl_value) FILTER (WHERE NOT pgl_bound)::int4 AS common, count(*) FILTER (WHERE pgl_bound)::int4 AS bounds,
       coalesce(max(pg_column_size(image)), 0)::int4 AS width
     FROM applied GROUP BY image::text ORDER BY sum(pgl_share) DESC, image::text`,
    [...values],
  );
  const summary = summarise(images, stats, rows, { rest: known.rest, inputs: known.inputs });
  // A type without an order has no histogram.
  const { rows: ordered } = await planner
    .query<{ bounds: string | null; monotone: boolean | null }>(
      `${applied} SELECT CASE WHEN count(DISTINCT image) > 1
           THEN (array_agg(image ORDER BY image) FILTER (WHERE (rank - 1) % greatest(1, n / ${MOST_COMMON}) = 0 OR rank = n))::text END AS bounds,
         bool_and(rises) AS monotone
       FROM (SELECT image, image >= lag(image) OVER (ORDER BY pgl_place) AS rises, row_number() OVER (ORDER BY image) AS rank, count(*) OVER () AS n
         FROM applied WHERE pgl_bound AND image IS NOT NULL AND image::text <> ALL ($${values.length + 1}::text[])) AS bounds`,
      [...values, summary.common.map((item) => item.image)],
    )
    .catch((error: unknown) => {
      if (!(error instanceof pg.DatabaseError)) throw error;
      return { rows: [] };
    });
  const monotone = ordered[0]?.monotone === true;
  const isText = await isTsvector(planner, { applied, values });
  return {
    ...summary.stats,
    ...(isText ? await lexemes(planner, { applied, values }) : {}),
    ...(isText ? await widerThanShown(planner, { applied, values }, stats) : {}),
    histogram_bounds: ordered[0]?.bounds ?? null,
    correlation: monotone ? stats.correlation : null,
  };
}

/** Values between its bounds can be computed. */
const isFilled = (column: ColumnRow) => BETWEEN[column.type.replace(/\(.*?\)/, '')] !== undefined;

/**
 * Rows lie between a histogram's bounds, not on them: with points in between, an expression that makes days of times is
 * seen to have few outcomes. A query of values with their places, in the histogram's order.
 */
function histogramPoints(column: ColumnRow, stats: ColumnStats): string {
  const bounds = `unnest($3::text::${column.type}[]) WITH ORDINALITY AS bounds (value, place)`;
  const between = BETWEEN[column.type.replace(/\(.*?\)/, '')];
  if (between === undefined) return `SELECT value, place FROM ${bounds}`;
  const bins = Math.max(1, (stats.histogram_bounds ?? '').split(',').length - 1);
  const finite = /^(date|timestamp)/.test(column.type) ? 'isfinite(lo) AND isfinite(hi)' : 'hi IS NOT NULL';
  return `SELECT ${between}, place * m + k
    FROM (SELECT value AS lo, lead(value) OVER (ORDER BY place) AS hi, place, ${Math.max(1, Math.floor(POINTS / bins))}::int8 AS m
          FROM ${bounds}) AS bins, generate_series(0, m - 1) AS k
    WHERE ${finite}`;
}

function summarise(
  outcome: readonly Image[],
  stats: ColumnStats,
  rows: number,
  { rest, inputs }: { rest: number; inputs: number | undefined },
): { stats: ColumnStats; common: Image[] } {
  const images = outcome.filter((item) => item.image !== null);
  const shareOf = (items: readonly Image[]) => items.reduce((sum, item) => sum + item.share, 0);
  const null_frac = Math.min(1, shareOf(outcome.filter((item) => item.image === null)));
  const bounds = images.reduce((sum, item) => sum + item.bounds, 0);
  const given = inputs ?? images.reduce((sum, item) => sum + item.common + item.bounds, 0);
  const ofColumn = stats.n_distinct >= 0 ? stats.n_distinct : -stats.n_distinct * Math.max(1, rows);
  const oneToOne = images.length >= given * ONE_TO_ONE;
  const distinct = oneToOne ? ofColumn : Math.min(ofColumn, domainSize(images.length, given));
  const average = (1 - null_frac) / Math.max(1, distinct);
  const perImage = bounds / Math.max(1, distinct);
  // More bounds on one outcome than chance puts there: three standard deviations of a Poisson distribution. Points that
  // were computed lie evenly: nothing of it is chance.
  const notByChance = inputs === undefined ? 3 + perImage + 3 * Math.sqrt(perImage) : COMMON * perImage;
  const allSeen = !oneToOne && images.length <= MOST_COMMON && given >= ALL_SEEN * images.length;
  // Of an outcome that a common value leads to as well, the bounds that chance put there do not count.
  const ofBound = rest / Math.max(1, bounds);
  const common = images
    .map((item) =>
      allSeen || item.bounds > notByChance
        ? item
        : { ...item, share: item.share + (Math.min(item.bounds, perImage) - item.bounds) * ofBound },
    )
    .sort((a, b) => b.share - a.share)
    .filter(
      (item) => allSeen || ((item.common > 0 || item.bounds > notByChance) && item.share > COMMON * average),
    )
    .slice(0, MOST_COMMON);
  const width = images.reduce((sum, item) => sum + item.share * item.width, 0) / (shareOf(images) || 1);
  return {
    common,
    stats: {
      inherited: false,
      null_frac,
      avg_width: Math.max(1, Math.round(images.length > 0 ? width : stats.avg_width)),
      n_distinct: oneToOne ? stats.n_distinct : Math.max(images.length, Math.round(distinct)),
      most_common_vals: common.length > 0 ? arrayText(common.map((item) => item.image ?? '')) : null,
      most_common_freqs: common.length > 0 ? common.map((item) => item.share) : null,
      histogram_bounds: null,
      correlation: null,
      most_common_elems: null,
      most_common_elem_freqs: null,
      elem_count_histogram: null,
    },
  };
}

/**
 * Of how many possible outcomes `given` values have met `met` different ones, each outcome as likely: the D for which
 * D (1 − (1 − 1/D)^given) = met.
 */
function domainSize(met: number, given: number): number {
  const expected = (size: number) => -size * Math.expm1(given * Math.log1p(-1 / size));
  let low = Math.max(1.000001, met);
  let high = 1e12;
  if (expected(low) >= met) return met;
  for (let step = 0; step < 100; step += 1) {
    const middle = Math.sqrt(low * high);
    if (expected(middle) < met) low = middle;
    else high = middle;
  }
  return low;
}
