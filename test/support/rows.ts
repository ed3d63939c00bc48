/**
 * Rows of a snapshot put together by hand. Each builder gives a plain row of a sound, quiet database and takes what a
 * test states otherwise; its table, index and column belong together by their OIDs.
 */
import type {
  ColumnRow,
  ColumnStats,
  IndexRow,
  StatementRow,
  TableRow,
  VacuumProgress,
} from '../../src/domain/index.ts';

/** A statement that pg_stat_statements knows, not called yet. */
export function statementRow(row: Partial<StatementRow> = {}): StatementRow {
  return {
    userid: 10,
    dbid: 5,
    queryid: '1',
    toplevel: true,
    user: 'app',
    query: 'SELECT 1',
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

/** public.t of a million live rows in 20,000 pages, vacuumed and analysed once, otherwise untouched. */
export function tableRow(row: Partial<TableRow> = {}): TableRow {
  return {
    oid: 16_384,
    schema: 'public',
    name: 't',
    relkind: 'r',
    relpersistence: 'p',
    owner: 'app',
    relpages: 20_000,
    reltuples: 1_000_000,
    relallvisible: 20_000,
    main_pages: 20_000,
    total_bytes: 200 * 1024 ** 2,
    toast_bytes: 0,
    indexes_bytes: 40 * 1024 ** 2,
    reloptions: {},
    toast_reloptions: {},
    parent_oid: null,
    is_partition: false,
    seq_scan: 0,
    seq_tup_read: 0,
    idx_scan: 0,
    idx_tup_fetch: 0,
    n_tup_ins: 1_000_000,
    n_tup_upd: 0,
    n_tup_del: 0,
    n_tup_hot_upd: 0,
    n_tup_newpage_upd: 0,
    n_live_tup: 1_000_000,
    n_dead_tup: 0,
    n_mod_since_analyze: 0,
    n_ins_since_vacuum: 0,
    last_vacuum: null,
    last_autovacuum: '2026-02-20T12:00:00.000Z',
    last_analyze: null,
    last_autoanalyze: '2026-02-20T12:00:00.000Z',
    vacuum_count: 0,
    autovacuum_count: 1,
    analyze_count: 0,
    autoanalyze_count: 1,
    xid_age: 1000,
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

/** A B-tree of public.t on its column `a` (int, the second), 40 MB in 5,000 pages, that nobody has used. */
export function indexRow(row: Partial<IndexRow> = {}): IndexRow {
  return {
    oid: 20_000,
    table_oid: 16_384,
    schema: 'public',
    table: 't',
    name: 't_a',
    method: 'btree',
    definition: 'CREATE INDEX t_a ON public.t USING btree (a)',
    keys: ['a'],
    include: [],
    key_attnums: [2],
    opclasses: ['pg_catalog.int4_ops'],
    collations: [0],
    options: [0],
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
    relpages: 5000,
    reltuples: 1_000_000,
    main_pages: 5000,
    size_bytes: 40 * 1024 ** 2,
    reloptions: {},
    idx_scan: 0,
    idx_tup_read: 0,
    idx_tup_fetch: 0,
    last_idx_scan: null,
    ...row,
  };
}

/** public.t's column `id`, a bigint without statistics. */
export function columnRow(row: Partial<ColumnRow> = {}): ColumnRow {
  return {
    table_oid: 16_384,
    schema: 'public',
    table: 't',
    name: 'id',
    attnum: 1,
    type: 'bigint',
    typlen: 8,
    typalign: 'd',
    typtype: 'b',
    typcategory: 'N',
    not_null: true,
    collation: null,
    generated: '',
    identity: '',
    default_expression: null,
    stattarget: null,
    stats: null,
    ...row,
  };
}

/** Statistics of a column of 8 bytes, each value once, in no order that is known. */
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

/** A worker of autovacuum in its indexes for an hour, but for what is given. */
export function vacuumRow(row: Partial<VacuumProgress> = {}): VacuumProgress {
  return {
    pid: 1,
    table_oid: 20_000,
    phase: 'vacuuming heap',
    heap_blks_total: 500_000,
    heap_blks_scanned: 500_000,
    heap_blks_vacuumed: 0,
    index_vacuum_count: 0,
    is_autovacuum: true,
    is_wraparound: false,
    started_at: '2026-03-01T11:00:00.000Z',
    delay_time_ms: null,
    ...row,
  };
}
