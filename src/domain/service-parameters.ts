/**
 * What services and operators take as a parameter of the server, by their documentation. What could not be verified is
 * not refused here: docs/settings.md says for whom that is so.
 */

/** Of what the rules propose, what the owner of a database may set for it (context user; a test asks real servers). */
export const SET_BY_OWNER: ReadonlySet<string> = new Set([
  'default_statistics_target',
  'default_toast_compression',
  'effective_cache_size',
  'effective_io_concurrency',
  'hash_mem_multiplier',
  'idle_in_transaction_session_timeout',
  'jit',
  'jit_above_cost',
  'maintenance_io_concurrency',
  'maintenance_work_mem',
  'max_parallel_maintenance_workers',
  'max_parallel_workers',
  'max_parallel_workers_per_gather',
  'random_page_cost',
  'work_mem',
]);

/** Why a parameter is not taken, and what SQL may set it instead. */
export interface Untaken {
  /** For a comment, without the name in front. */
  reason: string;
  /** Whom SQL sets it for there; null: nobody sets it. */
  instead: 'database' | 'role' | null;
}

interface Bounds {
  least?: number;
  most?: number;
}

/**
 * supabase.com/docs/guides/database/custom-postgres-config, "CLI supported parameters" as of 2025-10-23, all 23 of them. The
 * Management API answers 400 to any other, and nothing of the call is set (internal/postgresConfig/update of supabase/cli).
 */
const SUPABASE_KEYS: ReadonlySet<string> = new Set([
  'effective_cache_size',
  'logical_decoding_work_mem',
  'maintenance_work_mem',
  'max_connections',
  'max_locks_per_transaction',
  'max_parallel_maintenance_workers',
  'max_parallel_workers',
  'max_parallel_workers_per_gather',
  'max_replication_slots',
  'max_slot_wal_keep_size',
  'max_standby_archive_delay',
  'max_standby_streaming_delay',
  'max_wal_senders',
  'max_wal_size',
  'max_worker_processes',
  'session_replication_role',
  'shared_buffers',
  'statement_timeout',
  'track_activity_query_size',
  'track_commit_timestamp',
  'wal_keep_size',
  'wal_sender_timeout',
  'work_mem',
]);

/** The same page, "Superuser settings": supautils lets the role postgres set these for a role. */
const SUPABASE_BY_ROLE: ReadonlySet<string> = new Set([
  'log_lock_waits',
  'log_min_duration_statement',
  'log_temp_files',
  'track_io_timing',
  'wal_compression',
]);

const AURORA_UNLISTED = 'not among the parameters of Aurora PostgreSQL 14';
const AURORA_STORAGE = `${AURORA_UNLISTED}, whose storage takes the WAL`;

/**
 * AuroraPostgreSQL.Reference.ParameterGroups of the Aurora user guide (awsdocs/amazon-aurora-user-guide at 0181647): cluster
 * and instance parameters of version 14. It has no later list.
 */
const AURORA: Readonly<Record<string, string>> = {
  checkpoint_completion_target: AURORA_STORAGE,
  checkpoint_timeout: AURORA_STORAGE,
  max_wal_size: AURORA_STORAGE,
  min_wal_size: AURORA_STORAGE,
  wal_compression: AURORA_STORAGE,
  log_checkpoints: AURORA_UNLISTED,
  jit: AURORA_UNLISTED,
  jit_above_cost: AURORA_UNLISTED,
};

/**
 * Parameter type "read-only" in articles/postgresql/server-parameters/includes/param-17-*.md of MicrosoftDocs/azure-databases-docs
 * (at 2a5e420 and 0200b8f, of 2025-12-29 and 2025-05-05).
 */
const AZURE_READ_ONLY: ReadonlySet<string> = new Set([
  'default_toast_compression',
  'maintenance_io_concurrency',
  'max_slot_wal_keep_size',
]);

/** "Allowed values" there, in pg_settings' own unit: narrower than PostgreSQL's, by a single kB for 2 GB. */
const AZURE_BOUNDS: Readonly<Record<string, Bounds>> = {
  autovacuum_work_mem: { most: 2_097_151 },
  maintenance_work_mem: { most: 2_097_151 },
  max_connections: { least: 25, most: 5000 },
  max_wal_size: { most: 65_536 },
  work_mem: { least: 4096, most: 2_097_151 },
};

/** patroni/patroni at 0a7a3e8, docs/patroni_configuration.rst: "minimal value"; below it Patroni takes its own. */
const PATRONI_BOUNDS: Readonly<Record<string, Bounds>> = {
  max_connections: { least: 25 },
  max_locks_per_transaction: { least: 32 },
  max_worker_processes: { least: 2 },
};

const BOUNDS: Readonly<Record<string, Readonly<Record<string, Bounds>>>> = {
  azure: AZURE_BOUNDS,
  patroni: PATRONI_BOUNDS,
};

/** @param service of server.managed_service; null where nobody else owns the server. */
export function untakenParameter(service: string | null, name: string): Untaken | null {
  const owner = SET_BY_OWNER.has(name) ? 'database' : null;
  switch (service) {
    case 'supabase':
      if (SUPABASE_KEYS.has(name)) return null;
      return {
        reason: 'no key of supabase postgres-config',
        instead: owner ?? (SUPABASE_BY_ROLE.has(name) ? 'role' : null),
      };
    case 'aurora': {
      const reason = AURORA[name];
      return reason === undefined ? null : { reason, instead: owner };
    }
    case 'azure':
      return AZURE_READ_ONLY.has(name) ? { reason: 'read-only on Azure', instead: null } : null;
    default:
      return null;
  }
}

/**
 * The nearest value that the owner takes.
 * @param bare in pg_settings' own unit; words come back as they are.
 */
export function withinService(service: string, name: string, bare: string): string {
  const bounds = BOUNDS[service]?.[name];
  const value = Number(bare);
  // -1 and the like mean something else than a size.
  if (!bounds || bare.trim() === '' || Number.isNaN(value) || value < 0) return bare;
  return String(Math.min(Math.max(value, bounds.least ?? value), bounds.most ?? Number.POSITIVE_INFINITY));
}
