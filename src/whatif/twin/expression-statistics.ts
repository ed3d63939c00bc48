/**
 * Statistics for the expressions of a candidate index. A real index over an expression has them only once it is built
 * and analysed; until then the planner guesses 200 distinct values. The twin applies the expression to the values
 * that pg_stats shows of its column, and sees how many of them it keeps apart.
 */
import type pg from 'pg';
import { type ColumnRow, type IndexDefinition, quoteIdentifier, type Snapshot } from '../../domain/index.ts';

/** At this share of values kept apart the expression counts as one-to-one: the column's own n_distinct holds. */
const ONE_TO_ONE = 0.95;

/**
 * Writes n_distinct, null fraction and width for each expression over a single column.
 * @param planner evaluates the expression: a session that may write nothing and is no superuser.
 */
export async function describeExpressions(
  admin: pg.Client,
  planner: pg.Client,
  snapshot: Snapshot,
  definition: IndexDefinition,
  oid: number,
): Promise<void> {
  const expressions = definition.keys.flatMap((key, position) =>
    key.expression === null ? [] : [{ text: key.expression, position }],
  );
  // With several it is not told which column belongs to which.
  const [only, ...others] = expressions;
  if (!only || others.length > 0) return;
  const column = await sourceColumn(admin, snapshot, definition, oid);
  if (!column?.stats) return;
  const distinct = await distinctValues(planner, column, only.text);
  if (distinct === null) return;
  await admin.query(
    `INSERT INTO pg_statistic (starelid, staattnum, stainherit, stanullfrac, stawidth, stadistinct,
       stakind1, stakind2, stakind3, stakind4, stakind5, staop1, staop2, staop3, staop4, staop5,
       stacoll1, stacoll2, stacoll3, stacoll4, stacoll5)
     VALUES ($1, $2, false, $3, $4, $5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`,
    [oid, only.position + 1, column.stats.null_frac, column.stats.avg_width, distinct],
  );
}

/** The one column that the index depends on beyond its plain keys; null: none or several. */
async function sourceColumn(
  admin: pg.Client,
  snapshot: Snapshot,
  definition: IndexDefinition,
  oid: number,
): Promise<ColumnRow | null> {
  const { rows } = await admin.query<{ name: string }>(
    `SELECT DISTINCT a.attname AS name FROM pg_depend d
     JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_class'::regclass AND d.objid = $1 AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0`,
    [oid],
  );
  const plain = new Set([...definition.keys.map((key) => key.column), ...definition.include]);
  const candidates = rows.filter((row) => !plain.has(row.name));
  const name = candidates.length === 1 ? candidates[0]?.name : undefined;
  return (
    snapshot.columns.find(
      (row) => row.schema === definition.schema && row.table === definition.table && row.name === name,
    ) ?? null
  );
}

/** n_distinct as pg_statistic has it (negative: a share of the rows); null: nothing can be told. */
async function distinctValues(
  planner: pg.Client,
  column: ColumnRow,
  expression: string,
): Promise<number | null> {
  const { stats } = column;
  const values = stats?.histogram_bounds ?? stats?.most_common_vals ?? null;
  if (!stats || values === null) return null;
  const name = quoteIdentifier(column.name);
  try {
    const { rows } = await planner.query<{ kept: number; given: number }>(
      `SELECT count(DISTINCT (${expression}))::int AS kept, count(DISTINCT ${name})::int AS given
       FROM unnest($1::text::${column.type}[]) AS given (${name})`,
      [values],
    );
    const { kept = 0, given = 0 } = rows[0] ?? {};
    if (given === 0) return null;
    return kept >= ONE_TO_ONE * given ? stats.n_distinct : Math.max(1, kept);
  } catch {
    // A type whose values do not read back, or an expression that needs rights: the planner's own guess stands.
    return null;
  }
}
