/**
 * How full the pages of a GIN's entry tree are after CREATE INDEX. Entries are collected in memory and put in by their
 * order (ginBuildCallback() of gininsert.c); a page that is full is split in the middle (entrySplitPage() of
 * ginentrypage.c), so that what came in order leaves pages half full. What the next load of memory brings fills them.
 */
import type { Snapshot } from '../../domain/index.ts';
import type { EntryClass } from './gin-entries.ts';
import { alignTo } from './index-tuple.ts';

/** What the server has for the build. */
export interface GinBuild {
  /** maintenance_work_mem, bytes. */
  memory: number;
  /** All entries are sorted before they are put in: a parallel build, PostgreSQL 18. */
  is_sorted: boolean;
}

/** PostgreSQL's own maintenance_work_mem, alone. */
export const DEFAULT_BUILD: GinBuild = { memory: 64 * 1024 * 1024, is_sorted: false };
/** From this major on a GIN is built in parallel. */
const PARALLEL_SINCE = 180_000;
/** plan_create_index_workers(): each participant wants so much of maintenance_work_mem. */
const PARTICIPANT_KB = 32 * 1024;

/** How the snapshot's server would build a GIN on a table of so many pages. */
export function ginBuildOn({ settings, server }: Snapshot, pages: number): GinBuild {
  const number = (name: string) => Number(settings.find((each) => each.name === name)?.setting ?? Number.NaN);
  const kilobytes = number('maintenance_work_mem');
  if (Number.isNaN(kilobytes)) return DEFAULT_BUILD;
  const is_sorted =
    server.server_version_num >= PARALLEL_SINCE &&
    number('max_parallel_maintenance_workers') > 0 &&
    number('max_parallel_workers') > 0 &&
    kilobytes >= 2 * PARTICIPANT_KB &&
    pages >= number('min_parallel_table_scan_size');
  return { memory: kilobytes * 1024, is_sorted };
}

const USABLE = 8192 - 24 - 8;
/** GinEntryAccumulator: a node of a red-black tree (32 bytes), the key, the list's address and its lengths. */
const ACCUMULATOR = 64;
/** Before each piece of memory (MemoryChunk of 16 and later). */
const CHUNK = 8;
/** DEF_NPTR: addresses that an entry has room for at first; then always twice as many. */
const FIRST_ADDRESSES = 5;
const ADDRESS = 6;
/** Where pages were split by entries that came in no order: a little less than ln 2. */
const SETTLED = 0.69;

/** Bytes that entries of a part of the rows take in memory. */
function memoryOf(classes: readonly EntryClass[], part: number): number {
  return classes.reduce((sum, { keys, rows, bytes }) => {
    const met = rows * part;
    const seen = keys * (rows <= 1 ? part : -Math.expm1(-met));
    const each = Math.max(1, (keys * met) / Math.max(1e-9, seen));
    const room = FIRST_ADDRESSES * 2 ** Math.max(0, Math.ceil(Math.log2(each / FIRST_ADDRESSES)));
    const list = 2 ** Math.ceil(Math.log2(room * ADDRESS)) + CHUNK;
    // Up to eight bytes that are passed by value stay in the entry itself.
    const key = bytes <= 4 ? 0 : 2 ** Math.ceil(Math.log2(alignTo(bytes + 3, 8))) + CHUNK;
    return sum + seen * (ACCUMULATOR + key + list);
  }, 0);
}

/** Share of the rows whose entries fit into the memory. */
function partAtOnce(classes: readonly EntryClass[], memory: number): number {
  if (memoryOf(classes, 1) <= memory) return 1;
  let [low, high] = [1e-6, 1];
  for (let step = 0; step < 50; step += 1) {
    const middle = Math.sqrt(low * high);
    if (memoryOf(classes, middle) <= memory) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * Share of the entry pages' room that is used.
 * @param average bytes of an entry.
 */
export function entryFill(
  classes: readonly EntryClass[],
  average: number,
  { memory, is_sorted }: GinBuild,
): number {
  // The first page after a split has half and what the entry in the middle is longer.
  const inOrder = Math.min(0.75, 0.5 + (0.75 * average) / USABLE);
  if (is_sorted) return inOrder;
  const loads = 1 / partAtOnce(classes, memory);
  if (loads <= 1) return inOrder;
  // Pages fill up until they split again, all at about the same time at first.
  const grown = inOrder * 2 ** (Math.log2(loads) % 1);
  const settled = Math.min(1, Math.log2(loads) / 4);
  return Math.min(0.95, grown) * (1 - settled) + SETTLED * settled;
}
