/** What just-in-time compilation took and whom it was for. */
import type { RuleContext, StatementDelta, WorkloadQuery } from '../../domain/index.ts';

export interface JitUse {
  query: WorkloadQuery;
  /** Of the rows that compiled, ms: compiling, and all of it. */
  jit_ms: number;
  total_ms: number;
}

/** Statements of the workload that compiled (pg_stat_statements, 15 and newer); null: this version does not count. */
export function jitUses({ window, snapshot, workload }: RuleContext): JitUse[] | null {
  const rows: readonly Pick<StatementDelta, 'queryid' | 'jit_time_ms' | 'total_exec_time_ms'>[] =
    window?.statements ?? snapshot.statements;
  if (rows.every(({ jit_time_ms }) => jit_time_ms === null)) return null;
  const queries = new Map(workload.queries.flatMap((query) => query.queryids.map((id) => [id, query])));
  const uses = new Map<string, JitUse>();
  for (const row of rows) {
    const query = queries.get(row.queryid);
    if (!query || !row.jit_time_ms) continue;
    const use = uses.get(query.query_id) ?? { query, jit_ms: 0, total_ms: 0 };
    use.jit_ms += row.jit_time_ms;
    use.total_ms += row.total_exec_time_ms;
    uses.set(query.query_id, use);
  }
  return [...uses.values()].sort((a, b) => b.jit_ms - a.jit_ms);
}
