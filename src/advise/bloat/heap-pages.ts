/**
 * Pages that live rows would fill if they were written anew, as VACUUM FULL does. It follows heap_compute_data_size()
 * and heap_form_tuple() (heaptuple.c) for a row, raw_heap_insert() (rewriteheap.c) for a page, PostgreSQL 14 to 18.
 */
import type { ColumnRow } from '../../domain/index.ts';
import { alignTo } from '../index-advisor/index-tuple.ts';
import { seededRandom } from './random.ts';
import { storedWidths } from './stored-widths.ts';

const PAGE_HEADER = 24;
const LINE_POINTER = 4;
/** SizeofHeapTupleHeader; the null bitmap follows it. */
const TUPLE_HEADER = 23;
const MAXALIGN = 8;
/** A varlena of up to 126 bytes has a header of one byte and is not aligned. */
const SHORT_VARLENA = 127;
const ALIGNMENTS: Readonly<Record<string, number>> = { c: 1, s: 2, i: 4, d: 8 };
/** Rows that are drawn and packed: the error of the mean is well under 1 % for any mixture of widths. */
const DRAWS = 1500;

interface StoredColumn {
  widths: readonly number[];
  align: number;
  varlena: boolean;
  null_frac: number;
}

export interface HeapShape {
  /** Columns by attnum. */
  columns: readonly StoredColumn[];
  /** Highest attnum: the null bitmap has a bit for dropped columns, too. */
  attributes: number;
  /** Rows always have a bitmap: a dropped column, or a virtual one (18+), is stored as null. */
  always_bitmap: boolean;
  /** Percent. */
  fillfactor: number;
}

/** Null: a column has no statistics (or they may not be read). */
export function heapShape(columns: readonly ColumnRow[], fillfactor: number): HeapShape | null {
  const stored: StoredColumn[] = [];
  const virtual = columns.filter((column) => column.generated === 'v');
  const real = columns.filter((column) => column.generated !== 'v').toSorted((a, b) => a.attnum - b.attnum);
  for (const column of real) {
    const widths = storedWidths(column);
    // Of a fixed width, but how often it is null must be known, too.
    if (widths === null || (column.stats === null && !column.not_null)) return null;
    stored.push({
      widths,
      align: ALIGNMENTS[column.typalign] ?? 4,
      varlena: column.typlen === -1,
      null_frac: column.stats?.null_frac ?? 0,
    });
  }
  const attributes = Math.max(0, ...columns.map((column) => column.attnum));
  return {
    columns: stored,
    attributes,
    always_bitmap: virtual.length > 0 || attributes > columns.length,
    fillfactor,
  };
}

/** Bytes of one row with its header, not yet aligned at its end. */
function drawRow(shape: HeapShape, random: () => number): number {
  let offset = 0;
  let nulls = shape.always_bitmap;
  for (const column of shape.columns) {
    if (random() < column.null_frac) {
      nulls = true;
      continue;
    }
    const drawn = column.widths[Math.floor(random() * column.widths.length)] ?? 0;
    // A fraction is a mean of two widths: each as often as brings it about.
    const width = Math.floor(drawn) + (random() < drawn % 1 ? 1 : 0);
    const align = column.varlena && width <= SHORT_VARLENA ? 1 : column.align;
    offset = alignTo(offset, align) + width;
  }
  const header = TUPLE_HEADER + (nulls ? Math.ceil(shape.attributes / 8) : 0);
  return alignTo(header, MAXALIGN) + offset;
}

/** Pages of a heap of so many rows, each page filled as far as the fill factor lets it be. */
export function heapPages(shape: HeapShape, rows: number, pageBytes: number): number {
  if (rows < 1) return 0;
  const random = seededRandom(1);
  const reserved = Math.floor((pageBytes * (100 - shape.fillfactor)) / 100);
  const empty = pageBytes - PAGE_HEADER;
  let pages = 1;
  let free = empty;
  let onLast = 0;
  const draws = Math.min(DRAWS, Math.ceil(rows));
  for (let row = 0; row < draws; row += 1) {
    const bytes = alignTo(drawRow(shape, random), MAXALIGN);
    // PageGetHeapFreeSpace() sets a line pointer aside; a row that exceeds an empty page's share stands alone.
    if (bytes + reserved > free - LINE_POINTER && free < empty) {
      pages += 1;
      free = empty;
      onLast = 0;
    }
    free -= bytes + LINE_POINTER;
    onLast += 1;
  }
  if (draws >= rows) return pages;
  // Rows of any width fill several pages by now (MaxHeapTuplesPerPage is 291): those that are full are what scales.
  return Math.ceil((rows * (pages - 1)) / (draws - onLast));
}
