/**
 * Statistics of the target, written into the twin's pg_statistic. Values travel as parameters and are read by the
 * type's own input function: their content cannot reach the SQL.
 */
import type pg from 'pg';
import {
  type ColumnRow,
  type ColumnStats,
  type Limit,
  quoteQualified,
  type Snapshot,
} from '../../domain/index.ts';
import { withEnds } from './array-ends.ts';
import { likelyEnds } from './column-ends.ts';
import type { TwinRelations } from './relations.ts';
import { readTypes, type TypeFacts } from './types.ts';

/** Where statistics go: a column of a table, or a key of an index, which is an expression. */
export interface StatisticsTarget {
  relation: number;
  attnum: number;
  /** OID of the values' type. */
  type: number;
  /** OID of their collation; 0: none. */
  collation: number;
  /** For a limit: what this is in words. */
  what: string;
}

/** STATISTIC_KIND_* of src/include/catalog/pg_statistic.h. */
const KIND = { mcv: 1, histogram: 2, correlation: 3, mcelem: 4, dechist: 5, length: 6, bounds: 7 } as const;
/** DEFAULT_COLLATION_OID: what lexemes are compared with. */
const DEFAULT_COLLATION = 100;
/** Float8LessOperator: lengths of ranges. */
const FLOAT8_LESS = 672;
const FLOAT8 = 701;
const SLOTS = 5;

interface Slot {
  kind: number;
  operator: number;
  collation: number;
  numbers: number[] | null;
  values: string | null;
  type: number;
}

function slotsOf(stats: ColumnStats, type: TypeFacts, collation: number): Slot[] {
  const { eq, lt, oid, element, element_eq } = type;
  const slots: Slot[] = [];
  const add = (slot: Partial<Slot> & Pick<Slot, 'kind' | 'operator'>) =>
    slots.push({ collation, numbers: null, values: null, type: 0, ...slot });
  if (stats.most_common_vals !== null && stats.most_common_freqs !== null && eq !== 0) {
    const { most_common_freqs: numbers, most_common_vals: values } = stats;
    add({ kind: KIND.mcv, operator: eq, numbers, values, type: oid });
  }
  if (stats.histogram_bounds !== null && lt !== 0) {
    add({ kind: KIND.histogram, operator: lt, values: stats.histogram_bounds, type: oid });
  }
  if (stats.correlation !== null && lt !== 0) {
    add({ kind: KIND.correlation, operator: lt, numbers: [stats.correlation] });
  }
  const ofElements = { operator: element_eq, collation: type.is_tsvector ? DEFAULT_COLLATION : collation };
  if (stats.most_common_elems !== null && stats.most_common_elem_freqs !== null && element_eq !== 0) {
    const { most_common_elem_freqs: numbers, most_common_elems: values } = stats;
    add({ ...ofElements, kind: KIND.mcelem, numbers, values, type: element });
  }
  if (stats.elem_count_histogram !== null && element_eq !== 0 && !type.is_tsvector) {
    add({ ...ofElements, kind: KIND.dechist, numbers: stats.elem_count_histogram });
  }
  if (type.is_range && stats.range_bounds_histogram) {
    const values = stats.range_bounds_histogram;
    add({ kind: KIND.bounds, operator: 0, collation: 0, values, type: element === 0 ? oid : element });
  }
  if (type.is_range && stats.range_length_histogram) {
    const numbers = [stats.range_empty_frac ?? 0];
    const values = stats.range_length_histogram;
    add({ kind: KIND.length, operator: FLOAT8_LESS, collation: 0, numbers, values, type: FLOAT8 });
  }
  return slots.slice(0, SLOTS);
}

const range = Array.from({ length: SLOTS }, (_, index) => index + 1);
const INSERT = `INSERT INTO pg_statistic (starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct,
  ${range.map((n) => `stakind${n}, staop${n}, stacoll${n}, stanumbers${n}, stavalues${n}`).join(', ')})
  SELECT starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct,
  ${range.map((n) => `kind${n}, operator${n}, collation${n}, numbers${n}, CASE WHEN values${n} IS NOT NULL THEN array_in(values${n}::cstring, type${n}, -1) END`).join(', ')}
  FROM json_to_recordset($1::json) AS given (starelid oid, staattnum int2, stainherit bool, stanullfrac float4,
    stawidth int4, stadistinct float4, ${range.map((n) => `kind${n} int2, operator${n} oid, collation${n} oid, numbers${n} float4[], values${n} text, type${n} oid`).join(', ')})`;

function rowOf(target: StatisticsTarget, stats: ColumnStats, type: TypeFacts): Record<string, unknown> {
  const slots = slotsOf(stats, type, target.collation);
  const row: Record<string, unknown> = {
    starelid: target.relation,
    staattnum: target.attnum,
    stainherit: stats.inherited,
    stanullfrac: stats.null_frac,
    stawidth: stats.avg_width,
    stadistinct: stats.n_distinct,
  };
  for (const n of range) {
    const slot = slots[n - 1];
    row[`kind${n}`] = slot?.kind ?? 0;
    row[`operator${n}`] = slot?.operator ?? 0;
    row[`collation${n}`] = slot?.collation ?? 0;
    row[`numbers${n}`] = slot?.numbers ?? null;
    row[`values${n}`] = slot?.values ?? null;
    row[`type${n}`] = slot?.type ?? 0;
  }
  return row;
}

/** Rows of pg_statistic in one INSERT; long values make the batch by their length, too. */
const BATCH_ROWS = 200;
const BATCH_CHARACTERS = 4_000_000;

/**
 * Writes statistics, many at once; where a value does not read back (an enum's label that is gone, say), that row
 * alone is left out, which is a limit. Outside of a transaction: a refused row would end it.
 */
export async function writeStatistics(
  client: pg.Client,
  items: readonly { target: StatisticsTarget; stats: ColumnStats }[],
): Promise<Limit[]> {
  const types = await readTypes(
    client,
    items.map((item) => item.target.type),
  );
  const rows = items.flatMap(({ target, stats }) => {
    const type = types.get(target.type);
    return type ? [{ what: target.what, json: JSON.stringify(rowOf(target, stats, type)) }] : [];
  });
  const limits: Limit[] = [];
  let batch: typeof rows = [];
  let characters = 0;
  const flush = async () => {
    limits.push(...(await insertRows(client, batch)));
    batch = [];
    characters = 0;
  };
  for (const row of rows) {
    batch.push(row);
    characters += row.json.length;
    if (batch.length >= BATCH_ROWS || characters >= BATCH_CHARACTERS) await flush();
  }
  if (batch.length > 0) await flush();
  return limits;
}

/** Halves a batch that fails until the row is found that does. */
async function insertRows(
  client: pg.Client,
  rows: readonly { what: string; json: string }[],
): Promise<Limit[]> {
  try {
    await client.query(INSERT, [`[${rows.map((row) => row.json).join(',')}]`]);
    return [];
  } catch (error) {
    const [only, second] = rows;
    if (only === undefined || !(error instanceof Error && 'severity' in error)) throw error;
    if (second !== undefined) {
      const half = Math.ceil(rows.length / 2);
      return [
        ...(await insertRows(client, rows.slice(0, half))),
        ...(await insertRows(client, rows.slice(half))),
      ];
    }
    return [
      {
        scope: 'twin',
        code: 'statistics_refused',
        message: `Statistics of ${only.what} could not be rebuilt: ${error.message.slice(0, 200)}`,
        remedy: null,
      },
    ];
  }
}

interface Attribute {
  relation: number;
  attnum: number;
  name: string;
  type: number;
  collation: number;
}

/**
 * What is known of all columns, and of the expressions of existing indexes.
 * @param owner without special rights: to tell an expression's type, functions of the target may be called.
 */
export async function writeTargetStatistics(
  client: pg.Client,
  owner: pg.Client,
  relations: TwinRelations,
  snapshot: Snapshot,
): Promise<Limit[]> {
  const { rows } = await client.query<Attribute>(
    `SELECT attrelid::int4 AS relation, attnum::int4 AS attnum, attname AS name, atttypid::int4 AS type, attcollation::int4 AS collation
     FROM pg_attribute WHERE attrelid = ANY ($1::oid[]) AND attnum > 0 AND NOT attisdropped`,
    [[...relations.values()].map((relation) => relation.oid)],
  );
  const attributes = new Map(rows.map((row) => [`${row.relation} ${row.name}`, row]));
  const ends = await likelyEnds(owner, snapshot);
  const items = snapshot.columns.flatMap((column) => {
    const relation = relations.get(quoteQualified(column.schema, column.table));
    const attribute = relation && attributes.get(`${relation.oid} ${column.name}`);
    if (!attribute || !column.stats) return [];
    const what = `${column.schema}.${column.table}.${column.name}`;
    const target = { ...attribute, what };
    return [
      { target, stats: withColumnEnds(column.stats, column.ends ?? ends.get(column)) },
      ...(column.tree_stats?.inherited && !column.stats.inherited
        ? [{ target, stats: column.tree_stats }]
        : []),
    ];
  });
  const keys = new Map(rows.map((row) => [`${row.relation} ${row.attnum}`, row]));
  const indexes = new Map(snapshot.indexes.map((index) => [index.oid, index]));
  for (const { index_oid, attnum, stats } of snapshot.schema.expression_stats ?? []) {
    const index = indexes.get(index_oid);
    const relation = index && relations.get(quoteQualified(index.schema, index.name));
    const key = relation && keys.get(`${relation.oid} ${attnum}`);
    if (!index || !key) continue;
    const expression = index.keys[attnum - 1] ?? '';
    const type = await expressionType(owner, quoteQualified(index.schema, index.table), expression, key.type);
    items.push({ target: { ...key, type, what: `${index.schema}.${index.name} (${expression})` }, stats });
  }
  return writeStatistics(client, items);
}

function withColumnEnds(stats: ColumnStats, ends: ColumnRow['ends']): ColumnStats {
  if (!ends || stats.histogram_bounds === null) return stats;
  return { ...stats, histogram_bounds: withEnds(stats.histogram_bounds, ends) };
}

/** Type of an expression over a table: an index's own column may be of its operator class's storage type instead. */
export async function expressionType(
  client: pg.Client,
  table: string,
  expression: string,
  otherwise: number,
): Promise<number> {
  try {
    const { fields } = await client.query({
      text: `SELECT (${expression}) FROM ${table} LIMIT 0`,
      queryMode: 'extended',
    } as pg.QueryConfig);
    return fields[0]?.dataTypeID ?? otherwise;
  } catch {
    return otherwise;
  }
}
