/** The snapshot as the index advisor looks things up in it. */
import type { ColumnRow, IndexRow, Snapshot, TableRow } from '../../domain/index.ts';

export interface AdvisorTable {
  row: TableRow;
  columns: Map<string, ColumnRow>;
  indexes: IndexRow[];
}

export interface AdvisorCatalog {
  tables: Map<number, AdvisorTable>;
  /** A plain B-tree serves LIKE 'x%' only where texts sort by their bytes. */
  sorts_by_bytes: boolean;
  extensions: ReadonlySet<string>;
  major: number;
}

export function advisorCatalog(snapshot: Snapshot): AdvisorCatalog {
  const tables = new Map<number, AdvisorTable>(
    snapshot.tables.map((row) => [row.oid, { row, columns: new Map(), indexes: [] }]),
  );
  for (const column of snapshot.columns) tables.get(column.table_oid)?.columns.set(column.name, column);
  for (const index of snapshot.indexes) tables.get(index.table_oid)?.indexes.push(index);
  const { lc_collate, locale_provider } = snapshot.server;
  return {
    tables,
    // The builtin provider's locales all sort by code point; ICU and other libc locales do not.
    sorts_by_bytes:
      locale_provider === 'b' || (locale_provider !== 'i' && ['C', 'POSIX'].includes(lc_collate ?? '')),
    extensions: new Set(Object.keys(snapshot.server.extensions)),
    major: Math.floor(snapshot.server.server_version_num / 10_000),
  };
}

/** Rows of a table as last known; never below 1. */
export function rowCount(table: AdvisorTable): number {
  const { reltuples, relpages, main_pages, n_live_tup } = table.row;
  if (reltuples <= 0) return Math.max(1, n_live_tup);
  // As the planner does: the density of the last look, over the pages of today.
  return Math.max(1, relpages > 0 ? (reltuples / relpages) * main_pages : reltuples);
}

/** Distinct values of a column, of `rows` rows; null: no statistics. */
export function distinctCount(column: ColumnRow | undefined, rows: number): number | null {
  const n = column?.stats?.n_distinct;
  if (n === undefined || n === 0) return null;
  return Math.max(1, n > 0 ? n : -n * rows);
}
