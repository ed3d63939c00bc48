/**
 * The estimate that most tools use, for comparison: the arithmetic of check_postgres.pl's bloat check as ioguix
 * corrected it (github.com/ioguix/pgsql-bloat-estimation, BSD 2-clause licence; check_postgres: BSD licence). Only the
 * formula is theirs, this code is not.
 */
import type { ColumnRow, IndexRow, TableRow } from '../src/domain/index.ts';

const PAGE = 8192;
const pad = (bytes: number) => Math.ceil(bytes / 8) * 8;
const share = (column: ColumnRow) => column.stats?.null_frac ?? 0;
const averageData = (columns: readonly ColumnRow[]) =>
  columns.reduce((sum, column) => sum + (1 - share(column)) * (column.stats?.avg_width ?? 0), 0);

/** Pages of a table by it: header and data of an average row are padded, columns' alignment is left out. */
export function classicTablePages(table: TableRow, columns: readonly ColumnRow[]): number {
  const bitmap = columns.some((column) => share(column) > 0) ? Math.floor((7 + columns.length) / 8) : 0;
  const row = 4 + pad(23 + bitmap) + pad(averageData(columns));
  const fillfactor = Number(table.reloptions.fillfactor ?? 100);
  return Math.ceil(table.reltuples / (((PAGE - 24) * fillfactor) / (row * 100)));
}

/** Pages of a B-tree by it: one level of leaves, each row a tuple, a bitmap as soon as a key is ever null. */
export function classicIndexPages(index: IndexRow, columns: readonly ColumnRow[]): number {
  const header = columns.some((column) => share(column) > 0) ? 8 + 4 : 8;
  const tuple = 4 + pad(header) + pad(averageData(columns));
  const fillfactor = Number(index.reloptions.fillfactor ?? 90);
  return 1 + Math.ceil(index.reltuples / Math.floor(((PAGE - 16 - 24) * fillfactor) / (100 * tuple)));
}
