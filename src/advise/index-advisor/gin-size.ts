/**
 * Size of a freshly built GIN index: a tree of entries, each with its rows as a compressed list beside it or, when
 * long, in a tree of its own (ginentrypage.c, gindatapage.c, ginpostinglist.c). How many entries a document has is an
 * assumption where no statistics tell: such estimates are good to a factor of two.
 */
import type { ColumnRow, IndexSize } from '../../domain/index.ts';
import type { Bound } from './column-facts.ts';
import { entryFill, type GinBuild } from './gin-build.ts';
import { elementClasses } from './gin-elements.ts';
import { type EntryClass, type EntrySource, type SampledEntries, sampledEntries } from './gin-entries.ts';
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

/**
 * Entries of a key by what its statistics show; where they show nothing, by its width.
 * @param bound absent: what is most likely.
 */
function entriesOf(key: GinKey, rows: number, bound: Bound | undefined): SampledEntries {
  const { facts, opclass, column, described = column } = key;
  const sourceOf = (from: ColumnRow): EntrySource => ({ column: from, facts, opclass, rows, bound });
  // What is derived of an expression lists the lexemes of a hundred values, and has those values.
  const isListed = column !== undefined && column.attnum > 0 && facts.element_freqs.length > 0;
  if (described !== undefined && isListed && opclass !== 'gin_trgm_ops') {
    const { most_elements: most, sampled_rows } = key;
    return elementClasses(sourceOf(column), sourceOf(described), { most, sampled_rows });
  }
  const sampled = described === undefined ? null : sampledEntries(sourceOf(described));
  return (
    sampled ?? { classes: entriesOfWidth(key, rows * (1 - facts.null_frac), bound), empty: 0, per_value: 0 }
  );
}

/** Bytes of a lexeme in a tsvector beside its text, and of its text: a short word's and a hash's. */
const LEXEME = { overhead: 8, likely: 7, least: 32, most: 6 } as const;
/** Words that a text of such bytes uses, beside what Heaps' law has. */
const VOCABULARY = { least: 0.25, likely: 1, reserved: 2, most: 4 } as const;
/** Of the words of a text, those that are its own: numbers, hashes, names. */
const OWN_WORDS = { least: 0, likely: 0, reserved: 0.1, most: 0.2 } as const;
/** Rows that share a member of a document. */
const SHARED_BY = { least: 200, likely: 20, reserved: 5, most: 1 } as const;

/** What a document of so many bytes holds, by operator class, as far as its width alone tells. */
function entriesOfWidth(
  { facts: key, opclass, is_text: isText, column }: GinKey,
  rows: number,
  end: Bound | 'likely' = 'likely',
): EntryClass[] {
  const isTsvector = column?.type === 'tsvector';
  const bytes = key.width;
  if (opclass === 'gin_trgm_ops') {
    // Trigrams of words: about one a character, from an alphabet that natural text uses a few thousand of.
    return zipf(Math.max(1, bytes * 0.95), Math.min(6_000, rows * bytes), rows, 4);
  }
  // Heaps' law: a text of n words uses about 20 n^0.5 different ones.
  const heaps = (words: number) => Math.min(words, 20 * VOCABULARY[end] * Math.sqrt(words));
  if (isTsvector) {
    // None is in as many rows as ANALYZE lists: between all different and as few as Heaps' law has it.
    const text = end === 'reserved' ? LEXEME.likely : LEXEME[end];
    const all = rows * Math.max(1, (bytes - 8) / (LEXEME.overhead + text));
    const least = heaps(all);
    const distinct = Math.max(1, end === 'least' ? least : end === 'most' ? all : Math.sqrt(all * least));
    return [{ keys: distinct, rows: all / distinct, bytes: text + 1 }];
  }
  if (isText) {
    const words = Math.max(1, bytes / 7);
    const own = OWN_WORDS[end] * words;
    const common = zipf(words - own, heaps(rows * (words - own)), rows, 8, 300);
    return own > 0 ? [...common, { keys: own * rows, rows: 1, bytes: 12 }] : common;
  }
  const members = Math.max(1, bytes / 16);
  const perMember = opclass === 'jsonb_path_ops' ? 1 : 2;
  const shared = SHARED_BY[end];
  return [{ keys: Math.max(1, (rows * members) / shared), rows: shared * perMember, bytes: 8 }];
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
  /** Rows that ANALYZE looks at. */
  sampled_rows: number;
  /** The column, or the expression as if it were one. */
  column: ColumnRow | undefined;
  /** What shows the key's values where its own statistics show none: the expression that a column is generated by. */
  described?: ColumnRow | undefined;
}

/**
 * Pages and entries of a GIN index.
 * @param tablePages pages that the table's rows lie on: they tell how far apart an entry's rows are.
 * @param bound an end of what is consistent with the statistics; absent: what is most likely.
 */
export function ginSize(
  keys: readonly GinKey[],
  rows: number,
  tablePages: number,
  build: GinBuild,
  bound?: Bound,
): IndexSize {
  let entryBytes = 0;
  let treePages = 0;
  let entries = 0;
  let innerBytes = 0;
  const classes = keys.flatMap((key) => {
    const { classes: entries, empty } = entriesOf(key, rows, bound);
    return [...entries, ...placeholders(key, rows, empty)];
  });
  // Of several columns each entry says which one it is of (GinFormTuple()).
  const attribute = keys.length > 1 ? 2 : 0;
  for (const each of classes) {
    entries += each.keys;
    const key = alignTo(HEADER + attribute + each.bytes, 8);
    innerBytes += each.keys * (key + LINE_POINTER);
    const address = addressBytes(tablePages / Math.max(1, each.rows));
    const inline = withRows(key, each.rows, address);
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
    postings: Math.round(classes.reduce((sum, each) => sum + each.keys * each.rows, 0)),
  };
}

/** Bytes of an entry with its rows beside it; of 1.3 rows on average three in ten have two. */
function withRows(key: number, rows: number, address: number): number {
  const of = (count: number) => alignTo(key + alignTo(FIRST_ADDRESS + (count - 1) * address, 2), 8);
  const [fewer, part] = [Math.floor(rows), rows % 1];
  return part === 0 ? of(rows) : of(fewer) * (1 - part) + of(fewer + 1) * part;
}

/** A null and a value without an entry are an entry each (GIN_CAT_NULL_ITEM and GIN_CAT_EMPTY_ITEM), with all their rows. */
function placeholders({ facts: { null_frac: nulls } }: GinKey, rows: number, empty: number): EntryClass[] {
  return [nulls * rows, empty * (1 - nulls) * rows]
    .filter((each) => each >= 1)
    .map((each) => ({ keys: 1, rows: each, bytes: HEADER }));
}

/** Leaves are filled while an index is built (leafRepackItems()); more than one have a root above them. */
function postingTreePages(rows: number, address: number): number {
  const perSegment = 1 + (SEGMENT - FIRST_ADDRESS) / address;
  const bytes = (rows / perSegment) * SEGMENT;
  const leaves = Math.max(1, Math.ceil(bytes / (DATA_PAGE - (DATA_PAGE % SEGMENT))));
  return leaves === 1 ? 1 : leaves + Math.ceil(leaves / DATA_FANOUT);
}
