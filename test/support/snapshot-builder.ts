/**
 * Snapshots, windows and rule contexts put together by hand: everything is a stock server's but for what a test
 * states. What the catalogs really say is tested against real servers; this is for what rules make of it.
 */
import type {
  Counters,
  IoRow,
  RuleContext,
  SettingRow,
  Snapshot,
  StatementDelta,
  TableDelta,
  Window,
  Workload,
  WorkloadQuery,
} from '../../src/domain/index.ts';
import { noActivity, noCounters, noReplication, noSchema } from '../../src/domain/index.ts';

export const GB = 1024 ** 3;
export const MB = 1024 ** 2;
export const TAKEN_AT = '2026-03-01T12:00:00.000Z';

/** name, setting, unit, context, vartype, min, max, boot value: pg_settings of a stock 18, read from one. */
type StockSetting = [string, string, string | null, string, string, string | null, string | null, string?];
const STOCK: StockSetting[] = [
  ['allow_alter_system', 'on', null, 'sighup', 'bool', null, null],
  ['autovacuum', 'on', null, 'sighup', 'bool', null, null],
  ['autovacuum_analyze_scale_factor', '0.1', null, 'sighup', 'real', '0', '100'],
  ['autovacuum_analyze_threshold', '50', null, 'sighup', 'integer', '0', '2147483647'],
  ['autovacuum_freeze_max_age', '200000000', null, 'postmaster', 'integer', '100000', '2000000000'],
  ['autovacuum_max_workers', '3', null, 'sighup', 'integer', '1', '262143'],
  ['autovacuum_multixact_freeze_max_age', '400000000', null, 'postmaster', 'integer', '10000', '2000000000'],
  ['autovacuum_naptime', '60', 's', 'sighup', 'integer', '1', '2147483'],
  ['autovacuum_vacuum_cost_delay', '2', 'ms', 'sighup', 'real', '-1', '100'],
  ['autovacuum_vacuum_cost_limit', '-1', null, 'sighup', 'integer', '-1', '10000'],
  ['autovacuum_vacuum_insert_scale_factor', '0.2', null, 'sighup', 'real', '0', '100'],
  ['autovacuum_vacuum_insert_threshold', '1000', null, 'sighup', 'integer', '-1', '2147483647'],
  ['autovacuum_vacuum_max_threshold', '100000000', null, 'sighup', 'integer', '-1', '2147483647'],
  ['autovacuum_vacuum_scale_factor', '0.2', null, 'sighup', 'real', '0', '100'],
  ['autovacuum_vacuum_threshold', '50', null, 'sighup', 'integer', '0', '2147483647'],
  ['autovacuum_worker_slots', '16', null, 'postmaster', 'integer', '1', '262143'],
  ['autovacuum_work_mem', '-1', 'kB', 'sighup', 'integer', '-1', '2147483647'],
  ['block_size', '8192', null, 'internal', 'integer', '8192', '8192'],
  ['checkpoint_completion_target', '0.9', null, 'sighup', 'real', '0', '1'],
  ['checkpoint_timeout', '300', 's', 'sighup', 'integer', '30', '86400'],
  ['effective_cache_size', '524288', '8kB', 'user', 'integer', '1', '2147483647'],
  ['effective_io_concurrency', '16', null, 'user', 'integer', '0', '1000'],
  ['fsync', 'on', null, 'sighup', 'bool', null, null],
  ['full_page_writes', 'on', null, 'sighup', 'bool', null, null],
  ['hash_mem_multiplier', '2', null, 'user', 'real', '1', '1000'],
  ['maintenance_work_mem', '65536', 'kB', 'user', 'integer', '64', '2147483647'],
  ['max_connections', '100', null, 'postmaster', 'integer', '1', '262143'],
  ['max_parallel_workers', '8', null, 'user', 'integer', '0', '1024'],
  ['max_wal_size', '1024', 'MB', 'sighup', 'integer', '2', '2147483647'],
  ['max_worker_processes', '8', null, 'postmaster', 'integer', '0', '262143'],
  ['min_wal_size', '80', 'MB', 'sighup', 'integer', '2', '2147483647'],
  ['random_page_cost', '4', null, 'user', 'real', '0', '1.79769e+308'],
  ['seq_page_cost', '1', null, 'user', 'real', '0', '1.79769e+308'],
  ['shared_buffers', '16384', '8kB', 'postmaster', 'integer', '16', '1073741823'],
  ['track_counts', 'on', null, 'superuser', 'bool', null, null],
  ['vacuum_cost_delay', '0', 'ms', 'user', 'real', '0', '100'],
  ['vacuum_cost_limit', '200', null, 'user', 'integer', '1', '10000'],
  ['vacuum_cost_page_dirty', '20', null, 'user', 'integer', '0', '10000'],
  ['vacuum_cost_page_hit', '1', null, 'user', 'integer', '0', '10000'],
  ['vacuum_cost_page_miss', '2', null, 'user', 'integer', '0', '10000'],
  ['vacuum_failsafe_age', '1600000000', null, 'user', 'integer', '0', '2100000000'],
  ['vacuum_freeze_min_age', '50000000', null, 'user', 'integer', '0', '1000000000'],
  ['vacuum_freeze_table_age', '150000000', null, 'user', 'integer', '0', '2000000000'],
  ['vacuum_multixact_failsafe_age', '1600000000', null, 'user', 'integer', '0', '2100000000'],
  ['wal_buffers', '512', '8kB', 'postmaster', 'integer', '-1', '262143', '-1'],
  ['wal_segment_size', '16777216', 'B', 'internal', 'integer', '1048576', '1073741824'],
  ['work_mem', '4096', 'kB', 'user', 'integer', '64', '2147483647'],
];

/** initdb writes these into postgresql.conf, at their defaults. */
const WRITTEN_BY_INITDB = new Set(['shared_buffers', 'max_connections', 'max_wal_size', 'min_wal_size']);

/** What a stock server of an earlier major says otherwise. */
function stockOf(major: number): StockSetting[] {
  return STOCK.filter(
    ([name]) =>
      !(name === 'autovacuum_vacuum_max_threshold' && major < 18) &&
      !(name === 'autovacuum_worker_slots' && major < 18) &&
      !(name === 'allow_alter_system' && major < 17),
  ).map((row): StockSetting => {
    if (name(row) === 'effective_io_concurrency' && major < 18) return changed(row, { setting: '1' });
    if (name(row) === 'autovacuum_max_workers' && major < 18) return changed(row, { context: 'postmaster' });
    if (name(row) === 'maintenance_work_mem' && major < 17) return changed(row, { min: '1024' });
    return row;
  });
}
const name = (row: StockSetting) => row[0];
function changed(
  row: StockSetting,
  change: { setting?: string; context?: string; min?: string },
): StockSetting {
  const [n, setting, unit, context, vartype, min, max, boot] = row;
  const next: StockSetting = [
    n,
    change.setting ?? setting,
    unit,
    change.context ?? context,
    vartype,
    change.min ?? min,
    max,
  ];
  if (boot !== undefined) next.push(boot);
  return next;
}

/**
 * pg_settings of a stock server, with some rows changed; a bare string is a `setting` (in base units) given in
 * postgresql.conf.
 */
export function settingsOf(
  changes: Record<string, string | Partial<SettingRow>> = {},
  major = 18,
): SettingRow[] {
  const rows = new Map<string, SettingRow>(
    stockOf(major).map(([n, setting, unit, context, vartype, min_val, max_val, boot_val = setting]) => [
      n,
      {
        name: n,
        setting,
        unit,
        category: '',
        context,
        vartype,
        source: WRITTEN_BY_INITDB.has(n) ? 'configuration file' : 'default',
        min_val,
        max_val,
        enumvals: null,
        boot_val,
        reset_val: setting,
        sourcefile: WRITTEN_BY_INITDB.has(n) ? '/data/postgresql.conf' : null,
        pending_restart: false,
      },
    ]),
  );
  for (const [n, change] of Object.entries(changes)) {
    const row = rows.get(n);
    if (!row) throw new Error(`the builder does not know the setting ${n} of PostgreSQL ${major}`);
    rows.set(
      n,
      typeof change === 'string'
        ? {
            ...row,
            setting: change,
            reset_val: change,
            source: 'configuration file',
            sourcefile: '/data/postgresql.conf',
          }
        : { ...row, ...(change.setting ? { reset_val: change.setting } : {}), ...change },
    );
  }
  return [...rows.values()];
}

interface SnapshotParts extends Partial<Omit<Snapshot, 'server' | 'host' | 'settings' | 'counters'>> {
  major?: number;
  server?: Partial<Snapshot['server']>;
  ram_bytes?: number | null;
  cpu_count?: number | null;
  disk_type?: Snapshot['host']['disk_type']['value'];
  settings?: Record<string, string | Partial<SettingRow>>;
  counters?: Partial<Counters>;
}

/** A stock server of 16 GB, 4 CPUs and an SSD, with nothing in it, whose statistics are ten days old. */
export function snapshotOf(parts: SnapshotParts = {}): Snapshot {
  const { major = 18, server, ram_bytes, cpu_count, disk_type, settings, counters, ...rest } = parts;
  const source = (value: unknown) => (value === null ? 'not visible' : 'operator');
  return {
    format_version: 1,
    taken_at: TAKEN_AT,
    collected_at: rest.taken_at ?? TAKEN_AT,
    duration_ms: 5,
    host: {
      ram_bytes: { value: ram_bytes === undefined ? 16 * GB : ram_bytes, source: source(ram_bytes) },
      cpu_count: { value: cpu_count === undefined ? 4 : cpu_count, source: source(cpu_count) },
      disk_type: { value: disk_type === undefined ? 'ssd' : disk_type, source: source(disk_type) },
    },
    statements: [],
    statements_info: null,
    tables: [],
    indexes: [],
    columns: [],
    setting_overrides: [],
    schema: noSchema,
    activity: noActivity,
    replication: noReplication,
    full_taken_at: null,
    limits: [],
    ...rest,
    settings: settingsOf(settings, major),
    counters: { ...noCounters, ...counters },
    server: {
      server_version: `${major}.1`,
      server_version_num: major * 10_000 + 1,
      database: 'app',
      started_at: '2026-02-01T00:00:00.000Z',
      system_identifier: '7000000000000000001',
      in_recovery: false,
      block_size: 8192,
      encoding: 'UTF8',
      lc_collate: 'C.UTF-8',
      lc_ctype: 'C.UTF-8',
      locale_provider: 'libc',
      icu_locale: null,
      database_size_bytes: 100 * GB,
      stats_reset: '2026-02-19T12:00:00.000Z',
      extensions: {},
      managed_service: null,
      ...server,
    },
  };
}

/** pg_stat_database of a database that nobody used, but for what is given. */
export function databaseCounters(
  counters: Partial<NonNullable<Counters['database']>> = {},
): NonNullable<Counters['database']> {
  return {
    xact_commit: 0,
    xact_rollback: 0,
    blks_read: 0,
    blks_hit: 0,
    tup_returned: 0,
    tup_fetched: 0,
    tup_inserted: 0,
    tup_updated: 0,
    tup_deleted: 0,
    temp_files: 0,
    temp_bytes: 0,
    deadlocks: 0,
    conflicts: 0,
    checksum_failures: null,
    blk_read_time_ms: 0,
    blk_write_time_ms: 0,
    sessions: 0,
    session_time_ms: 0,
    active_time_ms: 0,
    idle_in_transaction_time_ms: 0,
    sessions_abandoned: 0,
    sessions_fatal: 0,
    sessions_killed: 0,
    numbackends: 1,
    stats_reset: '2026-02-19T12:00:00.000Z',
    ...counters,
  };
}

/** Counters of checkpoints, but for what is given none. */
export function checkpointCounters(
  counters: Partial<NonNullable<Counters['checkpoints']>> = {},
): NonNullable<Counters['checkpoints']> {
  return {
    timed: 0,
    requested: 0,
    done: null,
    write_time_ms: 0,
    sync_time_ms: 0,
    buffers_written: 0,
    stats_reset: '2026-02-19T12:00:00.000Z',
    ...counters,
  };
}

/** A row of pg_stat_io of client backends, normal context, that did nothing but what is given. */
export function ioRow(row: Partial<IoRow> = {}): IoRow {
  return {
    backend_type: 'client backend',
    object: 'relation',
    context: 'normal',
    reads: 0,
    read_bytes: 0,
    read_time_ms: 0,
    writes: 0,
    write_bytes: 0,
    write_time_ms: 0,
    extends: 0,
    extend_bytes: 0,
    extend_time_ms: 0,
    hits: 0,
    evictions: 0,
    reuses: 0,
    fsyncs: 0,
    fsync_time_ms: 0,
    stats_reset: '2026-02-19T12:00:00.000Z',
    ...row,
  };
}

/** pg_stat_wal of a server that wrote nothing, but for what is given. */
export function walCounters(
  counters: Partial<NonNullable<Counters['wal']>> = {},
): NonNullable<Counters['wal']> {
  return {
    wal_records: 0,
    wal_bytes: 0,
    wal_fpi: 0,
    wal_buffers_full: 0,
    stats_reset: '2026-02-19T12:00:00.000Z',
    ...counters,
  };
}

/** A statement of the workload, called once. */
export function workloadQuery(query: Partial<WorkloadQuery> = {}): WorkloadQuery {
  return {
    query_id: 'q1',
    query: 'SELECT 1',
    class: 'select',
    calls: 1,
    total_exec_time_ms: 1,
    mean_exec_time_ms: 1,
    stddev_exec_time_ms: 0,
    rows: 1,
    shared_blks_hit: 0,
    shared_blks_read: 0,
    shared_blks_dirtied: 0,
    temp_blks_written: 0,
    wal_bytes: 0,
    share_of_time: 0,
    users: ['app'],
    queryids: ['1'],
    ...query,
  };
}

/** What a table did in a window: nothing, but for what is given. */
export function tableDelta(delta: Partial<TableDelta> = {}): TableDelta {
  return {
    oid: 16_384,
    seq_scan: 0,
    seq_tup_read: 0,
    idx_scan: 0,
    n_tup_ins: 0,
    n_tup_upd: 0,
    n_tup_del: 0,
    n_tup_hot_upd: 0,
    autovacuum_count: 0,
    autoanalyze_count: 0,
    ...delta,
  };
}

/** A window of `seconds` that ends when snapshots are taken. */
export function windowOf(seconds: number, parts: Partial<Window> = {}): Window {
  const statements: StatementDelta[] = [];
  return {
    from: new Date(Date.parse(TAKEN_AT) - seconds * 1000).toISOString(),
    to: TAKEN_AT,
    seconds,
    statements,
    tables: [],
    indexes: [],
    limits: [],
    ...parts,
  };
}

/** A workload of these statements; their shares of time are worked out. */
export function workloadOf(queries: WorkloadQuery[] = [], parts: Partial<Workload> = {}): Workload {
  const total = queries.reduce((sum, query) => sum + query.total_exec_time_ms, 0);
  return {
    source: 'cumulative',
    from: null,
    to: TAKEN_AT,
    seconds: null,
    queries: queries.map((query) => ({
      ...query,
      share_of_time: total > 0 ? query.total_exec_time_ms / total : 0,
    })),
    set_aside: [],
    database_time_ms: total,
    limits: [],
    ...parts,
  };
}

/** A rule's context over a snapshot: no window, no workload, no planner, but for what is given. */
export function contextOf(snapshot: Snapshot, parts: Partial<RuleContext> = {}): RuleContext {
  return {
    snapshot,
    window: null,
    workload: workloadOf(),
    what_if: null,
    index_budget_bytes: null,
    progress: () => {},
    deadline: Date.now() + 60_000,
    ...parts,
  };
}
