/** What statements wrote to temporary files, by statement and by role. */
import type { RuleContext, StatementDelta, WorkloadQuery } from '../../domain/index.ts';

/**
 * Memory for what was written to temporary files. Tried on 15 and 18: sorts of narrow rows take 3 to 4 times their
 * file, sorts of wide rows in several passes 0.6 times, hash joins 0.7, hash aggregates 0.9 to 2.
 */
export const MEMORY_PER_SPILLED_BYTE = 2;

export interface Spill {
  query: WorkloadQuery;
  bytes_per_call: number;
}

/** Statements that wrote temporary blocks, the largest per call first. */
export function spillsOf({ workload, snapshot }: RuleContext): Spill[] {
  return workload.queries
    .filter((query) => query.temp_blks_written > 0 && query.calls > 0)
    .map((query) => ({
      query,
      bytes_per_call: (query.temp_blks_written * snapshot.server.block_size) / query.calls,
    }))
    .sort((a, b) => b.bytes_per_call - a.bytes_per_call);
}

export interface RoleSpill {
  role: string;
  /** Of the role alone, the largest per call first. */
  statements: { query: WorkloadQuery; calls: number; bytes_per_call: number; temp_bytes: number }[];
  /** Share of the workload's time that the role's spilling statements take. */
  share_of_time: number;
}

/**
 * Spills by who sent them. pg_stat_statements has a row for each role; a workload's query joins them. Index builds and
 * other utility statements are no queries of the workload and stay out: they sort in maintenance_work_mem.
 */
export function spillsByRole({ window, snapshot, workload }: RuleContext): {
  spilling: RoleSpill[];
  /** Roles that sent statements of the workload and spilled nothing. */
  others: string[];
} {
  const rows: readonly Pick<
    StatementDelta,
    'queryid' | 'user' | 'calls' | 'temp_blks_written' | 'total_exec_time_ms'
  >[] = window?.statements ?? snapshot.statements;
  const queries = new Map(workload.queries.flatMap((query) => query.queryids.map((id) => [id, query])));
  const roles = new Map<string, RoleSpill>();
  const all = new Set<string>();
  for (const row of rows) {
    const query = queries.get(row.queryid);
    if (!query || row.user === null || row.calls === 0) continue;
    all.add(row.user);
    if (row.temp_blks_written === 0) continue;
    const spill = roles.get(row.user) ?? { role: row.user, statements: [], share_of_time: 0 };
    roles.set(row.user, spill);
    const temp_bytes = row.temp_blks_written * snapshot.server.block_size;
    spill.statements.push({ query, calls: row.calls, bytes_per_call: temp_bytes / row.calls, temp_bytes });
    if (workload.database_time_ms > 0)
      spill.share_of_time += row.total_exec_time_ms / workload.database_time_ms;
  }
  for (const { statements } of roles.values()) statements.sort((a, b) => b.bytes_per_call - a.bytes_per_call);
  return {
    spilling: [...roles.values()].sort((a, b) => b.share_of_time - a.share_of_time),
    others: [...all].filter((role) => !roles.has(role)).sort(),
  };
}
