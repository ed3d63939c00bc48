/** What around a change holds it off: standbys that lag, and too little disk. */
import type { Change } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import type { Drift } from './drift.ts';
import { findIndex } from './index-facts.ts';

/** A build sorts into temporary files and writes the index: about twice its size at the worst. */
const DISK_FACTOR = 2;

/**
 * Disk that the change needs while it runs, bytes: twice the index (a reindex' own size, a new one's estimate).
 * Null: not known; 0: none.
 */
export async function diskNeed(
  session: TargetSession,
  change: Change,
  estimate_bytes: number | null,
): Promise<number | null> {
  switch (change.kind) {
    case 'index.create':
      return estimate_bytes === null ? null : Math.ceil(estimate_bytes * DISK_FACTOR);
    case 'index.reindex': {
      const index = await findIndex(session, change.schema, change.name);
      return index ? index.size_bytes * DISK_FACTOR : null;
    }
    default:
      return 0;
  }
}

export function diskRefusal(need: number | null, budget: number | null): Drift | null {
  if (budget === null || need === 0) return null;
  if (need === null) {
    return {
      code: 'disk_need_unknown',
      message: `How much disk this takes is not known, and the policy has a budget of ${budget} bytes.`,
    };
  }
  return need > budget
    ? {
        code: 'disk_budget_exceeded',
        message: `This needs ${need} bytes of disk while it runs; the policy's budget is ${budget}.`,
      }
    : null;
}

/**
 * replay_lag is worked out from samples of WAL that the standby has confirmed before (LagTrackerRead() of walsender.c):
 * of one that was idle before it stood still there are none, and it is NULL or old. So much of WAL that a connected
 * standby has not replayed counts as a lag whatever the time says.
 */
const STALLED_BYTES = 256 * 2 ** 20;

/** `FIRST 2 (a, b)`, `ANY 2 (a, b)` and `2 (a, b)` want two; a list alone wants one (syncrep_gram.y). */
function wantedStandbys(names: string): number {
  return Number(/^\s*(?:first\s+|any\s+)?(\d+)\s*\(/i.exec(names)?.[1] ?? 1);
}

/**
 * Where synchronous standbys are missing each commit waits for them, without an end, and with it the locks of a change;
 * a cancel only ends the wait (SyncRepWaitForLSN() of syncrep.c), one commit after the other. ALTER SYSTEM commits nothing.
 * Without pg_read_all_stats the standbys' states are hidden, and nothing is refused.
 */
export async function syncRefusal(session: TargetSession, change: Change): Promise<Drift | null> {
  if (change.kind === 'setting') return null;
  const [row] = await session.query<{ names: string; local: boolean; seen: boolean; there: number }>(
    `SELECT current_setting('synchronous_standby_names') AS names,
            current_setting('synchronous_commit') = 'local' AS local,
            pg_has_role('pg_read_all_stats', 'USAGE') AS seen,
            (SELECT count(*)::int FROM pg_stat_replication
             WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')) AS there`,
  );
  if (!row || row.names.trim() === '' || row.local || !row.seen) return null;
  const wanted = wantedStandbys(row.names);
  return row.there >= wanted
    ? null
    : {
        code: 'sync_standby_missing',
        message: `The server waits at each commit for ${wanted} synchronous standby(s) of "${row.names}", and ${row.there} stream(s): the change would hold its locks for as long.`,
      };
}

/** What the end of WAL may differ by where nothing is written: headers of a new page. */
const PAGE_BYTES = 8_192;

/** Where the primary's WAL ended at an earlier time. */
export interface EarlierWal {
  /** From 0/0. */
  position_bytes: number;
  /** How long ago, s. */
  seconds: number;
}

/**
 * Standbys whose replay is further behind than `maxSeconds`, or that stand still. Without pg_monitor the columns are
 * NULL, and nothing is refused: the plan lists that as a limit.
 * @param earlier the end of WAL `maxSeconds` ago or before that: a standby that has not replayed it lags by that long,
 * whatever its replay_lag says. Null: nobody looked then.
 */
export async function lagRefusal(
  session: TargetSession,
  maxSeconds: number,
  earlier: EarlierWal | null,
): Promise<Drift | null> {
  const rows = await session.query<{ name: string; seconds: number | null; bytes: number; stalled: boolean }>(
    `SELECT * FROM (
       SELECT coalesce(nullif(application_name, ''), client_addr::text, 'pid ' || pid) AS name,
              extract(epoch FROM replay_lag)::float8 AS seconds,
              pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8 AS bytes,
              coalesce($3::float8 - pg_wal_lsn_diff(replay_lsn, '0/0')::float8 > ${PAGE_BYTES}, false) AS stalled
       FROM pg_stat_replication
       WHERE state IN ('streaming', 'catchup') AND NOT pg_is_in_recovery()
     ) AS standby
     WHERE seconds > $1::float8 OR bytes > $2::float8 OR stalled
     ORDER BY stalled DESC, seconds DESC NULLS LAST`,
    [maxSeconds, STALLED_BYTES, earlier?.position_bytes ?? null],
  );
  const [worst] = rows;
  if (!worst) return null;
  const seconds = worst.stalled ? (earlier?.seconds ?? 0) : worst.seconds;
  const behind = seconds === null ? '' : `${worst.stalled ? 'at least ' : ''}${seconds.toFixed(1)} s and `;
  return {
    code: 'replica_lag',
    message: `${rows.length} standby(s) lag: ${worst.name} is ${behind}${worst.bytes} bytes behind; the policy allows ${maxSeconds} s.`,
  };
}
