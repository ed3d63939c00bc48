/** Whether a new index can be why a statement got faster: was it read often enough for that? */
import { type IndexRow, leavesOf } from '../../domain/index.ts';
import type { Compared } from './compare.ts';
import type { Side } from './judgement.ts';

/** The calls after may be others than those before, and the index be read for more than one statement. */
const ALLOWANCE = 0.5;

/**
 * Scans in the window; of a partitioned table's index, which has no counters of its own, those of its parts: the valid
 * indexes of the leaves with the same keys.
 */
export function scansOf(built: IndexRow, { window, snapshot }: Side): number {
  const counted = new Map(window.indexes.map((delta) => [delta.oid, delta.idx_scan]));
  if (built.relkind !== 'I') return counted.get(built.oid) ?? 0;
  const leaves = new Set(leavesOf(snapshot.tables, built).map(({ oid }) => oid));
  const shape = ({ method, keys, predicate }: IndexRow) => JSON.stringify([method, keys, predicate]);
  return snapshot.indexes
    .filter((row) => row.is_partition && leaves.has(row.table_oid) && shape(row) === shape(built))
    .reduce((sum, { oid }) => sum + (counted.get(oid) ?? 0), 0);
}

/**
 * Scans without which the index cannot be why the statement's calls got faster by `gain_ms` in the mean. A call that does
 * not read it takes as long as before. Where a share u of the calls reads it, they can save no more than all of their
 * time T, and by the inequality of Cauchy and Schwarz E[T · read] ≤ √(E[T²] · u): so u ≥ gain² ÷ (mean² + deviation²),
 * by the mean and the deviation that pg_stat_statements has of the calls before. A few heavy calls may be all of the
 * gain, and then few scans suffice. Half of that is asked for.
 */
export function leastScans({ pair: { before, after }, gain_ms }: Compared): number {
  const { mean_exec_time_ms: mean, stddev_exec_time_ms: deviation } = before;
  if (gain_ms <= 0) return 0;
  return Math.max(1, (ALLOWANCE * after.calls * gain_ms ** 2) / (mean ** 2 + deviation ** 2));
}
