/**
 * Size of a freshly built GIN index: a tree of entries, each with its rows as a compressed list beside it or, when
 * long, in a tree of its own (ginentrypage.c, gindatapage.c, ginpostinglist.c). How many entries a document has is an
 * assumption where no statistics tell: such estimates are good to a factor of two.
 */
import type { ColumnRow, IndexSize } from '../../domain/index.ts';
import { entryFill, type GinBuild } from './gin-build.ts';
import { elementClasses } from './gin-elements.ts';
import { type EntryClass, sampledEntries } from './gin-entries.ts';
import { alignTo } from './index-tuple.ts';
import type { KeyFacts } from './key-facts.ts';

const PAGE = 8192;
const USABLE = PAGE - 24 - 8;
/** GinMaxItemSize: a longer list of rows moves to a posting tree. */
const MAX_ENTRY = 2704;
const HEADER = 8;
const LINE_POINTER = 4;
/** GinPostingList: first address and the number of bytes that follow. */
const FIRST_ADDRESS = 8;
/** GinPostingListSegmentTargetSize: lists in trees are cut into pieces of it, each with a first address of its own. */
const SEGMENT = 256;
/** GinDataPageMaxDataSize: header, right bound (an address, aligned) and opaque data are not for lists. */
const DATA_PAGE = PAGE - 24 - 8 - 8;
/** Children of an inner page of such a tree: PostingItem is ten bytes. */
const DATA_FANOUT = Math.floor(DATA_PAGE / 10);

/**
 * Bytes of one row's address on average: differences of (block << 11 | offset), 7 bits a byte (encode_varbyte() of
 * ginpostinglist.c). A row on the same page takes one, up to 8 pages on two, up to 1,024 three.
 * @param gap pages between two rows that hold the entry, on average: at random, so that they are far apart now and then.
 */
function addressBytes(gap: number): number {
  const samePage = Math.max(0, 1 + gap * Math.expm1(-1 / Math.max(1e-3, gap)));
  return 2 - samePage + Math.exp(-8 / gap) + Math.exp(-1024 / gap) + Math.exp(-131_072 / gap);
}

/** What a document holds, by operator class: distinct entries a row, distinct entries in all, bytes an entry. */
function entryClasses(
  { facts: key, opclass, is_text: isText, column, most_elements: most }: GinKey,
  rows: number,
): EntryClass[] {
  const isTsvector = column?.type === 'tsvector';
  const bytes = key.width;
  if (opclass === 'gin_trgm_ops') {
    // Trigrams of words: about one a character, from an alphabet that natural text uses a few thousand of.
    return zipf(Math.max(1, bytes * 0.95), Math.min(6_000, rows * bytes), rows, 4);
  }
  if (key.elements !== null || key.element_freqs.length > 0) return elementClasses(key, rows, most);
  if (isTsvector) {
    // None is in as many rows as ANALYZE lists: between all different and as few as Heaps' law has it.
    const words = Math.max(1, (bytes - 8) / (8 + 7));
    const all = rows * words;
    const distinct = Math.max(1, Math.sqrt(all * Math.min(all, 20 * Math.sqrt(all))));
    return [{ keys: distinct, rows: all / distinct, bytes: 8 }];
  }
  if (isText) {
    const words = Math.max(1, bytes / 7);
    // Heaps' law: a text of n words uses about 20 n^0.5 different ones.
    return zipf(words, Math.min(20 * Math.sqrt(rows * words), rows * words), rows, 8, 300);
  }
  const members = Math.max(1, bytes / 16);
  const perMember = opclass === 'jsonb_path_ops' ? 1 : 2;
  return [{ keys: Math.max(1, (rows * members) / 20), rows: 20 * perMember, bytes: 8 }];
}

/**
 * Entries whose frequencies fall as 1 / (rank + shift) (Zipf and Mandelbrot), no entry in more than all rows.
 * @param shift flattens the top: stop words are not in a tsvector.
 */
function zipf(perRow: number, distinct: number, rows: number, bytes: number, shift = 0): EntryClass[] {
  const harmonic = Math.log((Math.max(2, distinct) + shift + 0.56) / (shift + 0.56));
  const classes: EntryClass[] = [];
  for (let rank = 1; rank <= distinct; rank *= 2) {
    const last = Math.min(distinct, rank * 2 - 1);
    const share = (perRow * rows) / harmonic / (Math.sqrt(rank * last) + shift);
    classes.push({ keys: last - rank + 1, rows: Math.min(rows, Math.max(1, share)), bytes });
  }
  return classes;
}

/** One key of a GIN index. */
export interface GinKey {
  facts: KeyFacts;
  opclass: string | null;
  /** The key is a to_tsvector(…) of a text of this width. */
  is_text: boolean;
  /** Elements or lexemes that ANALYZE lists of it at most; 0: not known. */
  most_elements: number;
  /** The column, or the expression as if it were one. */
  column: ColumnRow | undefined;
}

/**
 * Pages and entries of a GIN index.
 * @param tablePages pages that the table's rows lie on: they tell how far apart an entry's rows are.
 */
export function ginSize(
  keys: readonly GinKey[],
  rows: number,
  tablePages: number,
  build: GinBuild,
): IndexSize {
  let entryBytes = 0;
  let treePages = 0;
  let entries = 0;
  let innerBytes = 0;
  const classes = keys.flatMap((key) => {
    const sampled = key.column === undefined ? null : sampledEntries(key.column, key.opclass, rows);
    return sampled ?? entryClasses(key, rows);
  });
  // Of several columns each entry says which one it is of (GinFormTuple()).
  const attribute = keys.length > 1 ? 2 : 0;
  for (const each of classes) {
    entries += each.keys;
    const key = alignTo(HEADER + attribute + each.bytes, 8);
    innerBytes += each.keys * (key + LINE_POINTER);
    const address = addressBytes(tablePages / Math.max(1, each.rows));
    const inline = alignTo(key + alignTo(FIRST_ADDRESS + (each.rows - 1) * address, 2), 8);
    if (inline <= MAX_ENTRY) entryBytes += each.keys * (inline + LINE_POINTER);
    else {
      entryBytes += each.keys * (key + LINE_POINTER);
      treePages += each.keys * postingTreePages(each.rows, address);
    }
  }
  const average = entries > 0 ? entryBytes / entries : 0;
  const fill = entryFill(classes, average, build);
  const leaves = Math.max(1, Math.ceil(entryBytes / (USABLE * fill)));
  // Inner pages are split in the middle, too.
  const fanOut = Math.max(2, Math.floor((USABLE * 0.5) / Math.max(1, innerBytes / Math.max(1, entries))));
  let entry_pages = leaves;
  for (let level = leaves; level > 1; entry_pages += level) level = Math.ceil(level / fanOut);
  const data_pages = Math.ceil(treePages);
  return {
    pages: 1 + entry_pages + data_pages,
    tuples: rows,
    tree_height: null,
    gin: { entry_pages, data_pages, entries: Math.round(entries) },
  };
}

/** Leaves are filled while an index is built (leafRepackItems()); more than one have a root above them. */
function postingTreePages(rows: number, address: number): number {
  const perSegment = 1 + (SEGMENT - FIRST_ADDRESS) / address;
  const bytes = (rows / perSegment) * SEGMENT;
  const leaves = Math.max(1, Math.ceil(bytes / (DATA_PAGE - (DATA_PAGE % SEGMENT))));
  return leaves === 1 ? 1 : leaves + Math.ceil(leaves / DATA_FANOUT);
}
