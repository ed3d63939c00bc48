/** Rows that go from referenced tables: for each of them PostgreSQL looks for rows that refer to it. */
import { type Evidence, PgLuthierError, type RuleContext, type WorkloadQuery } from '../../domain/index.ts';
import { statementUsage, type UsageCatalog } from '../../workload/index.ts';

/** Rows that go from a table, and how that is known. */
export interface Deletes {
  rows: number;
  period: string;
  source: string;
  level: Evidence['level'];
}

/**
 * By the statements where files were given and delete from it: those weigh what somebody says. Else by the counters of
 * the window, or since they began where there is only one snapshot.
 * @param statements that delete, by the OID of their table (`deletingStatements`).
 */
export function deletesOf(
  { window, snapshot, workload }: RuleContext,
  oid: number | null,
  statements: ReadonlyMap<number, readonly WorkloadQuery[]>,
): Deletes {
  const stated = workload.source === 'files' ? rowsOf(statements.get(oid ?? 0) ?? []) : 0;
  if (stated > 0) {
    const source = 'workload files, a row a call';
    return { rows: stated, period: 'by the workload', source, level: 'estimated' };
  }
  const counters = window === null ? snapshot.tables : window.tables;
  const rows = counters.find((table) => table.oid === oid)?.n_tup_del ?? 0;
  const period = window === null ? 'since the counters began' : 'in the window';
  return { rows, period, source: 'pg_stat_user_tables.n_tup_del', level: 'measured' };
}

/** Rows that DELETE statements take: one a call, the least that it takes them for. */
const rowsOf = (queries: readonly WorkloadQuery[]): number =>
  queries.reduce((sum, { rows, calls }) => sum + Math.max(rows, calls), 0);

/** The workload's DELETE statements by the OID of their table. */
export async function deletingStatements(
  { workload }: RuleContext,
  catalog: UsageCatalog,
): Promise<Map<number, WorkloadQuery[]>> {
  const deleting = new Map<number, WorkloadQuery[]>();
  for (const query of workload.queries) {
    if (query.class !== 'delete') continue;
    try {
      const usage = await statementUsage(query.query, catalog);
      const target = usage.relations.find(({ is_written }) => is_written)?.table_oid ?? 0;
      deleting.set(target, [...(deleting.get(target) ?? []), query]);
    } catch (error) {
      // index/missing names the statements that cannot be read, with the reason.
      if (!(error instanceof PgLuthierError)) throw error;
    }
  }
  return deleting;
}
