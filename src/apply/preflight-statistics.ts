/** CREATE STATISTICS against the catalog as it is now. */
import { type Change, quoteQualified } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import type { Checked, Drift } from './drift.ts';
import { notOwned } from './index-rights.ts';
import { findRelation, missingColumns } from './relation.ts';

export async function checkStatistics(
  session: TargetSession,
  change: Extract<Change, { kind: 'statistics.create' }>,
): Promise<Checked> {
  const table = quoteQualified(change.schema, change.table);
  const relation = await findRelation(session, change.schema, change.table);
  if (!relation) {
    const message = `There is no table ${table} any more.`;
    return { drift: [{ code: 'relation_missing', message }], table_oid: null };
  }
  const drift: Drift[] = [];
  if (!['r', 'm', 'p', 'f'].includes(relation.relkind)) {
    drift.push({ code: 'relation_changed', message: `${table} is no table any more.` });
  }
  if (!relation.owned) drift.push(notOwned(table, relation));
  if (!relation.may_create_in_schema) {
    drift.push({
      code: 'missing_schema_create',
      message: `This role may not create in the schema of ${table}; statistics need GRANT CREATE ON SCHEMA.`,
    });
  }
  const gone = await missingColumns(session, relation.oid, change.columns);
  if (gone.length > 0) {
    drift.push({ code: 'column_missing', message: `${table} has no column ${gone.join(', ')} any more.` });
  }
  const [namesake] = await session.query<{ definition: string }>(
    `SELECT pg_get_statisticsobjdef(x.oid) AS definition
     FROM pg_statistic_ext x JOIN pg_namespace n ON n.oid = x.stxnamespace
     WHERE n.nspname = $1 AND x.stxname = $2`,
    [change.schema, change.name],
  );
  if (namesake) {
    drift.push({
      code: 'name_taken',
      message: `There are statistics of that name already: ${namesake.definition}`,
    });
  }
  return { drift, table_oid: relation.oid };
}
