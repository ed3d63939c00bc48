/**
 * What became of the server between two snapshots: whether its counters went on, or began anew, or are another
 * instance's altogether. Everything that a difference means depends on it.
 */
import type { Limit, Snapshot } from '../domain/index.ts';

/** Milliseconds from one to the other: by PgLuthier's clock where both know it, else by the target's. */
export function elapsedMs(from: Snapshot, to: Snapshot): number {
  if (from.collected_at === undefined || to.collected_at === undefined) return targetElapsedMs(from, to);
  return Date.parse(to.collected_at) - Date.parse(from.collected_at);
}

function targetElapsedMs(from: Snapshot, to: Snapshot): number {
  return Date.parse(to.taken_at) - Date.parse(from.taken_at);
}

/** What the differences may rely on. */
export interface Continuity {
  /** The target's clock was set in between: times on it before and after cannot be compared. */
  clock_stepped: boolean;
  /** Another instance of the cluster answers (a failover): its counters have a history of their own. */
  replaced: boolean;
  /** A crash threw away the cumulative statistics, of tables and of pg_stat_statements alike. */
  crashed: boolean;
  limits: Limit[];
}

function limit(code: string, message: string): Limit {
  return { scope: 'window', code, message, remedy: null };
}

/** Clocks that run apart differ by some 100 ppm; answers are late by seconds: more than this was set by somebody. */
function clockStepped(from: Snapshot, to: Snapshot): boolean {
  const apart = Math.abs(targetElapsedMs(from, to) - elapsedMs(from, to));
  return apart > 10_000 + elapsedMs(from, to) / 1000;
}

/**
 * Crash recovery begins the server-wide counters (bgwriter, WAL, archiver) anew all at once, and
 * pg_stat_statements loses its file; the postmaster lives on, so that `started_at` tells nothing of it (seen on 14 to
 * 18 after SIGKILL of a backend). pg_stat_reset_shared() moves the former (17+: all of them), never the latter.
 */
function hasCrashed(from: Snapshot, to: Snapshot): boolean {
  const moved = (['bgwriter', 'wal', 'archiver'] as const).flatMap((kind) => {
    const [before, after] = [from.counters[kind]?.stats_reset, to.counters[kind]?.stats_reset];
    return before && after ? [Date.parse(after) > Date.parse(before)] : [];
  });
  if (moved.length < 2 || !moved.every(Boolean)) return false;
  const [before, after] = [from.statements_info?.stats_reset, to.statements_info?.stats_reset];
  if (before && after && before !== after) return true;
  return databaseFell(from, to);
}

/** Any of the database's counters is below its earlier reading. */
export function databaseFell(from: Snapshot, to: Snapshot): boolean {
  const [before, after] = [from.counters.database, to.counters.database];
  if (before === null || after === null) return false;
  return (['xact_commit', 'tup_returned', 'tup_fetched', 'blks_hit', 'sessions'] as const).some(
    (key) => (after[key] ?? 0) < (before[key] ?? 0),
  );
}

/** Judges two snapshots of one cluster, in their order. */
export function continuityOf(from: Snapshot, to: Snapshot): Continuity {
  const stepped = clockStepped(from, to);
  const restarted = from.server.started_at !== to.server.started_at;
  // A restart within the window is later than the earlier snapshot; a postmaster that ran before it is another one.
  const replaced =
    restarted && !stepped && Date.parse(to.server.started_at) < Date.parse(from.taken_at) - from.duration_ms;
  const crashed = !replaced && hasCrashed(from, to);
  const limits: Limit[] = [];
  if (stepped) {
    limits.push(
      limit(
        'clock_stepped',
        `The window lasted ${Math.round(targetElapsedMs(from, to) / 1000)} s on the target's clock and ${Math.round(elapsedMs(from, to) / 1000)} s on PgLuthier's, by which rates are counted: one of them was set.`,
      ),
    );
  }
  if (replaced) {
    limits.push(
      limit(
        'server_replaced',
        `Another instance of this cluster answers (it runs since ${to.server.started_at}; a failover?): its counters do not continue those of the earlier snapshot and are left out, but for statements that began within the window.`,
      ),
    );
  } else if (restarted) {
    limits.push(
      limit(
        'server_restarted',
        `The server restarted within the window, at ${to.server.started_at}; activity that a crash discarded is missing, and caches were cold afterwards.`,
      ),
    );
  }
  if (crashed) {
    limits.push(
      limit(
        'server_crashed',
        'The server recovered from a crash within the window and discarded its statistics: only what happened since is counted.',
      ),
    );
  }
  return { clock_stepped: stepped, replaced, crashed, limits };
}
