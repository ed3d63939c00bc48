/** Two snapshots → a window: what happened between them, with resets, restarts and evictions told apart from quiet. */
import { diffCounters, type Limit, PgLuthierError, type Snapshot, type Window } from '../domain/index.ts';
import { diffIndexes, diffTables, relationsWereReset } from './relation-delta.ts';
import { diffStatements } from './statement-delta.ts';

function invalid(message: string, remedy: string): PgLuthierError {
  return new PgLuthierError({ code: 'window_invalid', status: 422, message, remedy });
}

/** Milliseconds from one to the other: by PgLuthier's clock where both know it, else by the target's. */
function elapsedMs(from: Snapshot, to: Snapshot): number {
  if (from.collected_at === undefined || to.collected_at === undefined) return targetElapsedMs(from, to);
  return Date.parse(to.collected_at) - Date.parse(from.collected_at);
}

function targetElapsedMs(from: Snapshot, to: Snapshot): number {
  return Date.parse(to.taken_at) - Date.parse(from.taken_at);
}

/** Clocks that run apart differ by some 100 ppm; answers are late by seconds: more than this was set by somebody. */
function clockLimits(from: Snapshot, to: Snapshot): Limit[] {
  const apart = Math.abs(targetElapsedMs(from, to) - elapsedMs(from, to));
  if (apart <= 10_000 + elapsedMs(from, to) / 1000) return [];
  return [
    {
      scope: 'window',
      code: 'clock_stepped',
      message: `The window lasted ${Math.round(targetElapsedMs(from, to) / 1000)} s on the target's clock and ${Math.round(elapsedMs(from, to) / 1000)} s on PgLuthier's, by which rates are counted: one of them was set.`,
      remedy: null,
    },
  ];
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
 * between, what was counted since the reset is taken (a lower bound), and a limit says so.
 * @throws PgLuthierError `window_invalid`: not in order, another cluster, another database.
 */
export function diffSnapshots(from: Snapshot, to: Snapshot): Window {
  checkComparable(from, to);
  const limits: Limit[] = clockLimits(from, to);
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
    seconds: elapsedMs(from, to) / 1000,
    statements: statements.deltas,
    tables: diffTables(from.tables, to.tables, reset.everything),
    indexes: diffIndexes(from.indexes, to.indexes, reset.everything),
    counters: diffCounters(from.counters, to.counters),
    limits,
  };
}
