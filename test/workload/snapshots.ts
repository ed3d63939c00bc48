/** Snapshots built by hand for this room's tests: everything that is not named is empty or plain. */

import type {
  ColumnRow,
  ColumnStats,
  IndexRow,
  Snapshot,
  StatementRow,
  TableRow,
} from '../../src/domain/index.ts';
import { noActivity, noCounters, noReplication, noSchema } from '../../src/domain/index.ts';

export function statementRow(row: Partial<StatementRow> & { queryid: string }): StatementRow {
  return {
    userid: 10,
    dbid: 5,
    toplevel: true,
    user: 'app',
    query: `select ${row.queryid}`,
    calls: 0,
    total_exec_time_ms: 0,
    mean_exec_time_ms: 0,
    stddev_exec_time_ms: 0,
    min_exec_time_ms: 0,
    max_exec_time_ms: 0,
    plans: 0,
    total_plan_time_ms: 0,
    rows: 0,
    shared_blks_hit: 0,
    shared_blks_read: 0,
    shared_blks_dirtied: 0,
    shared_blks_written: 0,
    temp_blks_read: 0,
    temp_blks_written: 0,
    wal_records: 0,
    wal_bytes: 0,
    jit_time_ms: null,
    stats_since: null,
    ...row,
  };
}

export function tableRow(row: Partial<TableRow> & { oid: number; name: string }): TableRow {
  return {
    schema: 'public',
    relkind: 'r',
    relpersistence: 'p',
    owner: 'app',
    relpages: 100,
    reltuples: 10_000,
    relallvisible: 100,
    main_pages: 100,
    total_bytes: 819_200,
    toast_bytes: 0,
    indexes_bytes: 0,
    reloptions: {},
    toast_reloptions: {},
    parent_oid: null,
    is_partition: false,
    seq_scan: 0,
    seq_tup_read: 0,
    idx_scan: 0,
    idx_tup_fetch: 0,
    n_tup_ins: 0,
    n_tup_upd: 0,
    n_tup_del: 0,
    n_tup_hot_upd: 0,
    n_tup_newpage_upd: null,
    n_live_tup: 0,
    n_dead_tup: 0,
    n_mod_since_analyze: 0,
    n_ins_since_vacuum: 0,
    last_vacuum: null,
    last_autovacuum: null,
    last_analyze: null,
    last_autoanalyze: null,
    vacuum_count: 0,
    autovacuum_count: 0,
    analyze_count: 0,
    autoanalyze_count: 0,
    xid_age: null,
    mxid_age: null,
    relallfrozen: null,
    last_seq_scan: null,
    last_idx_scan: null,
    access_method: 'heap',
    row_security: false,
    toast: null,
    ...row,
  };
}

export function indexRow(row: Partial<IndexRow> & { oid: number; table_oid: number }): IndexRow {
  return {
    schema: 'public',
    table: 't',
    name: `index_${row.oid}`,
    method: 'btree',
    definition: '',
    keys: [],
    include: [],
    key_attnums: [],
    opclasses: [],
    collations: [],
    options: [],
    predicate: null,
    is_unique: false,
    is_primary: false,
    is_exclusion: false,
    is_valid: true,
    is_ready: true,
    is_replica_identity: false,
    is_clustered: false,
    constraint_name: null,
    is_partition: false,
    relkind: 'i',
    relpages: 10,
    reltuples: 10_000,
    main_pages: 10,
    size_bytes: 81_920,
    reloptions: {},
    idx_scan: 0,
    idx_tup_read: 0,
    idx_tup_fetch: 0,
    last_idx_scan: null,
    ...row,
  };
}

export function columnStats(stats: Partial<ColumnStats> = {}): ColumnStats {
  return {
    inherited: false,
    null_frac: 0,
    avg_width: 8,
    n_distinct: -1,
    most_common_vals: null,
    most_common_freqs: null,
    histogram_bounds: null,
    correlation: null,
    most_common_elems: null,
    most_common_elem_freqs: null,
    elem_count_histogram: null,
    ...stats,
  };
}

export function columnRow(
  row: Partial<ColumnRow> & { table_oid: number; name: string; type: string },
): ColumnRow {
  return {
    schema: 'public',
    table: 't',
    attnum: 1,
    typlen: -1,
    typalign: 'i',
    typtype: 'b',
    typcategory: 'U',
    not_null: false,
    collation: null,
    generated: '',
    identity: '',
    default_expression: null,
    stattarget: null,
    stats: null,
    ...row,
  };
}

/** Columns of a table, `name type` each, in order. */
export function columnsOf(table: TableRow, definitions: Record<string, string>): ColumnRow[] {
  return Object.entries(definitions).map(([name, type], index) =>
    columnRow({
      table_oid: table.oid,
      schema: table.schema,
      table: table.name,
      name,
      type,
      attnum: index + 1,
    }),
  );
}

export function snapshot(parts: Partial<Snapshot> = {}): Snapshot {
  return {
    format_version: 1,
    taken_at: '2025-06-01T12:00:00.000Z',
    collected_at: parts.taken_at ?? '2025-06-01T12:00:00.000Z',
    duration_ms: 0,
    server: {
      server_version: '17.5',
      server_version_num: 170005,
      database: 'shop',
      started_at: '2025-05-01T00:00:00.000Z',
      system_identifier: '7000',
      in_recovery: false,
      block_size: 8192,
      encoding: 'UTF8',
      lc_collate: 'C',
      lc_ctype: 'C',
      locale_provider: null,
      icu_locale: null,
      database_size_bytes: null,
      stats_reset: null,
      extensions: {},
      managed_service: null,
    },
    host: {
      ram_bytes: { value: null, source: 'test' },
      cpu_count: { value: null, source: 'test' },
      disk_type: { value: null, source: 'test' },
    },
    statements: [],
    statements_info: { dealloc: 0, stats_reset: '2025-05-01T00:00:00.000Z' },
    tables: [],
    indexes: [],
    columns: [],
    settings: [],
    setting_overrides: [],
    schema: noSchema,
    activity: noActivity,
    replication: noReplication,
    full_taken_at: null,
    counters: noCounters,
    limits: [],
    ...parts,
  };
}
