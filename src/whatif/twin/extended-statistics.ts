/**
 * Data of CREATE STATISTICS objects. pg_ndistinct, pg_dependencies and pg_mcv_list have no input functions before 19;
 * but like bytea they are variable-length and aligned to 4 bytes, so that a superuser may declare a cast from bytea
 * WITHOUT FUNCTION. The first two are written from their text (statext_ndistinct_serialize(),
 * statext_dependencies_serialize()); a list of common values holds values as the server stores them, so ANALYZE makes
 * it: of a scratch table with a row for each of them, whose frequencies are then put in place.
 */
import type pg from 'pg';
import {
  type ColumnStats,
  type ExtendedStatistics,
  type Limit,
  quoteQualified,
  type Snapshot,
} from '../../domain/index.ts';
import { deriveExpressionStats } from './expression-statistics.ts';
import { commonValues } from './extended-values.ts';
import { expressionType, writeStatistics } from './statistics.ts';

/** Magic numbers of src/include/statistics/statistics.h; the type is 1 (STATS_*_TYPE_BASIC) of both. */
const NDISTINCT_MAGIC = 0xa352bfa4;
const DEPENDENCIES_MAGIC = 0xb4549a2c;

/** A statistics object as the twin has it. */
interface TwinObject {
  oid: number;
  schema: string;
  name: string;
  table: number;
}

/** Number of a column in the twin by its number in the target; expressions, below zero, are counted alike. */
type Renumber = (attnum: number) => number;

function header(magic: number, count: number): Buffer {
  const buffer = Buffer.alloc(12);
  buffer.writeUInt32LE(magic, 0);
  buffer.writeUInt32LE(1, 4);
  buffer.writeUInt32LE(count, 8);
  return buffer;
}

const int16 = (values: readonly number[]): Buffer => {
  const buffer = Buffer.alloc(values.length * 2);
  values.forEach((value, place) => {
    buffer.writeInt16LE(value, place * 2);
  });
  return buffer;
};

const double = (value: number): Buffer => {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleLE(value, 0);
  return buffer;
};

const numbersOf = (list: string) => list.split(',').map((part) => Number(part.trim()));

/** Out of `{"1, 2": 33178, "1, -1": 100}`. */
function ndistinctBytes(text: string, renumber: Renumber = (attnum) => attnum): Buffer {
  const items = Object.entries(JSON.parse(text) as Record<string, number>).map(([key, value]) => {
    const attributes = numbersOf(key).map(renumber);
    const count = Buffer.alloc(4);
    count.writeInt32LE(attributes.length, 0);
    return Buffer.concat([double(value), count, int16(attributes)]);
  });
  return Buffer.concat([header(NDISTINCT_MAGIC, items.length), ...items]);
}

/** Out of `{"1 => 2": 1.000000, "1, 2 => 3": 0.5}`: the implied column is the last. */
function dependenciesBytes(text: string, renumber: Renumber = (attnum) => attnum): Buffer {
  const items = Object.entries(JSON.parse(text) as Record<string, number>).map(([key, value]) => {
    const attributes = key.split('=>').flatMap(numbersOf).map(renumber);
    return Buffer.concat([double(value), int16([attributes.length, ...attributes])]);
  });
  return Buffer.concat([header(DEPENDENCIES_MAGIC, items.length), ...items]);
}

/** No relation has this OID: rows of pg_statistic stand under it only until they are copied. */
const EXPRESSION_ROW = 1;
/** The planner takes its defaults: a number of distinct values of 0 is unknown. */
const NOTHING_KNOWN: ColumnStats = {
  inherited: false,
  null_frac: 0,
  avg_width: 8,
  n_distinct: 0,
  most_common_vals: null,
  most_common_freqs: null,
  histogram_bounds: null,
  correlation: null,
  most_common_elems: null,
  most_common_elem_freqs: null,
  elem_count_histogram: null,
};

const CASTS = ['pg_ndistinct', 'pg_dependencies', 'pg_mcv_list'];

/**
 * Writes what ANALYZE made of the objects that could be built.
 * @param admin superuser: writes the catalog. @param owner reads values by their types' input functions.
 */
export async function writeExtendedStatistics(
  admin: pg.Client,
  owner: pg.Client,
  snapshot: Snapshot,
  major: number,
): Promise<Limit[]> {
  const known = snapshot.schema.extended_statistics.filter((item) => item.data !== null);
  if (known.length === 0) return [];
  const { rows } = await admin.query<TwinObject>(
    `SELECT x.oid::int4 AS oid, n.nspname AS schema, x.stxname AS name, x.stxrelid::int4 AS table
     FROM pg_statistic_ext x JOIN pg_namespace n ON n.oid = x.stxnamespace`,
  );
  const objects = new Map(rows.map((row) => [quoteQualified(row.schema, row.name), row]));
  const limits: Limit[] = [];
  await withCasts(admin, async () => {
    for (const item of known) {
      const object = objects.get(quoteQualified(item.schema, item.name));
      if (!object) continue;
      try {
        await writeObject({ admin, owner, snapshot, major }, item, object);
      } catch (error) {
        limits.push({
          scope: 'twin',
          code: 'statistics_refused',
          message: `Extended statistics ${item.schema}.${item.name} could not be rebuilt: ${error instanceof Error ? error.message.slice(0, 200) : String(error)}`,
          remedy: null,
        });
      }
    }
  });
  return limits;
}

/** The casts are there only while they are needed: the target has none. */
async function withCasts<T>(admin: pg.Client, work: () => Promise<T>): Promise<T> {
  for (const type of CASTS) await admin.query(`CREATE CAST (bytea AS ${type}) WITHOUT FUNCTION`);
  try {
    return await work();
  } finally {
    for (const type of CASTS) await admin.query(`DROP CAST (bytea AS ${type})`);
  }
}

/** Writes the data of one object that was made just now, as ANALYZE would have. */
export function writeStatisticsObject(
  sides: Sides,
  item: ExtendedStatistics,
  object: { oid: number; table: number },
): Promise<void> {
  return withCasts(sides.admin, () => writeObject(sides, item, object));
}

export interface Sides {
  admin: pg.Client;
  owner: pg.Client;
  snapshot: Snapshot;
  major: number;
}

async function writeObject(
  sides: Sides,
  item: ExtendedStatistics,
  object: Pick<TwinObject, 'oid' | 'table'>,
): Promise<void> {
  const { admin, snapshot, major } = sides;
  const { data } = item;
  if (data === null) return;
  const renumber = await renumbering(admin, snapshot, item, object.table);
  const mcv =
    data.most_common_vals && data.most_common_freqs && data.most_common_base_freqs
      ? await commonValues(sides, item, await typesOf(sides, item, object.table), {
          values: data.most_common_vals,
          freqs: data.most_common_freqs,
          base_freqs: data.most_common_base_freqs,
        })
      : null;
  const expressions = await expressionRows(sides, item, object.table);
  try {
    // Before 15 a row was kept for the table and its tree together.
    const inherit = major >= 15 ? ', stxdinherit' : '';
    await admin.query('BEGIN');
    await admin.query('DELETE FROM pg_statistic_ext_data WHERE stxoid = $1', [object.oid]);
    await admin.query(
      `INSERT INTO pg_statistic_ext_data (stxoid, stxdndistinct, stxddependencies, stxdmcv, stxdexpr${inherit})
       SELECT $1::oid, ($2::bytea)::pg_ndistinct, ($3::bytea)::pg_dependencies, ($4::bytea)::pg_mcv_list,
         (SELECT array_agg(s ORDER BY s.staattnum) FROM pg_statistic AS s WHERE s.starelid = $5)${major >= 15 ? ', $6::bool' : ''}`,
      [
        object.oid,
        data.n_distinct === null ? null : ndistinctBytes(data.n_distinct, renumber),
        data.dependencies === null ? null : dependenciesBytes(data.dependencies, renumber),
        mcv,
        expressions ? EXPRESSION_ROW : 0,
        ...(major >= 15 ? [data.inherited] : []),
      ],
    );
    await admin.query('COMMIT');
  } catch (error) {
    await admin.query('ROLLBACK');
    throw error;
  } finally {
    await admin.query('DELETE FROM pg_statistic WHERE starelid = $1', [EXPRESSION_ROW]);
  }
}

/** A column that was dropped on the target leaves a gap there, not here. */
async function renumbering(
  admin: pg.Client,
  snapshot: Snapshot,
  item: ExtendedStatistics,
  table: number,
): Promise<Renumber> {
  const { rows } = await admin.query<{ name: string; attnum: number }>(
    'SELECT attname AS name, attnum::int4 AS attnum FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped',
    [table],
  );
  const here = new Map(rows.map((row) => [row.name, row.attnum]));
  const there = new Map(
    snapshot.columns
      .filter((column) => column.table_oid === item.table_oid)
      .map((column) => [column.attnum, column.name]),
  );
  return (attnum) => {
    const found = attnum < 0 ? attnum : here.get(there.get(attnum) ?? '');
    if (found === undefined) throw new Error(`column ${attnum} is not in the twin`);
    return found;
  };
}

/** Types of the object's columns and expressions, in the order that its data has them. */
async function typesOf({ admin, owner }: Sides, item: ExtendedStatistics, table: number): Promise<number[]> {
  const { rows } = await admin.query<{ type: number }>(
    `SELECT a.atttypid::int4 AS type FROM pg_attribute a WHERE a.attrelid = $1 AND a.attname = ANY ($2::name[]) ORDER BY a.attnum`,
    [table, item.columns],
  );
  const name = await tableName(admin, table);
  const types = rows.map((row) => row.type);
  for (const expression of item.expressions) types.push(await expressionType(owner, name, expression, 0));
  return types;
}

async function tableName(admin: pg.Client, table: number): Promise<string> {
  const { rows } = await admin.query<{ schema: string; name: string }>(
    'SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1',
    [table],
  );
  return quoteQualified(rows[0]?.schema ?? '', rows[0]?.name ?? '');
}

/**
 * Statistics of the object's expressions as rows of pg_statistic, from where they are copied; what was not read of the
 * target is derived. Every expression gets a row: 14 to 17 do not look whether one is missing.
 * @returns whether there are any.
 */
async function expressionRows(sides: Sides, item: ExtendedStatistics, table: number): Promise<boolean> {
  const { admin, owner, snapshot } = sides;
  if (!item.kinds.includes('e') || item.data === null) return false;
  const name = await tableName(admin, table);
  const columns = snapshot.columns.filter((column) => column.table_oid === item.table_oid);
  const rows = snapshot.tables.find((row) => row.oid === item.table_oid)?.reltuples ?? 0;
  for (const [place, expression] of item.expressions.entries()) {
    const stats =
      item.data.expressions[place] ??
      (await deriveExpressionStats(owner, expression, columns, rows)) ??
      NOTHING_KNOWN;
    const type = await expressionType(owner, name, expression, 0);
    const target = { relation: EXPRESSION_ROW, attnum: place + 1, type, collation: 0, what: expression };
    const [refused] = await writeStatistics(admin, [{ target: await withCollation(admin, target), stats }]);
    if (refused) throw new Error(refused.message);
  }
  return true;
}

async function withCollation<T extends { type: number; collation: number }>(
  admin: pg.Client,
  target: T,
): Promise<T> {
  const { rows } = await admin.query<{ collation: number }>(
    'SELECT typcollation::int4 AS collation FROM pg_type WHERE oid = $1',
    [target.type],
  );
  return { ...target, collation: rows[0]?.collation ?? 0 };
}
