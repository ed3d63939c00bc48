/** Snapshots built by hand for this room's tests: everything that is not named is empty or plain. */

import type { ColumnRow, IndexRow, Snapshot, StatementRow, TableRow } from '../../src/domain/index.ts';
import { noActivity, noCounters, noReplication, noSchema } from '../../src/domain/index.ts';
import * as rows from '../support/rows.ts';

/** A statement that has not been called, told by its queryid. */
export function statementRow(row: Partial<StatementRow> & { queryid: string }): StatementRow {
  return rows.statementRow({ query: `select ${row.queryid}`, ...row });
}

/** A table of 10,000 rows in 100 pages that nobody has touched, vacuumed or analysed. */
export function tableRow(row: Partial<TableRow> & { oid: number; name: string }): TableRow {
  return rows.tableRow({
    relpages: 100,
    reltuples: 10_000,
    relallvisible: 100,
    main_pages: 100,
    total_bytes: 819_200,
    indexes_bytes: 0,
    n_tup_ins: 0,
    n_tup_newpage_upd: null,
    n_live_tup: 0,
    last_autovacuum: null,
    last_autoanalyze: null,
    autovacuum_count: 0,
    autoanalyze_count: 0,
    xid_age: null,
    ...row,
  });
}

/** An index of 10 pages, whose keys a test states. */
export function indexRow(row: Partial<IndexRow> & { oid: number; table_oid: number }): IndexRow {
  return rows.indexRow({
    name: `index_${row.oid}`,
    definition: '',
    keys: [],
    key_attnums: [],
    opclasses: [],
    collations: [],
    options: [],
    relpages: 10,
    reltuples: 10_000,
    main_pages: 10,
    size_bytes: 81_920,
    ...row,
  });
}

/** A column of any type, nullable. */
export function columnRow(
  row: Partial<ColumnRow> & { table_oid: number; name: string; type: string },
): ColumnRow {
  return rows.columnRow({ typlen: -1, typalign: 'i', typcategory: 'U', not_null: false, ...row });
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
