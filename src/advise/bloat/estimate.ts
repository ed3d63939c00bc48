/**
 * Bloat out of statistics alone: what tables, their TOAST tables and B-trees take against what a rewrite would leave.
 * How good it is, docs/bloat.md shows; where statistics are missing or old nothing is estimated, and a limit says so.
 */
import type {
  BloatEstimate,
  BloatEstimates,
  ColumnRow,
  IndexRow,
  Limit,
  Snapshot,
  TableRow,
} from '../../domain/index.ts';
import { btreePages } from './btree-pages.ts';
import { heapPages, heapShape } from './heap-pages.ts';
import { type KnownRows, knownRows } from './known-rows.ts';

export interface BloatOptions {
  /** Relations below this many bytes are not looked at; default 1 MB, where a few pages decide. */
  minimum_bytes?: number;
}

const HEAP_FORMULA =
  '1 − pages(rows)/pages: rows packed as VACUUM FULL does (heaptuple.c, rewriteheap.c) of pg_stats widths and null_frac, alignment, null bitmap, fillfactor; rows = ';
const BTREE_FORMULA =
  '1 − pages(REINDEX)/pages: nbtsort.c and nbtdedup.c of pg_stats widths, n_distinct and common values, fillfactor; rows = ';
const TOAST_FORMULA =
  'at least 1 − (reltuples/4)/relpages: four chunks fill a page (TOAST_TUPLES_PER_PAGE), a shorter chunk leaves room for more';

/** Chunks of a TOAST table that fill a page. */
const CHUNKS_PER_PAGE = 4;

/** Tables and B-trees of a snapshot with the room they waste, the largest waste first. */
export function estimateBloat(snapshot: Snapshot, options: BloatOptions = {}): BloatEstimates {
  const page = snapshot.server.block_size;
  const minimum = options.minimum_bytes ?? 1024 * 1024;
  const columns = byTable(snapshot.columns);
  const indexes = byTable(snapshot.indexes);
  const missing: string[] = [];
  const stale: string[] = [];
  const relations: BloatEstimate[] = [];
  for (const table of snapshot.tables) {
    if (!['r', 'm'].includes(table.relkind) || table.access_method !== 'heap') continue;
    const large = (indexes.get(table.oid) ?? []).filter(
      (index) => isBtree(index) && index.main_pages * page >= minimum,
    );
    const isLarge = table.main_pages * page >= minimum;
    const toast = toastBloat(table, page, minimum);
    if (toast) relations.push(toast);
    if (!isLarge && large.length === 0) continue;
    const rows = knownRows(table, snapshot.server.in_recovery);
    if (rows.count === null) {
      (rows.reason === 'missing' ? missing : stale).push(`${table.schema}.${table.name}`);
      continue;
    }
    const own = columns.get(table.oid) ?? [];
    if (isLarge) {
      const estimate = heapBloat(table, own, rows, page);
      if (estimate) relations.push(estimate);
      else missing.push(`${table.schema}.${table.name}`);
    }
    for (const index of large) {
      const pages = btreePages({ index, table, columns: own, schema: snapshot.schema, rows: rows.count });
      if (pages === null) missing.push(`${index.schema}.${index.name}`);
      else
        relations.push({
          ...outcome(index.main_pages, pages, page),
          kind: 'btree',
          oid: index.oid,
          schema: index.schema,
          name: index.name,
          table: index.table,
          bound: 'about',
          formula: BTREE_FORMULA + rows.source,
        });
    }
  }
  relations.sort((a, b) => b.wasted_bytes - a.wasted_bytes);
  return { relations, limits: limitsOf(missing, stale) };
}

function byTable<T extends { table_oid: number }>(rows: readonly T[]): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const row of rows) {
    const group = groups.get(row.table_oid);
    if (group) group.push(row);
    else groups.set(row.table_oid, [row]);
  }
  return groups;
}

/** A build that failed or goes on says nothing yet. */
function isBtree(index: IndexRow): boolean {
  return index.method === 'btree' && index.relkind === 'i' && index.is_valid && index.is_ready;
}

function heapBloat(
  table: TableRow,
  columns: readonly ColumnRow[],
  rows: KnownRows & { count: number },
  page: number,
): BloatEstimate | null {
  const shape = heapShape(columns, Number(table.reloptions.fillfactor ?? 100));
  if (shape === null) return null;
  return {
    ...outcome(table.main_pages, heapPages(shape, rows.count, page), page),
    kind: 'table',
    oid: table.oid,
    schema: table.schema,
    name: table.name,
    table: table.name,
    bound: 'about',
    formula: HEAP_FORMULA + rows.source,
  };
}

/** Chunks have no statistics: only what they cannot fill is told. Pages and chunks are those of the last VACUUM. */
function toastBloat(table: TableRow, page: number, minimum: number): BloatEstimate | null {
  const { toast } = table;
  if (toast === null || toast.reltuples < 0 || toast.relpages * page < minimum) return null;
  return {
    ...outcome(toast.relpages, Math.ceil(toast.reltuples / CHUNKS_PER_PAGE), page),
    kind: 'toast',
    oid: toast.oid,
    schema: table.schema,
    name: table.name,
    table: table.name,
    bound: 'at_least',
    formula: TOAST_FORMULA,
  };
}

function outcome(actual: number, expected: number, page: number) {
  const wasted = Math.max(0, actual - expected);
  return {
    actual_bytes: actual * page,
    expected_bytes: expected * page,
    wasted_bytes: wasted * page,
    wasted_share: actual > 0 ? wasted / actual : 0,
    level: 'estimated' as const,
  };
}

const NAMED = 5;

function limitsOf(missing: readonly string[], stale: readonly string[]): Limit[] {
  const named = (names: readonly string[]) =>
    names.slice(0, NAMED).join(', ') + (names.length > NAMED ? ` and ${names.length - NAMED} more` : '');
  const limits: Limit[] = [];
  if (missing.length > 0) {
    limits.push({
      scope: 'bloat',
      code: 'bloat_statistics_missing',
      message: `Bloat is not estimated without statistics of each column that is stored there: ${named(missing)}.`,
      remedy: 'ANALYZE these tables, and let the role read their statistics (pg_read_all_data).',
    });
  }
  if (stale.length > 0) {
    limits.push({
      scope: 'bloat',
      code: 'bloat_statistics_stale',
      message: `Bloat is not estimated from statistics that rows have changed under: ${named(stale)}.`,
      remedy: 'ANALYZE these tables; the next full snapshot estimates them.',
    });
  }
  return limits;
}
