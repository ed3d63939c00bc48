/**
 * What one vacuum or analyze of a table reads and dirties: pages, passes over its indexes, cost units, seconds. After
 * vacuumlazy.c of PostgreSQL 14 to 18. Changed rows are taken to lie anywhere in the table: where they lie close
 * together, less is read.
 */
import type { CostParameters, ServerParameters } from './parameters.ts';

/** vacuumlazy.c SKIP_PAGES_THRESHOLD: shorter runs of all-visible pages are read all the same. */
const SKIP_PAGES = 32;
/** BYPASS_THRESHOLD_PAGES: with dead rows on fewer pages than this share, indexes are left alone (14 and newer). */
const BYPASS_SHARE = 0.02;
const BYPASS_BYTES = 32 * 1024 ** 2;
/** Up to 16 an identifier of a dead row takes six bytes, and no more than 1 GB is used for them. */
const TID_BYTES = 6;
const MOST_TID_BYTES = 1024 ** 3;
/** From 17 on a radix tree: a page with dead rows takes about so much (its bitmap, a share of the nodes above). */
const PAGE_ENTRY_BYTES = 40;
/** ANALYZE looks at 300 × default_statistics_target pages at most (analyze.c, std_typanalyze), 100 by default. */
const ANALYZE_PAGES = 30_000;

export interface VacuumInput {
  pages: number;
  index_pages: number;
  indexes: number;
  /** Row versions that the vacuum finds dead. */
  dead: number;
  /** Pages that are not all-visible. */
  touched_pages: number;
  /** Pages that are all-frozen; 0 where nobody knows. */
  frozen_pages: number;
  /** Aggressive ones read every page that is not frozen. */
  aggressive: boolean;
}

export interface Work {
  heap_pages_read: number;
  index_pages_read: number;
  pages_dirtied: number;
  /** Times that all indexes are read. */
  index_passes: number;
  /** Of the cost-based delay. */
  units: number;
}

/** Distinct pages that `changes` at random places of `pages` pages touch. */
export function pagesTouched(changes: number, pages: number): number {
  return pages > 0 ? pages * -Math.expm1(-changes / pages) : 0;
}

/**
 * Share of the all-visible pages that lie in runs of at least 32, where a share `v` of the pages is all-visible at
 * random: Σ_{L≥k} L·v^(L−1)·(1−v)² = v^(k−1)·(k − (k−1)·v).
 */
export function skippableShare(v: number): number {
  if (v >= 1) return 1;
  return v <= 0 ? 0 : v ** (SKIP_PAGES - 1) * (SKIP_PAGES - (SKIP_PAGES - 1) * v);
}

export function vacuumWork(input: VacuumInput, server: ServerParameters): Work {
  const { pages, dead } = input;
  const touched = Math.min(pages, input.touched_pages);
  const visible = pages > 0 ? 1 - touched / pages : 0;
  const lazily = pages * (1 - visible * skippableShare(visible));
  const heap = input.aggressive ? Math.max(lazily, pages - input.frozen_pages) : lazily;
  const deadPages = pagesTouched(dead, pages);
  const bypassed = deadPages < BYPASS_SHARE * pages && dead * TID_BYTES < BYPASS_BYTES;
  const passes = input.indexes === 0 || dead < 1 || bypassed ? 0 : indexPasses(dead, deadPages, server);
  const indexRead = passes * input.index_pages;
  const indexDirtied = passes > 0 ? Math.min(input.index_pages, dead * input.indexes) : 0;
  // Setting a page all-visible dirties it, as pruning it does; an aggressive one also freezes.
  const dirtied = Math.max(touched, input.aggressive ? pages - input.frozen_pages : 0) + indexDirtied;
  const { cost } = server;
  // Each page counts as read from disk, which is the worst; pages with dead rows are visited a second time, in memory.
  const units =
    (heap + indexRead) * cost.page_miss +
    dirtied * cost.page_dirty +
    (passes > 0 ? deadPages * cost.page_hit : 0);
  return {
    heap_pages_read: heap,
    index_pages_read: indexRead,
    pages_dirtied: dirtied,
    index_passes: passes,
    units,
  };
}

/** Passes over the indexes that the memory for dead row identifiers makes necessary. */
export function indexPasses(
  dead: number,
  deadPages: number,
  { version, memory_bytes }: Pick<ServerParameters, 'version' | 'memory_bytes'>,
): number {
  const bytes = version >= 170000 ? deadPages * PAGE_ENTRY_BYTES : dead * TID_BYTES;
  const room = version >= 170000 ? memory_bytes : Math.min(memory_bytes, MOST_TID_BYTES);
  return Math.max(1, Math.ceil(bytes / room));
}

/** What an analyze reads. */
export function analyzeWork(pages: number, { cost }: ServerParameters): Work {
  const read = Math.min(pages, ANALYZE_PAGES);
  return {
    heap_pages_read: read,
    index_pages_read: 0,
    pages_dirtied: 0,
    index_passes: 0,
    units: read * cost.page_miss,
  };
}

/**
 * Cost units that a worker may spend in a second: limit / delay. What a run does between its sleeps is not counted:
 * disks and processors nobody knows here. Infinity: it is not throttled.
 */
export function unitsPerSecond({ limit, delay_ms }: Pick<CostParameters, 'limit' | 'delay_ms'>): number {
  return delay_ms > 0 ? (limit / delay_ms) * 1000 : Number.POSITIVE_INFINITY;
}
