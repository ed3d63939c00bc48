/**
 * Sizes and column statistics of the target, written into the twin's catalogs. Values travel as parameters and are
 * read by the type's own input function: their content cannot reach the SQL.
 */
import type pg from 'pg';
import type { ColumnStats, Limit, Snapshot } from '../../domain/index.ts';

/** Relations of the twin that have a file, with where it is. */
export interface TwinRelation {
  oid: number;
  schema: string;
  name: string;
  relkind: string;
  /** Relative to the data directory; null: no storage. */
  path: string | null;
  method: string | null;
}

/** All relations of users' schemas, by `schema.name`. */
export async function listRelations(client: pg.Client): Promise<Map<string, TwinRelation>> {
  const { rows } = await client.query<TwinRelation>(
    `SELECT c.oid::int4 AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS relkind,
            CASE WHEN c.relkind IN ('r', 'i', 'm') THEN pg_relation_filepath(c.oid) END AS path, a.amname AS method
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`,
  );
  return new Map(rows.map((row) => [`${row.schema}.${row.name}`, row]));
}

/** What the planner last learned of each relation's size. */
export async function writeSizes(
  client: pg.Client,
  relations: Map<string, TwinRelation>,
  snapshot: Snapshot,
): Promise<void> {
  const rows = [
    ...snapshot.tables.map((row) => ({ ...row, allvisible: row.relallvisible })),
    ...snapshot.indexes.map((row) => ({ ...row, allvisible: 0 })),
  ].flatMap((row) => {
    const relation = relations.get(`${row.schema}.${row.name}`);
    return relation ? [{ ...row, oid: relation.oid }] : [];
  });
  await client.query(
    `UPDATE pg_class SET relpages = given.pages, reltuples = given.tuples, relallvisible = given.visible
     FROM unnest($1::oid[], $2::int4[], $3::float4[], $4::int4[]) AS given (oid, pages, tuples, visible)
     WHERE pg_class.oid = given.oid`,
    [
      rows.map((row) => row.oid),
      rows.map((row) => row.relpages),
      rows.map((row) => row.reltuples),
      rows.map((row) => row.allvisible),
    ],
  );
}

interface ColumnType {
  relid: number;
  attnum: number;
  key: string;
  /** The type that statistics are kept in: a domain's base. */
  type_oid: number;
  collation: number;
  eq: number;
  lt: number;
  /** Element type of an array; text for a tsvector; 0: none. */
  element_oid: number;
  element_eq: number;
}

/**
 * For each column the operators that ANALYZE would use: those of the default B-tree class of its type, of what it is
 * binary-coercible to, or of the polymorphic class for enums, arrays, ranges and records.
 */
const COLUMN_TYPES = `
WITH RECURSIVE base AS (
  SELECT a.attrelid, a.attnum, n.nspname || '.' || c.relname || '.' || a.attname AS key, a.atttypid AS typ, a.attcollation
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  UNION ALL
  SELECT b.attrelid, b.attnum, b.key, t.typbasetype, b.attcollation FROM base b JOIN pg_type t ON t.oid = b.typ WHERE t.typtype = 'd'
), resolved AS (
  SELECT b.*, t.typelem, t.typcategory FROM base b JOIN pg_type t ON t.oid = b.typ WHERE t.typtype <> 'd'
), wanted AS (
  SELECT typ FROM resolved UNION SELECT typelem FROM resolved WHERE typcategory = 'A' UNION SELECT 'text'::regtype
), class AS (
  SELECT DISTINCT ON (w.typ) w.typ, oc.opcfamily, oc.opcintype
  FROM wanted w JOIN pg_type t ON t.oid = w.typ
  JOIN pg_opclass oc ON oc.opcdefault AND oc.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'btree') AND (
    oc.opcintype = w.typ
    OR oc.opcintype = CASE WHEN t.typtype = 'e' THEN 'anyenum'::regtype WHEN t.typtype = 'r' THEN 'anyrange'::regtype
         WHEN t.typtype = 'm' THEN 'anymultirange'::regtype WHEN t.typtype = 'c' THEN 'record'::regtype
         WHEN t.typcategory = 'A' THEN 'anyarray'::regtype END
    OR EXISTS (SELECT 1 FROM pg_cast k WHERE k.castsource = w.typ AND k.casttarget = oc.opcintype AND k.castmethod = 'b' AND k.castcontext = 'i'))
  ORDER BY w.typ, oc.opcintype = w.typ DESC, oc.opcintype
), ops AS (
  SELECT class.typ, max(am.amopopr) FILTER (WHERE am.amopstrategy = 3) AS eq, max(am.amopopr) FILTER (WHERE am.amopstrategy = 1) AS lt
  FROM class JOIN pg_amop am ON am.amopfamily = class.opcfamily AND am.amoplefttype = class.opcintype AND am.amoprighttype = class.opcintype
  GROUP BY class.typ
)
SELECT r.attrelid::int4 AS relid, r.attnum::int4 AS attnum, r.key, r.typ::int4 AS type_oid, r.attcollation::int4 AS collation,
  coalesce(ops.eq, 0)::int4 AS eq, coalesce(ops.lt, 0)::int4 AS lt,
  (CASE WHEN r.typ = 'tsvector'::regtype THEN 'text'::regtype WHEN r.typcategory = 'A' THEN r.typelem ELSE 0 END)::int4 AS element_oid,
  coalesce(element.eq, 0)::int4 AS element_eq
FROM resolved r LEFT JOIN ops ON ops.typ = r.typ
LEFT JOIN ops element ON element.typ = CASE WHEN r.typ = 'tsvector'::regtype THEN 'text'::regtype WHEN r.typcategory = 'A' THEN r.typelem END`;

/** STATISTIC_KIND_* of src/include/catalog/pg_statistic.h. */
const KIND = { mcv: 1, histogram: 2, correlation: 3, mcelem: 4, dechist: 5 } as const;
/** DEFAULT_COLLATION_OID: what lexemes are compared with. */
const DEFAULT_COLLATION = 100;
const SLOTS = 5;

interface Slot {
  kind: number;
  operator: number;
  collation: number;
  numbers: number[] | null;
  values: string | null;
  element_type: number;
}

function slotsOf(stats: ColumnStats, column: ColumnType): Slot[] {
  const slots: Slot[] = [];
  const { eq, lt, collation, type_oid } = column;
  if (stats.most_common_vals !== null && stats.most_common_freqs !== null && eq !== 0) {
    const { most_common_freqs: numbers, most_common_vals: values } = stats;
    slots.push({ kind: KIND.mcv, operator: eq, collation, numbers, values, element_type: type_oid });
  }
  if (stats.histogram_bounds !== null && lt !== 0) {
    const { histogram_bounds: values } = stats;
    slots.push({
      kind: KIND.histogram,
      operator: lt,
      collation,
      numbers: null,
      values,
      element_type: type_oid,
    });
  }
  if (stats.correlation !== null && lt !== 0) {
    const numbers = [stats.correlation];
    slots.push({ kind: KIND.correlation, operator: lt, collation, numbers, values: null, element_type: 0 });
  }
  const { element_oid, element_eq } = column;
  const isLexemes = element_oid !== 0 && type_oid !== 0 && collation === 0;
  const elementCollation = isLexemes ? DEFAULT_COLLATION : collation;
  if (stats.most_common_elems !== null && stats.most_common_elem_freqs !== null && element_eq !== 0) {
    slots.push({
      kind: KIND.mcelem,
      operator: element_eq,
      collation: elementCollation,
      numbers: stats.most_common_elem_freqs,
      values: stats.most_common_elems,
      element_type: element_oid,
    });
  }
  if (stats.elem_count_histogram !== null && element_eq !== 0) {
    slots.push({
      kind: KIND.dechist,
      operator: element_eq,
      collation: elementCollation,
      numbers: stats.elem_count_histogram,
      values: null,
      element_type: 0,
    });
  }
  return slots.slice(0, SLOTS);
}

const range = Array.from({ length: SLOTS }, (_, index) => index + 1);
const INSERT = `INSERT INTO pg_statistic (starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct,
  ${range.map((n) => `stakind${n}, staop${n}, stacoll${n}, stanumbers${n}, stavalues${n}`).join(', ')})
  SELECT $1::oid, $2::int2, $3::bool, $4::float4, $5::int4, $6::float4,
  ${range
    .map((n) => {
      const p = 7 + (n - 1) * 6;
      return `$${p}::int2, $${p + 1}::oid, $${p + 2}::oid, $${p + 3}::float4[], CASE WHEN $${p + 4}::text IS NULL THEN NULL ELSE array_in($${p + 4}::text::cstring, $${p + 5}::oid, -1) END`;
    })
    .join(', ')}`;

/** Writes every column's statistics; a column whose values the twin's types refuse is planned without, and that is said. */
export async function writeStatistics(client: pg.Client, snapshot: Snapshot): Promise<Limit[]> {
  const limits: Limit[] = [];
  const { rows } = await client.query<ColumnType>(COLUMN_TYPES);
  const types = new Map(rows.map((row) => [row.key, row]));
  await client.query('BEGIN');
  for (const column of snapshot.columns) {
    const type = types.get(`${column.schema}.${column.table}.${column.name}`);
    if (!column.stats || !type) continue;
    const slots = slotsOf(column.stats, type);
    const parameters: unknown[] = [
      type.relid,
      type.attnum,
      column.stats.inherited,
      column.stats.null_frac,
      column.stats.avg_width,
      column.stats.n_distinct,
    ];
    for (let index = 0; index < SLOTS; index += 1) {
      const slot = slots[index];
      parameters.push(
        slot?.kind ?? 0,
        slot?.operator ?? 0,
        slot?.collation ?? 0,
        slot?.numbers ?? null,
        slot?.values ?? null,
        slot?.element_type ?? 0,
      );
    }
    await client.query('SAVEPOINT one_column');
    try {
      await client.query({ name: 'statistics', text: INSERT, values: parameters });
      await client.query('RELEASE one_column');
    } catch (error) {
      await client.query('ROLLBACK TO one_column');
      limits.push({
        scope: 'twin',
        code: 'statistics_refused',
        message: `Statistics of ${column.schema}.${column.table}.${column.name} could not be rebuilt: ${error instanceof Error ? error.message.slice(0, 200) : String(error)}`,
        remedy: null,
      });
    }
  }
  await client.query('COMMIT');
  return limits;
}
