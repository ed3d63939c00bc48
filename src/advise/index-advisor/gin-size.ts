/**
 * Size of a freshly built GIN index: a tree of entries, each with its rows as a compressed list beside it or, when
 * long, in a tree of its own (gindatapage.c, ginpostinglist.c). How many entries a document has is an assumption where
 * no statistics tell: such estimates are good to a factor of two.
 */
import type { ColumnRow, IndexSize } from '../../domain/index.ts';
import { alignTo } from './btree-size.ts';
import { type EntryClass, sampledEntries } from './gin-entries.ts';
import type { KeyFacts } from './key-facts.ts';

const PAGE = 8192;
const USABLE = PAGE - 24 - 8;
/** GinMaxItemSize: a longer list of rows moves to a posting tree. */
const MAX_ENTRY = 2700;
/** Entry pages are split in the middle while keys arrive in order, and filled by later batches. */
const ENTRY_FILL = 0.6;
const HEADER = 8;
/** GinPostingList: first address and the number of bytes that follow. */
const FIRST_ADDRESS = 8;

/**
 * Bytes of one row's address: variable-length differences of (block << 11 | offset), 7 bits a byte.
 * @param gap pages between two rows that hold the entry.
 */
function addressBytes(gap: number): number {
  if (gap <= 1) return gap + 1;
  return Math.max(2, Math.ceil((11 + Math.log2(gap)) / 7));
}

/** What a document holds, by operator class: distinct entries a row, distinct entries in all, bytes an entry. */
function entryClasses(key: KeyFacts, opclass: string | null, isText: boolean, rows: number): EntryClass[] {
  const bytes = key.width;
  if (opclass === 'gin_trgm_ops') {
    // Trigrams of words: about one a character, from an alphabet that natural text uses a few thousand of.
    return zipf(Math.max(1, bytes * 0.95), Math.min(6_000, rows * bytes), rows, 4);
  }
  if (key.elements !== null) {
    const known = key.element_freqs.map((share) => ({ keys: 1, rows: share * rows, bytes: 12 }));
    const knownPerRow = key.element_freqs.reduce((sum, share) => sum + share, 0);
    const rest = Math.max(0, key.elements - knownPerRow) * rows;
    if (rest < 1) return known;
    const smallest = Math.max(1, (key.element_freqs.at(-1) ?? 1 / rows) * rows);
    const keys = Math.max(1, rest / Math.max(1, smallest / 2));
    return [...known, { keys, rows: rest / keys, bytes: 12 }];
  }
  if (key.element_freqs.length > 0) return lexemeClasses(key, rows);
  if (isText) {
    const words = Math.max(1, bytes / 7);
    // Heaps' law: a text of n words uses about 20 n^0.5 different ones.
    return zipf(words, Math.min(20 * Math.sqrt(rows * words), rows * words), rows, 8, 300);
  }
  const members = Math.max(1, bytes / 16);
  const perMember = opclass === 'jsonb_path_ops' ? 1 : 2;
  return [{ keys: Math.max(1, (rows * members) / 20), rows: 20 * perMember, bytes: 8 }];
}

/** Lexemes that ANALYZE keeps of a tsvector at most, at its usual target (ts_typanalyze.c: ten for each unit of it). */
const MOST_LEXEMES = 1000;
/** Of a lexeme in a tsvector: WordEntry, a word of six letters, its count and one position. */
const LEXEME_BYTES = 14;

/** The lexemes that statistics show; where their list is full, the others are rarer than all of them. */
function lexemeClasses({ element_freqs, width }: KeyFacts, rows: number): EntryClass[] {
  const known = element_freqs.map((share) => ({ keys: 1, rows: Math.max(1, share * rows), bytes: 8 }));
  if (element_freqs.length < MOST_LEXEMES) return known;
  const knownPerRow = element_freqs.reduce((sum, share) => sum + share, 0);
  const rest = Math.max(0, width / LEXEME_BYTES - knownPerRow) * rows;
  const smallest = Math.max(1, Math.min(...element_freqs) * rows);
  const keys = Math.max(1, rest / Math.max(1, smallest / 2));
  return rest < 1 ? known : [...known, { keys, rows: rest / keys, bytes: 8 }];
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
  /** The column, or the expression as if it were one. */
  column: ColumnRow | undefined;
}

/**
 * Pages and entries of a GIN index.
 * @param tablePages pages that the table's rows lie on: they tell how far apart an entry's rows are.
 */
export function ginSize(keys: readonly GinKey[], rows: number, tablePages: number): IndexSize {
  let entryBytes = 0;
  let treePages = 0;
  let entries = 0;
  for (const { facts, opclass, is_text, column } of keys) {
    const sampled = column === undefined ? null : sampledEntries(column, opclass, rows);
    for (const each of sampled ?? entryClasses(facts, opclass, is_text, rows)) {
      entries += each.keys;
      // The first address of a list stands whole, the others as differences.
      const list = FIRST_ADDRESS + (each.rows - 1) * addressBytes(tablePages / Math.max(1, each.rows));
      const inline = alignTo(HEADER + each.bytes + list, 8) + 4;
      if (inline <= MAX_ENTRY) entryBytes += each.keys * inline;
      else {
        entryBytes += each.keys * (alignTo(HEADER + each.bytes, 8) + 4);
        treePages += each.keys * Math.max(1, Math.ceil(list / (USABLE - 32)) * 1.02);
      }
    }
  }
  const leaves = Math.max(1, Math.ceil(entryBytes / (USABLE * ENTRY_FILL)));
  const entry_pages = leaves + Math.ceil(leaves / 200);
  const data_pages = Math.ceil(treePages);
  return {
    pages: 1 + entry_pages + data_pages,
    tuples: rows,
    tree_height: null,
    gin: { entry_pages, data_pages, entries: Math.round(entries) },
  };
}
