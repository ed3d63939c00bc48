/** A snapshot out of TPC-H's catalog as a real PostgreSQL 15 gave it: sizes and statistics, no data. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ColumnRow,
  type IndexRow,
  noActivity,
  noCounters,
  noReplication,
  noSchema,
  type Snapshot,
  type TableRow,
} from '../src/domain/index.ts';

interface Catalog {
  server_version_num: string;
  relations: {
    relname: string;
    relkind: string;
    relpages: number;
    reltuples: number;
    relallvisible: number;
    blocks: number;
    table_name: string | null;
    indexdef: string | null;
    btree_level: number | null;
  }[];
  columns: { table_name: string; attname: string; attnum: number; type: string; attnotnull: boolean }[];
  constraints: { table_name: string; conname: string; contype: string; def: string }[];
  column_stats: ({ tablename: string; attname: string } & Record<string, unknown>)[];
  settings: { name: string; setting: string; unit: string | null }[];
}

const lengths: Record<string, { typlen: number; typalign: string }> = {
  integer: { typlen: 4, typalign: 'i' },
  bigint: { typlen: 8, typalign: 'd' },
  date: { typlen: 4, typalign: 'i' },
};

/** Arrays may be lists or PostgreSQL's text form. */
function numbers(value: unknown): number[] | null {
  if (value === null || value === undefined) return null;
  return Array.isArray(value) ? value.map(Number) : String(value).slice(1, -1).split(',').map(Number);
}

const text = (value: unknown) => (value === null || value === undefined ? null : String(value));

/** Builds the snapshot. */
export async function tpchSnapshot(directory: string): Promise<Snapshot> {
  const catalog = JSON.parse(await readFile(join(directory, 'catalog.json'), 'utf8')) as Catalog;
  const oids = new Map(catalog.relations.map((relation, position) => [relation.relname, 16384 + position]));
  const oid = (name: string) => oids.get(name) ?? 0;
  const nothing = {
    seq_scan: 0,
    seq_tup_read: 0,
    idx_scan: 0,
    idx_tup_fetch: 0,
    n_tup_ins: 0,
    n_tup_upd: 0,
    n_tup_del: 0,
    n_tup_hot_upd: 0,
  };
  const tables = catalog.relations
    .filter((relation) => relation.relkind === 'r')
    .map(
      (relation): TableRow => ({
        ...nothing,
        oid: oid(relation.relname),
        schema: 'public',
        name: relation.relname,
        relkind: 'r',
        relpersistence: 'p',
        owner: 'postgres',
        relpages: relation.relpages,
        reltuples: relation.reltuples,
        relallvisible: relation.relallvisible,
        main_pages: relation.blocks,
        total_bytes: relation.blocks * 8192,
        toast_bytes: 0,
        indexes_bytes: 0,
        reloptions: {},
        toast_reloptions: {},
        parent_oid: null,
        is_partition: false,
        n_tup_newpage_upd: null,
        n_live_tup: relation.reltuples,
        n_dead_tup: 0,
        n_mod_since_analyze: 0,
        n_ins_since_vacuum: 0,
        last_vacuum: null,
        last_autovacuum: null,
        last_analyze: null,
        last_autoanalyze: null,
        vacuum_count: 0,
        autovacuum_count: 0,
        analyze_count: 1,
        autoanalyze_count: 0,
        xid_age: null,
        mxid_age: null,
        relallfrozen: null,
        last_seq_scan: null,
        last_idx_scan: null,
        access_method: 'heap',
        row_security: false,
        toast: null,
      }),
    );
  const columnNumber = new Map(
    catalog.columns.map((column) => [`${column.table_name}.${column.attname}`, column.attnum]),
  );
  const indexes = catalog.relations
    .filter((relation) => relation.relkind === 'i')
    .map((relation): IndexRow => {
      const table = relation.table_name ?? '';
      const keys = /\(([^)]*)\)/.exec(relation.indexdef ?? '')?.[1]?.split(', ') ?? [];
      return {
        oid: oid(relation.relname),
        table_oid: oid(table),
        schema: 'public',
        table,
        name: relation.relname,
        method: 'btree',
        definition: relation.indexdef ?? '',
        keys,
        include: [],
        key_attnums: keys.map((key) => columnNumber.get(`${table}.${key}`) ?? 0),
        opclasses: keys.map(() => 'pg_catalog.int4_ops'),
        collations: keys.map(() => 0),
        options: keys.map(() => 0),
        predicate: null,
        is_unique: true,
        is_primary: true,
        is_exclusion: false,
        is_valid: true,
        is_ready: true,
        is_replica_identity: false,
        is_clustered: false,
        constraint_name: relation.relname,
        is_partition: false,
        relkind: 'i',
        relpages: relation.relpages,
        reltuples: relation.reltuples,
        main_pages: relation.blocks,
        size_bytes: relation.blocks * 8192,
        reloptions: {},
        idx_scan: 0,
        idx_tup_read: 0,
        idx_tup_fetch: 0,
        last_idx_scan: null,
      };
    });
  const stats = new Map(catalog.column_stats.map((row) => [`${row.tablename}.${row.attname}`, row]));
  const columns = catalog.columns.map((column): ColumnRow => {
    const row = stats.get(`${column.table_name}.${column.attname}`);
    const isText = /char|text/.test(column.type);
    return {
      table_oid: oid(column.table_name),
      schema: 'public',
      table: column.table_name,
      name: column.attname,
      attnum: column.attnum,
      type: column.type,
      ...(lengths[column.type] ?? { typlen: -1, typalign: 'i' }),
      typtype: 'b',
      typcategory: isText ? 'S' : column.type === 'date' ? 'D' : 'N',
      not_null: column.attnotnull,
      collation: null,
      generated: '',
      identity: '',
      default_expression: null,
      stattarget: null,
      stats: row
        ? {
            inherited: false,
            null_frac: Number(row.null_frac),
            avg_width: Number(row.avg_width),
            n_distinct: Number(row.n_distinct),
            most_common_vals: text(row.most_common_vals),
            most_common_freqs: numbers(row.most_common_freqs),
            histogram_bounds: text(row.histogram_bounds),
            correlation: row.correlation === null ? null : Number(row.correlation),
            most_common_elems: null,
            most_common_elem_freqs: null,
            elem_count_histogram: null,
          }
        : null,
    };
  });
  const setting = (name: string) => catalog.settings.find((row) => row.name === name)?.setting ?? null;
  return {
    format_version: 1,
    taken_at: '2026-01-01T00:00:00Z',
    collected_at: '2026-01-01T00:00:00Z',
    duration_ms: 0,
    server: {
      server_version: '15.18',
      server_version_num: Number(catalog.server_version_num),
      database: 'tpch',
      started_at: '2025-01-01T00:00:00Z',
      system_identifier: null,
      in_recovery: false,
      block_size: 8192,
      encoding: 'UTF8',
      lc_collate: setting('lc_collate') ?? 'C.UTF-8',
      lc_ctype: setting('lc_ctype') ?? 'C.UTF-8',
      locale_provider: 'c',
      icu_locale: null,
      database_size_bytes: null,
      stats_reset: null,
      extensions: {},
      managed_service: null,
    },
    host: {
      ram_bytes: { value: null, source: 'none' },
      cpu_count: { value: null, source: 'none' },
      disk_type: { value: null, source: 'none' },
    },
    statements: [],
    statements_info: null,
    tables,
    indexes,
    columns,
    // The peers' runs had parallel query off, which the catalog does not list.
    settings: [
      ...catalog.settings,
      { name: 'max_parallel_workers_per_gather', setting: '0', unit: null },
    ].map((row) => ({
      ...row,
      category: '',
      context: 'user',
      vartype: 'string',
      source: 'default',
      min_val: null,
      max_val: null,
      enumvals: null,
      boot_val: null,
      reset_val: null,
      sourcefile: null,
      pending_restart: false,
    })),
    setting_overrides: [],
    schema: {
      ...noSchema,
      constraints: catalog.constraints.map((row) => ({
        schema: 'public',
        table: row.table_name,
        table_oid: oid(row.table_name),
        name: row.conname,
        type: row.contype,
        definition: row.def,
        valid: true,
        referenced_oid: null,
        columns: [],
        referenced_columns: [],
        index_name: row.contype === 'p' ? row.conname : null,
      })),
      btree_levels: Object.fromEntries(
        catalog.relations
          .filter((relation) => relation.btree_level !== null)
          .map((relation) => [String(oid(relation.relname)), relation.btree_level ?? 0]),
      ),
    },
    counters: noCounters,
    activity: noActivity,
    replication: noReplication,
    full_taken_at: null,
    limits: [],
  };
}
