/**
 * What PgLuthier may write at all. ALTER SYSTEM accepts values that keep the server from starting again
 * (shared_buffers of a terabyte, a library that does not exist): only names on this list are ever set. Libraries,
 * connections, authentication, paths, replication and durability (fsync, full_page_writes, synchronous_commit) are
 * not on it.
 */

const SETTINGS: ReadonlySet<string> = new Set(
  [
    // Memory.
    'shared_buffers work_mem maintenance_work_mem autovacuum_work_mem hash_mem_multiplier effective_cache_size',
    'temp_buffers logical_decoding_work_mem wal_buffers vacuum_buffer_usage_limit huge_pages',
    // WAL and checkpoints.
    'max_wal_size min_wal_size checkpoint_timeout checkpoint_completion_target checkpoint_flush_after',
    'wal_compression wal_writer_delay wal_writer_flush_after',
    'bgwriter_delay bgwriter_lru_maxpages bgwriter_lru_multiplier bgwriter_flush_after backend_flush_after',
    // The planner.
    'random_page_cost seq_page_cost cpu_tuple_cost cpu_index_tuple_cost cpu_operator_cost parallel_setup_cost',
    'parallel_tuple_cost min_parallel_table_scan_size min_parallel_index_scan_size default_statistics_target',
    'from_collapse_limit join_collapse_limit geqo_threshold enable_partitionwise_join',
    'enable_partitionwise_aggregate jit jit_above_cost jit_inline_above_cost jit_optimize_above_cost',
    'plan_cache_mode effective_io_concurrency maintenance_io_concurrency io_combine_limit io_workers',
    // Workers.
    'max_worker_processes max_parallel_workers max_parallel_workers_per_gather max_parallel_maintenance_workers',
    // Autovacuum.
    'autovacuum autovacuum_max_workers autovacuum_worker_slots autovacuum_naptime autovacuum_vacuum_threshold',
    'autovacuum_vacuum_scale_factor autovacuum_vacuum_max_threshold autovacuum_vacuum_insert_threshold',
    'autovacuum_vacuum_insert_scale_factor autovacuum_analyze_threshold autovacuum_analyze_scale_factor',
    'autovacuum_vacuum_cost_delay autovacuum_vacuum_cost_limit vacuum_cost_delay vacuum_cost_limit',
    'vacuum_cost_page_hit vacuum_cost_page_miss vacuum_cost_page_dirty autovacuum_freeze_max_age',
    'autovacuum_multixact_freeze_max_age vacuum_freeze_min_age vacuum_freeze_table_age',
    'vacuum_multixact_freeze_min_age vacuum_multixact_freeze_table_age vacuum_failsafe_age',
    // What the server tells.
    'track_io_timing track_wal_io_timing track_activity_query_size track_functions track_counts',
    'log_checkpoints log_lock_waits log_temp_files log_autovacuum_min_duration log_min_duration_statement',
    'log_line_prefix default_toast_compression',
    'pg_stat_statements.max pg_stat_statements.track pg_stat_statements.track_planning',
    'pg_stat_statements.track_utility pg_stat_statements.save compute_query_id',
    // Sessions that hold others up.
    'idle_in_transaction_session_timeout idle_session_timeout lock_timeout statement_timeout deadlock_timeout',
    'transaction_timeout client_connection_check_interval',
  ].flatMap((line) => line.split(' ')),
);

/** Storage parameters that only take a ShareUpdateExclusive lock (reloptions.c of PostgreSQL 14 to 18). */
const RELOPTIONS =
  /^(toast\.)?(autovacuum_[a-z_]+|log_autovacuum_min_duration|vacuum_truncate|vacuum_index_cleanup|vacuum_max_eager_freeze_failure_rate)$|^(fillfactor|parallel_workers|toast_tuple_target)$/;

/** May this setting be written with ALTER SYSTEM? */
export function isAllowedSetting(name: string): boolean {
  return SETTINGS.has(name);
}

/** May this storage parameter of a table be changed? */
export function isAllowedReloption(name: string): boolean {
  return RELOPTIONS.test(name);
}
