/**
 * How large an index will be. B-trees after src/backend/access/nbtree of PostgreSQL 13+: aligned tuples, deduplication
 * into posting lists, fill factor 90, inner pages at 70. Others by rougher formulas, each with its reason.
 */
import type { ColumnRow, IndexDefinition, IndexSize } from '../../domain/index.ts';
import { type AdvisorTable, distinctCount, rowCount } from './catalog.ts';

const BLOCK = 8192;
/** Page header 24 and B-tree opaque area 16 bytes. */
const BTREE_USABLE = BLOCK - 24 - 16;
const LEAF_FILL = 0.9;
const INNER_FILL = 0.7;
const LINE_POINTER = 4;
const INDEX_TUPLE_HEADER = 8;
const TID = 6;
/** BTMaxItemSize-related limit of a posting list made by CREATE INDEX: a tenth of a page, less a line pointer. */
const MAX_POSTING = 816 - LINE_POINTER;
/** Types whose equal values may differ in bytes: _bt_allequalimage() refuses to deduplicate them. */
const NOT_DEDUPLICATED = new Set(['numeric', 'double precision', 'real', 'jsonb']);

const align8 = (bytes: number) => Math.ceil(bytes / 8) * 8;
const alignments: Record<string, number> = { c: 1, s: 2, i: 4, d: 8 };

/** A value's bytes in an index tuple: short varlenas are not aligned. */
function widthOf(column: ColumnRow | undefined): { width: number; alignment: number } {
  if (!column) return { width: 16, alignment: 1 };
  const width = column.typlen > 0 ? column.typlen : (column.stats?.avg_width ?? 16);
  const isShortVarlena = column.typlen < 0 && width <= 127;
  return { width, alignment: isShortVarlena ? 1 : (alignments[column.typalign] ?? 8) };
}

function dataBytes(columns: (ColumnRow | undefined)[]): number {
  let offset = 0;
  for (const column of columns) {
    const { width, alignment } = widthOf(column);
    offset = Math.ceil(offset / alignment) * alignment + width;
  }
  return offset;
}

/** Rows that a predicate keeps: what `selectivity` says of the table's rows. */
export interface SizeInput {
  definition: IndexDefinition;
  table: AdvisorTable;
  /** Share of the rows that the partial predicate keeps; 1 without one. */
  selectivity: number;
}

/** Size by the index's method. */
export function indexSize(input: SizeInput): IndexSize {
  const rows = Math.max(1, rowCount(input.table) * input.selectivity);
  switch (input.definition.method) {
    case 'btree':
      return btreeSize(input, rows);
    case 'brin':
      return brinSize(input);
    case 'gin':
      return ginSize(input, rows);
    case 'hash':
      return { pages: Math.ceil((rows * 20) / (BLOCK * 0.75)) + 2, tuples: rows, tree_height: null };
    default:
      // GiST and others: an entry of the key's bounding value a row, pages three quarters full.
      return {
        pages: Math.ceil((rows * (align8(keyBytes(input)) + 12)) / (BLOCK * 0.75)) + 1,
        tuples: rows,
        tree_height: null,
      };
  }
}

function keyColumns({ definition, table }: SizeInput): (ColumnRow | undefined)[] {
  return definition.keys.map((key) => (key.column === null ? undefined : table.columns.get(key.column)));
}

function keyBytes(input: SizeInput): number {
  return dataBytes(keyColumns(input));
}

function btreeSize(input: SizeInput, rows: number): IndexSize {
  const { definition, table } = input;
  const keys = keyColumns(input);
  const included = definition.include.map((name) => table.columns.get(name));
  const all = [...keys, ...included];
  const hasNulls = all.some((column) => (column?.stats?.null_frac ?? 0) > 0);
  // With a null the tuple has a bitmap of INDEX_MAX_KEYS bits: 4 bytes, aligned with the header to 16.
  const header = hasNulls ? 16 : INDEX_TUPLE_HEADER;
  const tuple = align8(header + dataBytes(all));
  const perPage = BTREE_USABLE * LEAF_FILL;
  const deduplicates =
    !definition.unique &&
    definition.include.length === 0 &&
    keys.every((column) => column === undefined || !NOT_DEDUPLICATED.has(column.type.replace(/\(.*/, '')));
  const groups = deduplicates ? distinctKeys(keys, rows, rowCount(table)) : rows;
  const leafPages = Math.max(1, Math.ceil(leafBytes(rows, groups, tuple) / perPage));
  const pivot = align8(INDEX_TUPLE_HEADER + dataBytes(keys)) + LINE_POINTER;
  const fanOut = Math.max(2, Math.floor((BTREE_USABLE * INNER_FILL) / pivot));
  let pages = leafPages;
  let height = 0;
  for (let width = leafPages; width > 1; ) {
    width = Math.ceil(width / fanOut);
    pages += width;
    height += 1;
  }
  return { pages: pages + 1, tuples: rows, tree_height: height };
}

/** Groups of equal keys: distinct values multiply, but are no more than the rows. */
function distinctKeys(keys: (ColumnRow | undefined)[], rows: number, tableRows: number): number {
  let product = 1;
  for (const column of keys) product *= distinctCount(column, tableRows) ?? rows;
  return Math.min(rows, product);
}

function leafBytes(rows: number, groups: number, tuple: number): number {
  const perGroup = rows / groups;
  if (perGroup < 1.5) return rows * (tuple + LINE_POINTER);
  // Group sizes vary about their mean (as Poisson's do): those with one row stay plain tuples.
  const single = perGroup < 30 ? perGroup * Math.exp(-perGroup) : 0;
  const perPosting = Math.max(1, Math.floor((MAX_POSTING - tuple) / TID));
  const full = Math.floor(perGroup / perPosting);
  const rest = perGroup - full * perPosting;
  const posting = (tids: number) => align8(tuple + tids * TID) + LINE_POINTER;
  const bytesOfGroup = full * posting(perPosting) + (rest > 0 ? posting(rest) : 0);
  return groups * (single * (tuple + LINE_POINTER) + (1 - single) * bytesOfGroup);
}

/** A summary of min and max for each range of pages, and a map of 6 bytes a range (1,360 a page). */
function brinSize({ definition, table }: SizeInput): IndexSize {
  const perRange = Number(definition.options.pages_per_range ?? 128);
  const ranges = Math.max(1, Math.ceil(table.row.main_pages / perRange));
  const bytes = align8(8 + 2 * keyBytes({ definition, table, selectivity: 1 })) + LINE_POINTER;
  const pages = 1 + Math.ceil(ranges / 1360) + Math.ceil((ranges * bytes) / (BLOCK - 32));
  return { pages, tuples: ranges, tree_height: null };
}

/**
 * An entry a distinct element, a posting of about two bytes (varbyte-encoded differences) an element and row. Elements
 * a row come from the statistics where there are any; otherwise one for each 12 bytes of the value.
 */
function ginSize(input: SizeInput, rows: number): IndexSize {
  const [column] = keyColumns(input);
  const stats = column?.stats;
  const average = stats?.elem_count_histogram?.at(-1);
  const width = stats?.avg_width ?? 64;
  const elements = Math.max(1, average ?? width / 12);
  const commonest = stats?.most_common_elem_freqs?.length ?? 0;
  const distinct = Math.max(commonest, Math.min(rows * elements * 0.1, rows));
  const bytes = rows * elements * 2.2 + distinct * 32;
  return { pages: Math.ceil(bytes / (BLOCK * 0.85)) + 2, tuples: rows * elements, tree_height: null };
}
