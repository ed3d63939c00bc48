/**
 * What one target's catalogs and counters said at one moment. Property names are the catalog's own names where there
 * is one. Units: `_bytes` bytes, `_ms` milliseconds, `pages` 8 kB blocks (block_size in server), times ISO 8601 in
 * UTC on the target's clock. Counters are cumulative since their reset. int8 counters are numbers (< 2^53, checked
 * when read); identifiers that may exceed this (queryid) are strings.
 */
import type { Activity } from './activity.ts';
import type { InstanceFacts } from './instance.ts';
import type { Limit } from './recommendation.ts';
import type { Replication } from './replication.ts';
import type { Counters } from './server-counters.ts';
import type { DiskType } from './target.ts';

export interface ServerFacts {
  server_version: string;
  server_version_num: number;
  database: string;
  /** Time the postmaster started: a change between snapshots is a restart. */
  started_at: string;
  /** pg_control_system's identifier where visible: another value at the same address is another server (failover to a copy keeps it). */
  system_identifier: string | null;
  in_recovery: boolean;
  block_size: number;
  /** Default collation and its provider, encoding: the twin must be created with them. */
  encoding: string;
  lc_collate: string | null;
  lc_ctype: string | null;
  locale_provider: string | null;
  icu_locale: string | null;
  /** Size of this database, bytes. */
  database_size_bytes: number | null;
  /** pg_stat_database.stats_reset of this database. */
  stats_reset: string | null;
  extensions: Record<string, string>;
  /** Schema that each extension was created in; absent: not read. */
  extension_schemas?: Record<string, string>;
  managed_service: string | null;
}

/** A derived value with where it came from; value null: unknown, and `source` says why. */
export interface Sourced<T> {
  value: T | null;
  source: string;
}

export interface HostFacts {
  ram_bytes: Sourced<number>;
  cpu_count: Sourced<number>;
  disk_type: Sourced<DiskType>;
  /** Block device and file system under the data directory, e.g. `nvme0n1p2 (ext4)`. Absent: not read. */
  data_device?: Sourced<string>;
  /** rds, aurora, cloudsql, …, with the sign that told; value null: none told. Absent: not read. */
  managed_service?: Sourced<string>;
  /** CPU and memory in use when the host was read. Absent: not read. */
  usage?: Sourced<HostUsage>;
}

/** One reading of the whole host, all its processes with it. Ticks are 1/100 s since boot, summed over its CPUs. */
export interface HostUsage {
  /** On PgLuthier's clock. */
  read_at: string;
  cpu_total_ticks: number;
  /** Idle, or waiting for a disk. */
  cpu_idle_ticks: number;
  memory_total_bytes: number;
  /** What new work could have without swapping (MemAvailable). */
  memory_available_bytes: number;
}

/** One row of pg_stat_statements, of this database, summed over nothing: identity is (userid, dbid, queryid, toplevel). */
export interface StatementRow {
  userid: number;
  dbid: number;
  queryid: string;
  toplevel: boolean;
  user: string | null;
  /** Null: not visible to us, or discarded by the server. */
  query: string | null;
  calls: number;
  total_exec_time_ms: number;
  mean_exec_time_ms: number;
  stddev_exec_time_ms: number;
  min_exec_time_ms: number;
  max_exec_time_ms: number;
  /** Planning is counted only with track_planning. */
  plans: number;
  total_plan_time_ms: number;
  rows: number;
  shared_blks_hit: number;
  shared_blks_read: number;
  shared_blks_dirtied: number;
  shared_blks_written: number;
  temp_blks_read: number;
  temp_blks_written: number;
  /**
   * Waiting for temporary files, ms, workers' times added up. Null: before 15, while track_io_timing is off, or blocks
   * of before it was on. Absent: an older snapshot.
   */
  temp_blk_read_time_ms?: number | null;
  temp_blk_write_time_ms?: number | null;
  wal_records: number;
  wal_bytes: number;
  /** JIT, all phases, ms; null before 15. */
  jit_time_ms: number | null;
  /** 17+ (statistics of this row since): null before. */
  stats_since: string | null;
}

export interface StatementsInfo {
  /** Evictions so far: a rise between snapshots means statements went unseen. */
  dealloc: number;
  stats_reset: string | null;
}

export interface TableRow {
  oid: number;
  schema: string;
  name: string;
  /** r table, p partitioned, m materialised view, f foreign, t TOAST. */
  relkind: string;
  relpersistence: string;
  owner: string;
  /** pg_class.relpages, reltuples (-1: never analysed), relallvisible: what the planner last learned. */
  relpages: number;
  reltuples: number;
  relallvisible: number;
  /** Real length of the main fork now, in pages. */
  main_pages: number;
  total_bytes: number;
  toast_bytes: number;
  indexes_bytes: number;
  reloptions: Record<string, string>;
  toast_reloptions: Record<string, string>;
  /** OID of the direct parent when this is a partition or child. */
  parent_oid: number | null;
  is_partition: boolean;
  /** relreplident: d primary key, n nothing, f whole row, i an index. Absent: not read. */
  replica_identity?: string;
  /** relnatts: numbers of columns that were given, those of dropped ones among them. Absent: not read. */
  column_numbers?: number;
  /** Null: the database's own. Absent: not read. */
  tablespace?: string | null;
  seq_scan: number;
  seq_tup_read: number;
  idx_scan: number | null;
  idx_tup_fetch: number | null;
  n_tup_ins: number;
  n_tup_upd: number;
  n_tup_del: number;
  n_tup_hot_upd: number;
  /** 16+; null before. */
  n_tup_newpage_upd: number | null;
  n_live_tup: number;
  n_dead_tup: number;
  n_mod_since_analyze: number;
  n_ins_since_vacuum: number;
  last_vacuum: string | null;
  last_autovacuum: string | null;
  last_analyze: string | null;
  last_autoanalyze: string | null;
  vacuum_count: number;
  autovacuum_count: number;
  analyze_count: number;
  autoanalyze_count: number;
  /** age(relfrozenxid), transactions. */
  xid_age: number | null;
  /** mxid_age(relminmxid), multixacts. */
  mxid_age: number | null;
  /** 18+; null before. */
  relallfrozen: number | null;
  /** 16+; null before, or never scanned. */
  last_seq_scan: string | null;
  last_idx_scan: string | null;
  /** Access method (heap); null for partitioned and foreign tables. */
  access_method: string | null;
  row_security: boolean;
  /** relforcerowsecurity: policies bind the owner, too. Absent: not read. */
  row_security_forced?: boolean;
  /** Its TOAST table; null: none. */
  toast: ToastFacts | null;
}

/** The TOAST table of a table: vacuum counts and triggers it by itself. */
export interface ToastFacts {
  oid: number;
  relpages: number;
  reltuples: number;
  n_tup_ins: number;
  n_tup_del: number;
  n_live_tup: number;
  n_dead_tup: number;
  n_ins_since_vacuum: number;
  last_autovacuum: string | null;
  vacuum_count: number;
  autovacuum_count: number;
  xid_age: number | null;
  mxid_age: number | null;
}

/** A sequence, and the column that owns it. */
export interface SequenceRow {
  oid: number;
  schema: string;
  name: string;
  /** smallint, integer or bigint. */
  data_type: string;
  /** int8 as text: limits are 2^63 − 1. */
  start_value: string;
  min_value: string;
  max_value: string;
  increment_by: string;
  cycle: boolean;
  /** Null: not used yet, or not visible to us. */
  last_value: string | null;
  owner_table_oid: number | null;
  owner_column: string | null;
}

/** CREATE STATISTICS with what ANALYZE made of it (pg_stats_ext). */
export interface ExtendedStatistics {
  oid: number;
  schema: string;
  name: string;
  table_oid: number;
  /** pg_get_statisticsobjdef. */
  definition: string;
  columns: string[];
  /** Text of each expression, in order. */
  expressions: string[];
  /** d ndistinct, f dependencies, m most common values, e expressions. */
  kinds: string[];
  stattarget: number | null;
  /** Null: never analysed, or not visible to us. */
  data: {
    inherited: boolean;
    /** Text forms of pg_ndistinct and pg_dependencies. */
    n_distinct: string | null;
    dependencies: string | null;
    /** Rows of values in their text form, null for NULL; with frequencies and those if columns were independent. */
    most_common_vals: (string | null)[][] | null;
    most_common_freqs: number[] | null;
    most_common_base_freqs: number[] | null;
    /** pg_stats_ext_exprs, by position in `expressions`. */
    expressions: (ColumnStats | null)[];
  } | null;
}

export interface IndexRow {
  oid: number;
  table_oid: number;
  schema: string;
  table: string;
  name: string;
  method: string;
  /** pg_get_indexdef(oid). */
  definition: string;
  /** Key columns and expressions in order, each pg_get_indexdef(oid, n, true); then the included columns. */
  keys: string[];
  include: string[];
  /** Column numbers of the keys; 0 is an expression. */
  key_attnums: number[];
  /** `schema.opclass` of each key. */
  opclasses: string[];
  /** OID of each key's collation, 0: none. */
  collations: number[];
  /** pg_index.indoption of each key: bit 0 desc, bit 1 nulls first. */
  options: number[];
  /** pg_get_expr of the predicate; null: whole table. */
  predicate: string | null;
  is_unique: boolean;
  is_primary: boolean;
  is_exclusion: boolean;
  is_valid: boolean;
  is_ready: boolean;
  is_replica_identity: boolean;
  is_clustered: boolean;
  /** Name of the constraint that it backs (p, u, x) or that foreign keys elsewhere depend on; null: none. */
  constraint_name: string | null;
  /** Part of a partitioned index. */
  is_partition: boolean;
  relkind: string;
  /** pg_class.relfilenode: another one after each rebuild; 0: it has no file. Absent in snapshots of older versions. */
  relfilenode?: number;
  relpages: number;
  reltuples: number;
  main_pages: number;
  size_bytes: number;
  reloptions: Record<string, string>;
  idx_scan: number;
  idx_tup_read: number;
  idx_tup_fetch: number;
  /** 16+: null before, or never scanned. */
  last_idx_scan: string | null;
}

/** A column with what pg_stats says of it. `stats` null: no row visible (never analysed, or no right to read it). */
export interface ColumnRow {
  table_oid: number;
  schema: string;
  table: string;
  name: string;
  attnum: number;
  /** format_type(atttypid, atttypmod), schema-qualified where not in pg_catalog. */
  type: string;
  typlen: number;
  typalign: string;
  /** typtype: b base, e enum, d domain, c composite, r range, m multirange. */
  typtype: string;
  typcategory: string;
  not_null: boolean;
  /** Collation as SQL where it is not the type's default; null otherwise. */
  collation: string | null;
  /** attgenerated: '' none, s stored, v virtual. */
  generated: string;
  /** attidentity. */
  identity: string;
  /** pg_get_expr of the default or generation expression; null: none. */
  default_expression: string | null;
  stattarget: number | null;
  /** pg_attribute.attoptions: n_distinct and n_distinct_inherited that somebody set. Absent: not read. */
  options?: Record<string, string>;
  stats: ColumnStats | null;
  /** Of a table with children that is not partitioned: statistics of the whole tree; `stats` are its own rows'. Absent: not read. */
  tree_stats?: ColumnStats | null;
  /** Least and greatest value now, as text, where a B-tree leads with the column: the planner looks them up there. Absent: not read. */
  ends?: { min: string; max: string } | null;
}

/** pg_stats, arrays as their text form: they are given to the twin as they are, parsed where values are needed. */
export interface ColumnStats {
  /** Statistics of the whole inheritance tree. */
  inherited: boolean;
  null_frac: number;
  /** Bytes. */
  avg_width: number;
  /** >0 count of distinct values, <0 minus its share of the rows. */
  n_distinct: number;
  most_common_vals: string | null;
  most_common_freqs: number[] | null;
  histogram_bounds: string | null;
  correlation: number | null;
  most_common_elems: string | null;
  most_common_elem_freqs: number[] | null;
  elem_count_histogram: number[] | null;
  /** Range types, 17+: lengths of the ranges as text array, share of empty ones, bounds as text array of ranges. */
  range_length_histogram?: string | null;
  range_empty_frac?: number | null;
  range_bounds_histogram?: string | null;
  /**
   * Of an expression whose statistics are derived: all values of its columns ÷ those that their statistics list, by bytes
   * (ANALYZE lists none of more than 1,024). Absent: 1.
   */
  wider?: number;
}

export interface SettingRow {
  name: string;
  /** In the setting's own unit, as pg_settings.setting. */
  setting: string;
  unit: string | null;
  category: string;
  context: string;
  vartype: string;
  source: string;
  min_val: string | null;
  max_val: string | null;
  enumvals: string[] | null;
  boot_val: string | null;
  reset_val: string | null;
  sourcefile: string | null;
  pending_restart: boolean;
}

/** A setting overridden for a role, a database or both (pg_db_role_setting). */
export interface SettingOverride {
  role: string | null;
  database: string | null;
  name: string;
  value: string;
}

/** A condition that row-level security puts into plans. */
export interface PolicyRow {
  table_oid: number;
  name: string;
  /** Permissive ones are joined by OR, restrictive ones by AND. */
  permissive: boolean;
  /** polcmd: r SELECT, a INSERT, w UPDATE, d DELETE, * all. */
  command: string;
  /** Names; `public`, which no role can have, stands for all. */
  roles: string[];
  /** pg_get_expr of USING and WITH CHECK; null: none. */
  using_expression: string | null;
  check_expression: string | null;
}

/** What the twin needs beyond tables, indexes and columns. Grows with the twin. */
export interface SchemaFacts {
  enums: { schema: string; name: string; labels: string[] }[];
  domains: {
    schema: string;
    name: string;
    /** format_type of the base. */
    base_type: string;
    not_null: boolean;
    /** pg_get_constraintdef of each check. */
    checks: string[];
  }[];
  /** pg_get_constraintdef of check, foreign-key, primary, unique and exclusion constraints. */
  constraints: {
    schema: string;
    table: string;
    table_oid: number;
    name: string;
    /** c, f, p, u, x, n. */
    type: string;
    definition: string;
    valid: boolean;
    /** Foreign key: the referenced table and both sides' columns. */
    referenced_oid: number | null;
    columns: string[];
    referenced_columns: string[];
    /** Name of the backing index for p, u, x (in the table's schema). */
    index_name: string | null;
  }[];
  /** Partitioned tables' keys (pg_get_partkeydef) and partitions' bounds (pg_get_expr(relpartbound)). */
  partition_keys: { table_oid: number; definition: string }[];
  partition_bounds: { table_oid: number; parent_oid: number; definition: string }[];
  /** Plain inheritance. */
  inherits: { table_oid: number; parent_oid: number }[];
  /** pg_get_viewdef of views that the workload may read. */
  views: {
    oid: number;
    schema: string;
    name: string;
    definition: string;
    /** Whose rights and policies what it reads is read with. Absent: not read. */
    owner?: string;
    /** security_barrier, security_invoker (15+), check_option. Absent: not read. */
    reloptions?: Record<string, string>;
  }[];
  /** Row-level security (pg_policy). Absent: not read. */
  policies?: PolicyRow[];
  /** Functions of users, not of extensions: those that other objects call, and those that statements may call. */
  functions: {
    schema: string;
    name: string;
    language: string;
    /** provolatile: i immutable, s stable, v volatile. */
    volatility: string;
    /** pg_get_functiondef; it ends in `AS ''` where planning needs no body: neither SQL nor stable nor immutable PL/pgSQL. */
    definition: string;
    /** pg_get_function_identity_arguments. Absent: not read. */
    identity_arguments?: string;
    leakproof?: boolean;
  }[];
  /** Aggregates, operators and casts of users, as the statements that make them. Absent: not read. */
  definitions?: { kind: string; schema: string; name: string; definition: string }[];
  /** Composite types of their own making (not tables' row types). */
  composite_types: { schema: string; name: string; attributes: { name: string; type: string }[] }[];
  /** Range types of their own making. */
  range_types: {
    schema: string;
    name: string;
    subtype: string;
    subtype_opclass: string | null;
    collation: string | null;
    /** `schema.function` of rngsubdiff: estimates within a histogram's bin depend on it. Absent: not read. */
    subtype_diff?: string | null;
  }[];
  sequences: SequenceRow[];
  extended_statistics: ExtendedStatistics[];
  /** Height of each B-tree where it can be seen (bt_metap), by index OID. */
  btree_levels: Record<string, number>;
  /** pg_stats of the expressions of existing indexes: `tablename` is the index there, `attname` the key. Absent: not read. */
  expression_stats?: {
    index_oid: number;
    /** Number of the key in the index, from 1. */
    attnum: number;
    stats: ColumnStats;
  }[];
}

/** Everything of one target at one moment. */
export interface Snapshot {
  format_version: 1;
  taken_at: string;
  /**
   * The same moment on PgLuthier's clock: two snapshots further apart on one clock than on the other tell of a clock
   * that was set. Snapshots are ordered by it. Those of older versions, which had none: `taken_at`.
   */
  collected_at: string;
  /** How long collecting took on our side, ms. */
  duration_ms: number;
  server: ServerFacts;
  host: HostFacts;
  statements: StatementRow[];
  statements_info: StatementsInfo | null;
  tables: TableRow[];
  indexes: IndexRow[];
  columns: ColumnRow[];
  settings: SettingRow[];
  setting_overrides: SettingOverride[];
  schema: SchemaFacts;
  /** Roles, databases, replication's definitions, triggers, extensions. Absent: an older version did not read them. */
  instance?: InstanceFacts;
  counters: Counters;
  activity: Activity;
  replication: Replication;
  /**
   * When the nouns of the slow cadence (definitions, sizes, columns' statistics, settings, schema, host) were read,
   * where that was before `taken_at`: this snapshot was put together of a full and a fast one. Null: all at once.
   */
  full_taken_at: string | null;
  /** What could not be seen, noun by noun. */
  limits: Limit[];
}

/** A database without anything in it, or nothing seen. */
export const noSchema: SchemaFacts = {
  enums: [],
  domains: [],
  constraints: [],
  partition_keys: [],
  partition_bounds: [],
  inherits: [],
  views: [],
  functions: [],
  composite_types: [],
  range_types: [],
  sequences: [],
  extended_statistics: [],
  btree_levels: {},
};
