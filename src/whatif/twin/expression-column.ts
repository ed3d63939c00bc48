/** An expression as if it were a column of its table. */
import type pg from 'pg';
import { type ColumnRow, quoteQualified, type Snapshot } from '../../domain/index.ts';
import { deriveExpressionStats } from './expression-statistics.ts';
import { expressionType } from './statistics.ts';

/** @returns null where the expression or its statistics cannot be told. */
export async function describeExpression(
  planner: pg.Client,
  snapshot: Snapshot,
  { schema, table, expression }: { schema: string; table: string; expression: string },
): Promise<ColumnRow | null> {
  const row = snapshot.tables.find((item) => item.schema === schema && item.name === table);
  if (row === undefined) return null;
  const columns = snapshot.columns.filter((item) => item.table_oid === row.oid);
  const stats = await deriveExpressionStats(planner, expression, columns, row.reltuples);
  if (stats === null) return null;
  const oid = await expressionType(planner, quoteQualified(schema, table), expression, 0);
  const { rows } = await planner.query<
    Pick<ColumnRow, 'type' | 'typlen' | 'typalign' | 'typtype' | 'typcategory'>
  >(
    `SELECT format_type(oid, NULL) AS type, typlen::int4 AS typlen, typalign::text AS typalign, typtype::text AS typtype,
       typcategory::text AS typcategory FROM pg_type WHERE oid = $1`,
    [oid],
  );
  const [type] = rows;
  if (type === undefined) return null;
  return {
    table_oid: row.oid,
    schema,
    table,
    name: expression,
    attnum: 0,
    ...type,
    not_null: false,
    collation: null,
    generated: '',
    identity: '',
    default_expression: expression,
    stattarget: null,
    stats,
  };
}
