/** Differences of the database-wide and server-wide counters. */
import type { Counters, IoRow } from './server-counters.ts';
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

const BGWRITER = ['buffers_clean', 'maxwritten_clean', 'buffers_alloc'] as const;
const ARCHIVER = ['archived_count', 'failed_count'] as const;
const IO = [
  'reads',
  'read_bytes',
  'read_time_ms',
  'writes',
  'write_bytes',
  'write_time_ms',
  'extends',
  'extend_bytes',
  'extend_time_ms',
  'hits',
  'evictions',
  'reuses',
  'fsyncs',
  'fsync_time_ms',
] as const satisfies readonly (keyof IoRow)[];

/** Rows of pg_stat_io that did something; what a kind of process never does stays null. */
function diffIo(from: readonly IoRow[], to: readonly IoRow[]): NonNullable<CountersDelta['io']> {
  const key = (row: IoRow) => `${row.backend_type}/${row.object}/${row.context}`;
  const before = new Map(from.map((row) => [key(row), row]));
  return to.flatMap((row) => {
    const change = difference(before.get(key(row)) ?? {}, row, IO);
    if (IO.every((name) => change[name] === 0)) return [];
    const cells = IO.map((name) => [name, row[name] === null ? null : change[name]] as const);
    const { backend_type, object, context } = row;
    return [
      {
        backend_type,
        object,
        context,
        ...(Object.fromEntries(cells) as Record<(typeof IO)[number], number | null>),
      },
    ];
  });
}

/**
 * No view tells the next multixact. While a database's oldest one stays, its age grows by what was used: the most that
 * any database's grew. Null: all of them moved on, or none was seen.
 */
function usedMultixacts(from: Counters, to: Counters): number | null {
  const before = new Map(from.databases.map((row) => [row.oid, row.datminmxid_age]));
  const grown = to.databases.flatMap((row) => {
    const age = before.get(row.oid);
    return age === undefined || row.datminmxid_age < age ? [] : [row.datminmxid_age - age];
  });
  return grown.length > 0 ? Math.max(...grown) : null;
}

const PARALLEL = ['parallel_workers_to_launch', 'parallel_workers_launched'] as const;

/** Nothing where one end does not tell (before 18, or a snapshot of before they were read): zero would be a number. */
function parallelWorkers(from: Counters['database'], to: Counters['database']) {
  const told = (row: Counters['database']) => PARALLEL.every((name) => typeof row?.[name] === 'number');
  return from && to && told(from) && told(to) ? difference(from, to, PARALLEL) : {};
}

/** What was counted between two snapshots of one server. */
export function diffCounters(from: Counters, to: Counters): CountersDelta {
  const between = <T extends object, K extends string>(a: T | null, b: T | null, keys: readonly K[]) =>
    a && b ? difference(a, b, keys) : null;
  const bgwriter = between(from.bgwriter, to.bgwriter, BGWRITER);
  const backend = [from.bgwriter?.buffers_backend, to.bgwriter?.buffers_backend];
  const database = between(from.database, to.database, DATABASE);
  const xids =
    from.transaction_ids && to.transaction_ids
      ? to.transaction_ids.next_xid - from.transaction_ids.next_xid
      : null;
  return {
    database: database && { ...database, ...parallelWorkers(from.database, to.database) },
    checkpoints: between(from.checkpoints, to.checkpoints, CHECKPOINTS),
    wal: between(from.wal, to.wal, WAL),
    bgwriter: bgwriter && {
      ...bgwriter,
      buffers_backend:
        typeof backend[0] === 'number' && typeof backend[1] === 'number'
          ? backend[1] - (backend[1] < backend[0] ? 0 : backend[0])
          : null,
    },
    archiver: between(from.archiver, to.archiver, ARCHIVER),
    xids: xids !== null && xids >= 0 ? xids : null,
    mxids: usedMultixacts(from, to),
    io: from.io && to.io ? diffIo(from.io, to.io) : null,
  };
}
