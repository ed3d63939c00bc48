import { describe, expect, test } from 'vitest';
import type { ServerParameters } from '../../../src/advise/autovacuum/parameters.ts';
import {
  indexPasses,
  pagesTouched,
  skippableShare,
  unitsPerSecond,
  vacuumWork,
} from '../../../src/advise/autovacuum/work.ts';

const SERVER: ServerParameters = {
  version: 180000,
  block_size: 8192,
  naptime_seconds: 60,
  workers: 3,
  cost: { limit: 200, delay_ms: 2, page_hit: 1, page_miss: 2, page_dirty: 20 },
  memory_bytes: 64 * 1024 ** 2,
};

/** A small generator of random numbers (mulberry32): the same run every time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Pages that a lazy vacuum reads of a visibility map: runs of 32 and more all-visible ones are skipped. */
function pagesReadOf(visible: boolean[]): number {
  let [read, run] = [0, 0];
  for (const page of [...visible, false]) {
    if (page) run += 1;
    else {
      read += 1 + (run < 32 ? run : 0);
      run = 0;
    }
  }
  return read - 1;
}

describe('what a vacuum reads', () => {
  test.each([500, 2_000, 10_000, 60_000])('%i changes anywhere in 50,000 pages', (changes) => {
    const next = random(changes);
    const visible = Array.from({ length: 50_000 }, () => true);
    for (let n = 0; n < changes; n += 1) visible[Math.floor(next() * visible.length)] = false;
    const touched = visible.filter((page) => !page).length;
    expect(pagesTouched(changes, 50_000) / touched).toBeCloseTo(1, 1);
    const work = vacuumWork(
      {
        pages: 50_000,
        index_pages: 1000,
        indexes: 1,
        dead: changes,
        touched_pages: touched,
        frozen_pages: 0,
        aggressive: false,
      },
      SERVER,
    );
    expect(work.heap_pages_read / pagesReadOf(visible)).toBeCloseTo(1, 1);
    // Dead rows on less than 2 % of the pages: indexes are left alone.
    expect(work.index_pages_read).toBe(changes < 1000 ? 0 : 1000);
  });

  test('nothing to skip, nothing to read', () => {
    expect(skippableShare(1)).toBe(1);
    expect(skippableShare(0)).toBe(0);
    expect(skippableShare(0.5)).toBeLessThan(1e-6);
  });

  test('passes over the indexes: six bytes a row until 16, pages from 17 on', () => {
    const memory_bytes = 60 * 1024 ** 2;
    expect(indexPasses(10_000_000, 1_000_000, { version: 160000, memory_bytes })).toBe(1);
    expect(indexPasses(11_000_000, 1_000_000, { version: 160000, memory_bytes })).toBe(2);
    expect(indexPasses(11_000_000, 1_000_000, { version: 170000, memory_bytes })).toBe(1);
    // Until 16 no more than 1 GB is used, whatever is allowed.
    expect(indexPasses(400_000_000, 1, { version: 160000, memory_bytes: 8 * 1024 ** 3 })).toBe(3);
  });

  test('the stock cost limit: 390 MiB a second read, 39 MiB dirtied', () => {
    const pages = unitsPerSecond(SERVER.cost) / SERVER.cost.page_miss;
    expect((pages * 8192) / 1024 ** 2).toBeCloseTo(390.6, 1);
    expect(unitsPerSecond({ limit: 200, delay_ms: 0 })).toBe(Number.POSITIVE_INFINITY);
  });
});
