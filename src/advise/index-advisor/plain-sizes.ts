/** Sizes of the methods whose pages follow from rows and pages in one step: BRIN, hash, and pgvector's two. */
import type { IndexSize } from '../../domain/index.ts';
import { alignTo } from './index-tuple.ts';
import type { KeyFacts } from './key-facts.ts';

const PAGE = 8192;
const USABLE = PAGE - 24;

/**
 * BRIN: metapage, reverse map (6 bytes a range: REVMAP_PAGE_MAXITEMS, 1360, a page) and one summary a range of two
 * values a key (brin_tuple.c: 5 bytes of header and null bits, aligned).
 */
export function brinSize(keys: readonly KeyFacts[], tablePages: number, pagesPerRange: number): IndexSize {
  const ranges = Math.max(1, Math.ceil(tablePages / pagesPerRange));
  const values = keys.reduce((sum, key) => alignTo(sum, key.align) + 2 * alignTo(key.width, key.align), 0);
  const tuple = alignTo(8 + values, 8) + 4;
  const summaries = Math.ceil(ranges / Math.max(1, Math.floor((USABLE - 8) / tuple)));
  return { pages: 1 + Math.ceil(ranges / 1360) + summaries, tuples: ranges, tree_height: null };
}

/**
 * Hash: buckets for the rows at a target of (8192 × fillfactor / 100) / 20 each, in powers of two up to 512 and in
 * quarters of the next power above (_hash_init, _hash_spareindex). Equal values share a bucket, and what exceeds its
 * page goes to overflow pages: values fall into buckets as a Poisson distribution.
 */
export function hashSize(keys: readonly KeyFacts[], rows: number, fillfactor: number): IndexSize {
  const perBucket = Math.max(10, Math.floor((PAGE * fillfactor) / 100 / 20));
  const wanted = Math.max(2, rows / perBucket);
  let buckets = 2;
  while (buckets < wanted) buckets += buckets < 512 ? buckets : 2 ** Math.floor(Math.log2(buckets)) / 4;
  const perPage = Math.floor((USABLE - 16) / 20);
  const distinct = Math.min(rows, keys[0]?.distinct ?? rows);
  const perValue = rows / distinct;
  const mean = distinct / buckets;
  let probability = Math.exp(-mean);
  let pagesPerBucket = mean > 50 ? Math.ceil(rows / buckets / perPage) : 0;
  for (let values = 0; mean <= 50 && values < mean + 12 * Math.sqrt(mean) + 20; values += 1) {
    pagesPerBucket += probability * Math.max(1, Math.ceil((values * perValue) / perPage));
    probability *= mean / (values + 1);
  }
  return { pages: Math.ceil(buckets * pagesPerBucket) + 2, tuples: rows, tree_height: null };
}

/**
 * HNSW (pgvector's hnsw.h): for each row an element tuple (the vector behind a header of 72 bytes) and a neighbour tuple
 * of six bytes for each of 2 m neighbours on the lowest level and m on each above, of which there is 1 / (m − 1) on
 * average; both on one page where they fit.
 */
export function hnswSize(keys: readonly KeyFacts[], rows: number, m: number): IndexSize {
  const element = alignTo(72 + vectorBytes(keys), 8) + 4;
  const neighbours = alignTo(4 + 6 * (2 * m + m / (m - 1)), 8) + 4;
  const perPage = Math.max(1, Math.floor(USABLE_BY_VECTORS / (element + neighbours)));
  return { pages: 1 + Math.ceil(rows / perPage), tuples: rows, tree_height: null };
}

/** IVFFlat (ivfflat.h): each row's vector in the pages of its list, each list's centre, on the average half a page free. */
export function ivfflatSize(keys: readonly KeyFacts[], rows: number, lists: number): IndexSize {
  const tuple = alignTo(8 + vectorBytes(keys), 8) + 4;
  const perPage = Math.max(1, Math.floor(USABLE_BY_VECTORS / tuple));
  const centres = Math.ceil((lists * (tuple + 16)) / USABLE_BY_VECTORS);
  return {
    pages: Math.ceil(1 + centres + rows / perPage + lists / 2),
    tuples: rows,
    tree_height: null,
  };
}

/** Opaque data of eight bytes at each page's end. */
const USABLE_BY_VECTORS = USABLE - 8;
const vectorBytes = (keys: readonly KeyFacts[]) => keys.reduce((sum, key) => sum + key.width, 0);
