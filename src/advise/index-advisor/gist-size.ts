/**
 * Size of a GiST index. Only classes with a sort support function are built bottom up; all others row by row, and a page
 * that is full is split by the class's picksplit, which leaves about half of it (gistSplit() of gist.c). How full pages
 * are was measured on PostgreSQL 17 with 60,000 and 300,000 rows: boxes and ranges 0.46 to 0.54 (0.80 for ranges that are
 * spread evenly), points 0.67, scalars of btree_gist 0.59, two columns 0.70, signatures 0.75 and more. From 18 on ranges
 * and the classes of btree_gist have sort support, too (60,000 rows): scalars and texts 1.0, ranges 1.0 where they come
 * in order and 0.64 to 0.69 where they do not, two columns 0.85 and 1.0.
 */
import type { ColumnRow, IndexSize } from '../../domain/index.ts';
import { sampledEntries } from './gin-entries.ts';
import { alignTo } from './index-tuple.ts';
import type { KeyFacts } from './key-facts.ts';

const USABLE = 8192 - 24 - 16;
/** Ranges and btree_gist's classes are sorted before they are built. */
const SORTED_SINCE = 18;
/** SIGLENINT × 4 + header: what a leaf keeps of a text or document whose list of hashes would be longer than a page takes. */
const SIGNATURE_BYTES = 132;
const LONGEST_LIST = 2_000;
const TSVECTOR_LEXEME_BYTES = 14;
/** point_ops keeps a point as a box (opckeytype of pg_opclass). */
const BOX_BYTES = 32;
/** GistInetKey beside the address: length, family, bits (network_gist.c). */
const NETWORK_EXTRA = 4;

/** One key of a GiST index. */
export interface GistKey {
  facts: KeyFacts;
  column: ColumnRow | undefined;
  opclass: string | null;
}

/** What is stored of a key, and how full its pages are. */
interface Stored {
  width: number;
  align: number;
  fill: number;
}

function storedOf({ facts, column, opclass }: GistKey, rows: number, isSorted: boolean): Stored {
  const each = opclass === 'gist_trgm_ops' ? 3 : column?.type === 'tsvector' ? 4 : null;
  if (each !== null && column !== undefined) return hashesOf(each, facts, column, rows);
  const { width, align } = facts;
  if (column?.type === 'point') return { width: BOX_BYTES, align: 8, fill: 0.67 };
  if (column?.type === 'inet' || column?.type === 'cidr')
    return { width: width + NETWORK_EXTRA, align, fill: 0.75 };
  const isScalar = column !== undefined && column.typlen > 0 && ['N', 'D', 'T'].includes(column.typcategory);
  // btree_gist keeps the least and the greatest value, on leaves too.
  if (isScalar) return { width: 2 * width, align, fill: isSorted ? 1 : 0.59 };
  const sorted = column?.typcategory === 'R' ? 0.8 : column?.typcategory === 'S' ? 1 : null;
  return { width, align, fill: isSorted && sorted !== null ? sorted : 0.5 };
}

/** tsvector_ops keeps 4 bytes a lexeme (gtsvector_compress()), gist_trgm_ops 3 bytes a trigram (gtrgm_compress()). */
function hashesOf(each: 3 | 4, key: KeyFacts, column: ColumnRow, rows: number): Stored {
  const sampled = sampledEntries(column, each === 3 ? 'gin_trgm_ops' : null, rows);
  if (sampled === null && each === 3) return { width: key.width, align: key.align, fill: 0.75 };
  const met = sampled?.reduce((sum, { keys, rows: found }) => sum + keys * found, 0);
  // Of a tsvector ANALYZE keeps no values, but its width: an entry, a lexeme of about five bytes and its position each.
  const entries = met === undefined ? key.width / TSVECTOR_LEXEME_BYTES : met / rows;
  const bytes = 8 + each * entries;
  return { width: bytes > LONGEST_LIST ? SIGNATURE_BYTES : bytes, align: 4, fill: 0.75 };
}

/**
 * An entry of the key's bounding value a row.
 * @param major of the server that builds it.
 */
export function gistSize(keys: readonly GistKey[], rows: number, major: number): IndexSize {
  const isSorted = major >= SORTED_SINCE;
  const stored = keys.map((key) => storedOf(key, rows, isSorted));
  const bytes = stored.reduce((sum, key) => alignTo(sum, key.align) + key.width, 8);
  const fill = stored.length > 1 ? (isSorted ? 0.92 : 0.7) : (stored[0]?.fill ?? 0.5);
  const perPage = Math.max(2, Math.floor((USABLE * fill) / (alignTo(bytes, 8) + 4)));
  let level = Math.max(1, Math.ceil(rows / perPage));
  let pages = level;
  while (level > 1) {
    level = Math.ceil(level / perPage);
    pages += level;
  }
  return { pages, tuples: rows, tree_height: null };
}
