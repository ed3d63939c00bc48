/** Vacuums that read their indexes again, because what they found dead did not fit into their memory. */
import type { Evidence, RuleContext, VacuumProgress } from '../../domain/index.ts';
import { measured } from '../settings/facts.ts';

/**
 * Passes over the indexes that are done or begun: index_vacuum_count is raised when one is done, so that a vacuum which
 * reads indexes again after one is in its second (lazy_vacuum_all_indexes() of vacuumlazy.c).
 */
export function passesBegun({ index_vacuum_count, phase }: VacuumProgress): number {
  return index_vacuum_count + (phase === 'vacuuming indexes' ? 1 : 0);
}

/** How often the memory would have to be there for one pass: passes so far for the part of the table that was scanned. */
function timesTheMemory(vacuum: VacuumProgress): number {
  const { heap_blks_total: total, heap_blks_scanned: scanned } = vacuum;
  const rest = scanned > 0 ? Math.max(1, total / scanned) : 1;
  return Math.max(2, Math.ceil(passesBegun(vacuum) * rest));
}

export interface IndexPasses {
  /** A row for each vacuum. */
  evidence: Evidence[];
  /** The most of them: so many times the memory would have made it one pass. */
  times: number;
}

/**
 * Those at work at the moment of the snapshot: autovacuum's workers, or what people ran; each has a setting of its own.
 * Null: none is in its second pass.
 */
export function indexPasses(
  { snapshot }: Pick<RuleContext, 'snapshot'>,
  autovacuum: boolean,
): IndexPasses | null {
  const seen = snapshot.activity.vacuums.filter(
    (vacuum) => vacuum.is_autovacuum === autovacuum && passesBegun(vacuum) > 1,
  );
  if (seen.length === 0) return null;
  const evidence = seen.map((vacuum) => {
    const table = snapshot.tables.find(({ oid }) => oid === vacuum.table_oid);
    return {
      ...measured(
        `passes over the indexes of ${table ? `${table.schema}.${table.name}` : `relation ${vacuum.table_oid}`}`,
        passesBegun(vacuum),
        'passes',
        'pg_stat_progress_vacuum.index_vacuum_count, phase',
      ),
      formula: `${vacuum.phase}; ${vacuum.heap_blks_scanned} of ${vacuum.heap_blks_total} pages scanned`,
    };
  });
  return { evidence, times: Math.max(...seen.map(timesTheMemory)) };
}
