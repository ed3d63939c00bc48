/**
 * Statistics that are not there: extended ones that somebody could create, and a column's under a lower target. Each is
 * a row of a catalog that waits under a key that nothing has, and takes the place of the row in force while a
 * configuration names it.
 */
import pg from 'pg';
import {
  type ColumnRow,
  type ColumnStats,
  type ExtendedStatistics,
  PgLuthierError,
  quoteIdentifier,
  quoteQualified,
  type StatisticsContents,
  type StatisticsDefinition,
} from '../../domain/index.ts';
import { countElements, pickElements } from './array-ends.ts';
import { type Sides, writeStatisticsObject } from './extended-statistics.ts';
import { queryOne } from './session.ts';
import { writeStatistics } from './statistics.ts';

/** Two rows of one catalog that change places. */
export interface StatisticsCandidate {
  /** In force, and by what key the other waits. */
  kind: 'extended' | 'column';
  /** OID of the object, or of the table. */
  key: number;
  /** Of a column: its number and whether its statistics are of the whole tree. */
  attnum: number;
  inherited: boolean;
  /** OID that nothing has: the waiting row's. */
  parked: number;
}

/** Keys for waiting rows: far from those that a young cluster gives out. */
const FIRST_PARKED = 3_000_000_000;

/**
 * Makes the object, and its data beside.
 * @param number of the candidate, for its key and its name.
 * @throws PgLuthierError `statistics_refused` with PostgreSQL's reason.
 */
export async function makeStatistics(
  sides: Sides,
  definition: StatisticsDefinition,
  contents: StatisticsContents,
  number: number,
): Promise<StatisticsCandidate> {
  const { admin, major } = sides;
  const columns = definition.columns.map((name) => columnOf(sides, definition, name));
  const kinds = kindsOf(definition, contents);
  const table_oid = tableOf(sides, definition);
  const name = `pgluthier_statistics_${number}`;
  const table = quoteQualified(definition.schema, definition.table);
  const keys = [
    ...definition.columns.map(quoteIdentifier),
    ...definition.expressions.map((expression) => `(${expression})`),
  ];
  // Statistics of a single expression have no kinds of their own.
  const listed = kinds.filter((kind) => kind !== 'e').map((kind) => KIND_NAMES[kind] ?? kind);
  const kindList = keys.length > 1 && listed.length > 0 ? ` (${listed.join(', ')})` : '';
  try {
    await queryOne(
      admin,
      `CREATE STATISTICS ${quoteQualified(definition.schema, name)}${kindList} ON ${keys.join(', ')} FROM ${table}`,
    );
    const { rows } = await admin.query<{ oid: number; relation: number; children: boolean }>(
      `SELECT x.oid::int4 AS oid, x.stxrelid::int4 AS relation, c.relkind = 'p' OR c.relhassubclass AS children
       FROM pg_statistic_ext x JOIN pg_class c ON c.oid = x.stxrelid
       WHERE x.stxname = $1 AND x.stxrelid = $2::regclass`,
      [name, table],
    );
    const [made] = rows;
    if (!made) throw new Error('CREATE STATISTICS made nothing');
    const inherited = major >= 15 && made.children;
    const item = asCollected({ definition, table_oid, contents, columns, kinds, inherited, name });
    await writeStatisticsObject(sides, item, { oid: made.oid, table: made.relation });
    const parked = FIRST_PARKED + number;
    await admin.query('UPDATE pg_statistic_ext_data SET stxoid = $2 WHERE stxoid = $1', [made.oid, parked]);
    // 14 takes a missing row for damage: one that knows nothing stands there meanwhile.
    const inherit = major >= 15 ? ['stxdinherit', '$2::bool'] : [];
    await admin.query(
      `INSERT INTO pg_statistic_ext_data (${['stxoid', ...inherit.slice(0, 1)].join(', ')}) VALUES (${['$1::oid', ...inherit.slice(1)].join(', ')})`,
      [made.oid, ...(major >= 15 ? [inherited] : [])],
    );
    return { kind: 'extended', key: made.oid, attnum: 0, inherited, parked };
  } catch (cause) {
    if (!(cause instanceof pg.DatabaseError)) throw cause;
    await admin.query(`DROP STATISTICS IF EXISTS ${quoteQualified(definition.schema, name)}`);
    throw new PgLuthierError({ code: 'statistics_refused', status: 422, message: cause.message, cause });
  }
}

const KIND_NAMES: Readonly<Record<string, string>> = { d: 'ndistinct', f: 'dependencies', m: 'mcv' };

function kindsOf({ expressions }: StatisticsDefinition, contents: StatisticsContents): string[] {
  return [
    ...(contents.n_distinct ? ['d'] : []),
    ...(contents.dependencies ? ['f'] : []),
    ...(contents.common_values ? ['m'] : []),
    ...(expressions.length > 0 ? ['e'] : []),
  ];
}

interface Described {
  definition: StatisticsDefinition;
  /** In the target. */
  table_oid: number;
  contents: StatisticsContents;
  columns: readonly ColumnRow[];
  kinds: string[];
  inherited: boolean;
  name: string;
}

/** As the collector would have read it of the target: expressions are numbered below zero there. */
function asCollected({
  definition,
  table_oid,
  contents,
  columns,
  kinds,
  inherited,
  name,
}: Described): ExtendedStatistics {
  const attnum = (place: number): number => columns[place]?.attnum ?? -1 - (place - columns.length);
  const group = (places: readonly number[]) => places.map(attnum).join(', ');
  const text = (entries: readonly (readonly [string, number])[] | undefined) =>
    entries === undefined ? null : JSON.stringify(Object.fromEntries(entries));
  return {
    oid: 0,
    schema: definition.schema,
    name,
    table_oid,
    definition: '',
    columns: [...definition.columns],
    expressions: [...definition.expressions],
    kinds,
    stattarget: null,
    data: {
      inherited,
      n_distinct: text(contents.n_distinct?.map(({ of, distinct }) => [group(of), distinct])),
      dependencies: text(
        contents.dependencies?.map(({ from, to, degree }) => [`${group(from)} => ${attnum(to)}`, degree]),
      ),
      most_common_vals: contents.common_values?.values.map((row) => [...row]) ?? null,
      most_common_freqs: contents.common_values ? [...contents.common_values.frequencies] : null,
      most_common_base_freqs: contents.common_values ? [...contents.common_values.base_frequencies] : null,
      expressions: definition.expressions.map(() => null),
    },
  };
}

/**
 * A column's statistics cut down to a lower target.
 * @throws PgLuthierError `statistics_target_not_simulated`, `statistics_refused`.
 */
export async function makeLowerTarget(
  sides: Sides,
  where: { schema: string; table: string; column: string },
  target: number,
  number: number,
): Promise<StatisticsCandidate> {
  const { admin } = sides;
  const column = columnOf(sides, where, where.column);
  const { stats } = column;
  const kept =
    stats === null ? 0 : Math.max(sizeOf(stats.most_common_vals), sizeOf(stats.histogram_bounds) - 1);
  if (stats === null || !Number.isInteger(target) || target < 1 || target > kept) {
    throw new PgLuthierError({
      code: 'statistics_target_not_simulated',
      status: 422,
      message: `${where.schema}.${where.table}.${where.column} has statistics of ${kept} values: a target of ${target} cannot be simulated without reading more of its data.`,
      remedy: `A target from 1 to ${kept} can.`,
    });
  }
  const table = quoteQualified(where.schema, where.table);
  const { rows } = await admin.query<{ relation: number; attnum: number; type: number; collation: number }>(
    `SELECT attrelid::int4 AS relation, attnum::int4 AS attnum, atttypid::int4 AS type, attcollation::int4 AS collation
     FROM pg_attribute WHERE attrelid = $1::regclass AND attname = $2`,
    [table, where.column],
  );
  const [found] = rows;
  if (!found) throw new Error(`${table} is not in the twin`);
  const parked = FIRST_PARKED + number;
  const { attnum, type, collation } = found;
  const what = `${table}.${where.column}`;
  const written = {
    target: { relation: parked, attnum, type, collation, what },
    stats: cutTo(stats, target),
  };
  const [said] = await writeStatistics(admin, [written]);
  if (said) throw new PgLuthierError({ code: 'statistics_refused', status: 422, message: said.message });
  return { kind: 'column', key: found.relation, attnum, inherited: stats.inherited, parked };
}

const sizeOf = (list: string | null) => (list === null ? 0 : countElements(list));

/**
 * What ANALYZE keeps under a target of n: the n most common values, n + 1 bounds evenly among the rest
 * (compute_scalar_stats() of analyze.c). Values that are no longer common join the rest, whose bounds are thinned: of
 * where they lie among the others nothing is said.
 */
function cutTo(stats: ColumnStats, target: number): ColumnStats {
  const { most_common_vals: common, histogram_bounds: bounds } = stats;
  const last = sizeOf(bounds) - 1;
  const steps = Math.min(target, last);
  const first = Array.from({ length: target }, (_, place) => place);
  const thinned = Array.from({ length: steps + 1 }, (_, step) => Math.round((step * last) / steps));
  return {
    ...stats,
    most_common_vals: common === null ? null : pickElements(common, first),
    most_common_freqs: stats.most_common_freqs?.slice(0, target) ?? null,
    histogram_bounds: bounds === null || steps < 1 ? bounds : pickElements(bounds, thinned),
  };
}

/** Puts candidates into force, or takes them out. */
export async function switchStatistics(
  admin: pg.Client,
  major: number,
  candidates: readonly StatisticsCandidate[],
): Promise<void> {
  // By way of a third key: both rows may not have one at any moment.
  const aside = FIRST_PARKED - 1;
  await admin.query('BEGIN');
  try {
    for (const { kind, key, attnum, inherited, parked } of candidates) {
      const [table, column, more, values] =
        kind === 'extended'
          ? ['pg_statistic_ext_data', 'stxoid', major >= 15 ? ' AND stxdinherit = $3::bool' : '', [inherited]]
          : [
              'pg_statistic',
              'starelid',
              ' AND staattnum = $3::int2 AND stainherit = $4::bool',
              [attnum, inherited],
            ];
      const given = more === '' ? [] : values;
      for (const [from, to] of [
        [key, aside],
        [parked, key],
        [aside, parked],
      ]) {
        await admin.query(`UPDATE ${table} SET ${column} = $2::oid WHERE ${column} = $1::oid${more}`, [
          from,
          to,
          ...given,
        ]);
      }
    }
    await admin.query('COMMIT');
  } catch (error) {
    await admin.query('ROLLBACK');
    throw error;
  }
}

function tableOf({ snapshot }: Sides, { schema, table }: { schema: string; table: string }): number {
  const found = snapshot.tables.find((row) => row.schema === schema && row.name === table);
  if (found) return found.oid;
  throw new PgLuthierError({
    code: 'statistics_refused',
    status: 422,
    message: `There is no table ${schema}.${table}.`,
  });
}

function columnOf(
  { snapshot }: Sides,
  { schema, table }: { schema: string; table: string },
  name: string,
): ColumnRow {
  const column = snapshot.columns.find(
    (row) => row.schema === schema && row.table === table && row.name === name,
  );
  if (column) return column;
  throw new PgLuthierError({
    code: 'statistics_refused',
    status: 422,
    message: `There is no column ${schema}.${table}.${name}.`,
  });
}
