/** Counters of the server and the database as a whole, cumulative since their reset. `_ms` fields need track_io_timing. */

/** pg_stat_database of this database. */
export interface DatabaseCounters {
  xact_commit: number;
  xact_rollback: number;
  blks_read: number;
  blks_hit: number;
  tup_returned: number;
  tup_fetched: number;
  tup_inserted: number;
  tup_updated: number;
  tup_deleted: number;
  temp_files: number;
  temp_bytes: number;
  deadlocks: number;
  /** Statements cancelled on a standby. */
  conflicts: number;
  /** Null: checksums are off. */
  checksum_failures: number | null;
  blk_read_time_ms: number;
  blk_write_time_ms: number;
  sessions: number;
  session_time_ms: number;
  active_time_ms: number;
  idle_in_transaction_time_ms: number;
  sessions_abandoned: number;
  sessions_fatal: number;
  sessions_killed: number;
  /** Parallel workers that queries planned to start, and that started, 18+. Null before; absent: not read. */
  parallel_workers_to_launch?: number | null;
  parallel_workers_launched?: number | null;
  /** A gauge: backends now. */
  numbackends: number;
  stats_reset: string | null;
}

/** pg_stat_checkpointer (17+) or pg_stat_bgwriter. */
export interface CheckpointCounters {
  timed: number;
  requested: number;
  /** Completed ones, 18+: timed and requested count skipped ones too. Null before. */
  done: number | null;
  write_time_ms: number;
  sync_time_ms: number;
  buffers_written: number;
  stats_reset: string | null;
}

/** pg_stat_bgwriter. */
export interface BgwriterCounters {
  buffers_clean: number;
  maxwritten_clean: number;
  buffers_alloc: number;
  /** Written by backends themselves; null on 17+ (there pg_stat_io says it). */
  buffers_backend: number | null;
  stats_reset: string | null;
}

/** pg_stat_wal. */
export interface WalCounters {
  wal_records: number;
  wal_bytes: number;
  /** Full-page images. */
  wal_fpi: number;
  /** Times that wal_buffers was full. */
  wal_buffers_full: number;
  stats_reset: string | null;
}

/** pg_stat_archiver. */
export interface ArchiverCounters {
  archived_count: number;
  failed_count: number;
  last_archived_time: string | null;
  last_failed_wal: string | null;
  last_failed_time: string | null;
  stats_reset: string | null;
}

/** Gauges of transaction identifiers. */
export interface TransactionIds {
  /** Next transaction id with its epoch (pg_snapshot_xmax): its growth is the rate of transactions that write. On a standby what was replayed. */
  next_xid: number;
  /** age(datfrozenxid) and mxid_age(datminmxid), this database. */
  datfrozenxid_age: number;
  datminmxid_age: number;
  /** WAL position in bytes: insert position, on a standby the replayed one. Null: not to be told. */
  wal_position_bytes: number | null;
}

/** pg_stat_io, 16+, one row a (backend_type, object, context). Null within: this kind does not do it, or no timing. */
export interface IoRow {
  backend_type: string;
  object: string;
  context: string;
  reads: number | null;
  read_bytes: number | null;
  read_time_ms: number | null;
  writes: number | null;
  write_bytes: number | null;
  write_time_ms: number | null;
  extends: number | null;
  extend_bytes: number | null;
  extend_time_ms: number | null;
  hits: number | null;
  evictions: number | null;
  reuses: number | null;
  fsyncs: number | null;
  fsync_time_ms: number | null;
  stats_reset: string | null;
}

/** A database of the server, whether watched or not: its age endangers all of them. */
export interface DatabaseRow {
  oid: number;
  name: string;
  allows_connections: boolean;
  is_template: boolean;
  datfrozenxid_age: number;
  datminmxid_age: number;
  numbackends: number;
}

/** Each null or empty: not seen, and a limit says why. */
export interface Counters {
  database: DatabaseCounters | null;
  checkpoints: CheckpointCounters | null;
  bgwriter: BgwriterCounters | null;
  wal: WalCounters | null;
  archiver: ArchiverCounters | null;
  transaction_ids: TransactionIds | null;
  /** Null before 16. */
  io: IoRow[] | null;
  databases: DatabaseRow[];
}

/** Nothing seen. */
export const noCounters: Counters = {
  database: null,
  checkpoints: null,
  bgwriter: null,
  wal: null,
  archiver: null,
  transaction_ids: null,
  io: null,
  databases: [],
};
