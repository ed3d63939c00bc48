/** What vendors' documentation says of the parameters that PgLuthier proposes, as it was read in November 2026. */

/** Everything that a rule or `tune` may propose for a server. */
export const PROPOSED = [
  'autovacuum_max_workers',
  'autovacuum_naptime',
  'autovacuum_vacuum_cost_delay',
  'autovacuum_vacuum_cost_limit',
  'autovacuum_work_mem',
  'checkpoint_completion_target',
  'checkpoint_timeout',
  'default_statistics_target',
  'default_toast_compression',
  'effective_cache_size',
  'effective_io_concurrency',
  'hash_mem_multiplier',
  'huge_pages',
  'idle_in_transaction_session_timeout',
  'jit',
  'jit_above_cost',
  'log_autovacuum_min_duration',
  'log_checkpoints',
  'log_line_prefix',
  'log_lock_waits',
  'log_min_duration_statement',
  'log_temp_files',
  'maintenance_io_concurrency',
  'maintenance_work_mem',
  'max_connections',
  'max_locks_per_transaction',
  'max_parallel_maintenance_workers',
  'max_parallel_workers',
  'max_parallel_workers_per_gather',
  'max_slot_wal_keep_size',
  'max_wal_size',
  'max_worker_processes',
  'min_wal_size',
  'random_page_cost',
  'shared_buffers',
  'track_io_timing',
  'wal_buffers',
  'wal_compression',
  'work_mem',
];

/** supabase.com/docs/guides/database/custom-postgres-config, "CLI supported parameters", as of 2025-10-23. */
export const SUPABASE_CLI =
  `effective_cache_size logical_decoding_work_mem maintenance_work_mem max_connections
  max_locks_per_transaction max_parallel_maintenance_workers max_parallel_workers_per_gather max_parallel_workers
  max_replication_slots max_slot_wal_keep_size max_standby_archive_delay max_standby_streaming_delay max_wal_size
  max_wal_senders max_worker_processes session_replication_role shared_buffers statement_timeout track_activity_query_size
  track_commit_timestamp wal_keep_size wal_sender_timeout work_mem`.split(/\s+/);

/**
 * Those of PROPOSED in "Aurora PostgreSQL cluster-level parameters", version 14: AuroraPostgreSQL.Reference.ParameterGroups of the
 * Aurora user guide (awsdocs/amazon-aurora-user-guide at 0181647).
 */
export const AURORA_CLUSTER = `autovacuum_max_workers autovacuum_naptime autovacuum_vacuum_cost_delay
  autovacuum_vacuum_cost_limit autovacuum_work_mem default_statistics_target default_toast_compression effective_cache_size
  effective_io_concurrency hash_mem_multiplier huge_pages idle_in_transaction_session_timeout log_autovacuum_min_duration
  log_line_prefix log_lock_waits log_min_duration_statement log_temp_files maintenance_io_concurrency maintenance_work_mem
  max_connections max_locks_per_transaction max_parallel_maintenance_workers max_parallel_workers
  max_parallel_workers_per_gather max_slot_wal_keep_size max_worker_processes random_page_cost shared_buffers track_io_timing
  wal_buffers work_mem`.split(/\s+/);

/**
 * "Parameter type" and "Allowed values", version 17: articles/postgresql/server-parameters/includes/param-17-*.md of
 * MicrosoftDocs/azure-databases-docs (2a5e420, 0200b8f and 112cdf3; of 2025-12-29 and 2025-05-05), which
 * learn.microsoft.com/azure/postgresql/server-parameters shows. Ranges in pg_settings' own unit.
 */
export const AZURE_17: Record<
  string,
  ['dynamic' | 'static' | 'read-only', [number, number] | string[] | RegExp]
> = {
  autovacuum_max_workers: ['static', [1, 262143]],
  autovacuum_naptime: ['dynamic', [1, 2147483]],
  autovacuum_vacuum_cost_delay: ['dynamic', [-1, 100]],
  autovacuum_vacuum_cost_limit: ['dynamic', [-1, 10000]],
  autovacuum_work_mem: ['dynamic', [-1, 2097151]],
  checkpoint_completion_target: ['dynamic', [0, 1]],
  checkpoint_timeout: ['dynamic', [30, 86400]],
  default_statistics_target: ['dynamic', [1, 10000]],
  default_toast_compression: ['read-only', ['lz4']],
  effective_cache_size: ['dynamic', [1, 2147483647]],
  effective_io_concurrency: ['dynamic', [0, 1000]],
  hash_mem_multiplier: ['dynamic', [1, 1000]],
  huge_pages: ['static', ['on', 'off', 'try']],
  idle_in_transaction_session_timeout: ['dynamic', [0, 2147483647]],
  jit: ['dynamic', ['on', 'off']],
  jit_above_cost: ['dynamic', [-1, 2147483647]],
  log_autovacuum_min_duration: ['dynamic', [-1, 2147483647]],
  log_checkpoints: ['dynamic', ['on', 'off']],
  log_line_prefix: ['dynamic', /^[^']*$/],
  log_lock_waits: ['dynamic', ['on', 'off']],
  log_min_duration_statement: ['dynamic', [-1, 2147483647]],
  log_temp_files: ['dynamic', [-1, 2147483647]],
  maintenance_io_concurrency: ['read-only', ['10']],
  maintenance_work_mem: ['dynamic', [1024, 2097151]],
  max_connections: ['static', [25, 5000]],
  max_locks_per_transaction: ['static', [10, 8388608]],
  max_parallel_maintenance_workers: ['dynamic', [0, 64]],
  max_parallel_workers: ['dynamic', [0, 1024]],
  max_parallel_workers_per_gather: ['dynamic', [0, 1024]],
  max_slot_wal_keep_size: ['read-only', ['-1']],
  max_wal_size: ['dynamic', [32, 65536]],
  max_worker_processes: ['static', [0, 262143]],
  min_wal_size: ['dynamic', [32, 2097151]],
  random_page_cost: ['dynamic', [0, 1.79769e308]],
  shared_buffers: ['static', [16, 1073741823]],
  track_io_timing: ['dynamic', ['on', 'off']],
  wal_buffers: ['static', [-1, 262143]],
  wal_compression: ['dynamic', ['pglz', 'lz4', 'on', 'off']],
  work_mem: ['dynamic', [4096, 2097151]],
};

/** FixedConfigurationParameters of pkg/postgres/configuration.go of cloudnative-pg/cloudnative-pg, at 000280e; b122f63 has none. */
export const CNPG_FIXED_ONCE = ['huge_pages'];
