/** Two snapshots → a window: what happened between them, with resets, restarts and evictions told apart from quiet. */
import { diffCounters, type Limit, PgLuthierError, type Snapshot, type Window } from '../domain/index.ts';
import { diffIndexes, diffTables, relationsWereReset } from './relation-delta.ts';
import { diffStatements } from './statement-delta.ts';

function invalid(message: string, remedy: string): PgLuthierError {
  return new PgLuthierError({ code: 'window_invalid', status: 422, message, remedy });
}

/** Refuses two snapshots between which no difference means anything. */
function checkComparable(from: Snapshot, to: Snapshot): void {
  if (!(Date.parse(to.taken_at) > Date.parse(from.taken_at))) {
    throw invalid(
      `The later snapshot (${to.taken_at}) is not after the earlier one (${from.taken_at}) on the target's clock.`,
      "Give the snapshots in their order; if the target's clock was set back, take a new first snapshot.",
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
 * between, what was counted since the reset is taken (a lower bound), and a limit says so.
 * @throws PgLuthierError `window_invalid`: not in order on the target's clock, another cluster, another database.
 */
export function diffSnapshots(from: Snapshot, to: Snapshot): Window {
  checkComparable(from, to);
  const limits: Limit[] = [];
  const restarted = from.server.started_at !== to.server.started_at;
  if (restarted) {
    limits.push({
      scope: 'window',
      code: 'server_restarted',
      message: `The server restarted within the window, at ${to.server.started_at}; activity that a crash discarded is missing, and caches were cold afterwards.`,
      remedy: null,
    });
  }
  const statements = diffStatements(from, to);
  limits.push(...statements.limits);
  const reset = relationsWereReset(from, to);
  limits.push(...reset.limits);
  return {
    from: from.taken_at,
    to: to.taken_at,
    seconds: (Date.parse(to.taken_at) - Date.parse(from.taken_at)) / 1000,
    statements: statements.deltas,
    tables: diffTables(from.tables, to.tables, reset.everything),
    indexes: diffIndexes(from.indexes, to.indexes, reset.everything),
    counters: diffCounters(from.counters, to.counters),
    limits,
  };
}
