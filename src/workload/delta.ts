/** Two snapshots → a window: what happened between them, with resets, restarts and evictions told apart from quiet. */
import { diffCounters, PgLuthierError, type Snapshot, type Window } from '../domain/index.ts';
import { continuityOf, elapsedMs } from './continuity.ts';
import { diffIndexes, diffTables, relationsWereReset } from './relation-delta.ts';
import { diffStatements } from './statement-delta.ts';

function invalid(message: string, remedy: string): PgLuthierError {
  return new PgLuthierError({ code: 'window_invalid', status: 422, message, remedy });
}

/** Refuses two snapshots between which no difference means anything. */
function checkComparable(from: Snapshot, to: Snapshot): void {
  if (elapsedMs(from, to) <= 0) {
    throw invalid(
      `The later snapshot (${to.taken_at}) is not after the earlier one (${from.taken_at}).`,
      'Give the snapshots in their order; if the clock was set back, take a new first snapshot.',
    );
  }
  const [before, after] = [from.server.system_identifier, to.server.system_identifier];
  if (before !== null && after !== null && before !== after) {
    throw invalid(
      `The snapshots are of different clusters (system identifiers ${before} and ${after}).`,
      'Compare snapshots of one server; after a move to a new cluster, take a new first snapshot.',
    );
  }
  if (from.server.database !== to.server.database) {
    throw invalid(
      `The snapshots are of different databases (${from.server.database} and ${to.server.database}).`,
      'Compare snapshots of one database.',
    );
  }
}

/**
 * The window between two snapshots of one target. Rows without activity are left out. Where counters were reset in
 * between, what was counted since the reset is taken (a lower bound), and a limit says so. Where another instance
 * answers, nothing but statements that began within the window is counted.
 * @throws PgLuthierError `window_invalid`: not in order, another cluster, another database.
 */
export function diffSnapshots(from: Snapshot, to: Snapshot): Window {
  checkComparable(from, to);
  const continuity = continuityOf(from, to);
  const statements = diffStatements(from, to, continuity);
  const reset = relationsWereReset(from, to, continuity);
  return {
    from: from.taken_at,
    to: to.taken_at,
    seconds: elapsedMs(from, to) / 1000,
    statements: statements.deltas,
    tables: continuity.replaced ? [] : diffTables(from.tables, to.tables, reset.everything),
    indexes: continuity.replaced ? [] : diffIndexes(from.indexes, to.indexes, reset.everything),
    // Null counters: nothing of both ends to compare.
    counters: continuity.replaced
      ? { database: null, checkpoints: null, wal: null, bgwriter: null, archiver: null, xids: null, io: null }
      : diffCounters(from.counters, to.counters),
    limits: [...continuity.limits, ...statements.limits, ...reset.limits],
  };
}
