/** Differences of the database-wide and server-wide counters. */
import type { Counters } from './server-counters.ts';
import type { CountersDelta } from './workload.ts';

type Row = object;

/** Later minus earlier; counted from zero where any counter fell (a reset in between), which is a lower bound. */
function difference<K extends string>(before: Row, after: Row, keys: readonly K[]): Record<K, number> {
  const number = (row: Row, key: string) => Number((row as Record<string, unknown>)[key] ?? 0);
  const fell = keys.some((key) => number(after, key) < number(before, key));
  const pairs = keys.map((key) => [key, number(after, key) - (fell ? 0 : number(before, key))] as const);
  return Object.fromEntries(pairs) as Record<K, number>;
}

const DATABASE = [
  'xact_commit',
  'xact_rollback',
  'blks_read',
  'blks_hit',
  'tup_returned',
  'tup_fetched',
  'tup_inserted',
  'tup_updated',
  'tup_deleted',
  'temp_files',
  'temp_bytes',
  'deadlocks',
  'conflicts',
  'blk_read_time_ms',
  'blk_write_time_ms',
  'sessions',
  'session_time_ms',
  'active_time_ms',
  'idle_in_transaction_time_ms',
  'sessions_abandoned',
  'sessions_fatal',
  'sessions_killed',
] as const;

const CHECKPOINTS = ['timed', 'requested', 'write_time_ms', 'sync_time_ms', 'buffers_written'] as const;
const WAL = ['wal_records', 'wal_bytes', 'wal_fpi', 'wal_buffers_full'] as const;

/** What was counted between two snapshots of one server. */
export function diffCounters(from: Counters, to: Counters): CountersDelta {
  return {
    database: from.database && to.database ? difference(from.database, to.database, DATABASE) : null,
    checkpoints:
      from.checkpoints && to.checkpoints ? difference(from.checkpoints, to.checkpoints, CHECKPOINTS) : null,
    wal: from.wal && to.wal ? difference(from.wal, to.wal, WAL) : null,
  };
}
