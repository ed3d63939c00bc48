import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LruCache } from '../../src/store/lru-cache.ts';

describe('the cache of what was decoded', () => {
  it('gives away what was used longest ago, and stays below its limit', () => {
    const cache = new LruCache(100);
    cache.put('a', 'A', 40);
    cache.put('b', 'B', 40);
    expect(cache.get('a')).toBe('A');
    cache.put('c', 'C', 40);
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual(['A', undefined, 'C']);
    cache.put('c', 'C again', 90);
    expect([cache.get('a'), cache.get('c'), cache.bytes]).toEqual([undefined, 'C again', 90]);
    cache.put('huge', 'H', 101);
    expect([cache.get('huge'), cache.get('c')]).toEqual([undefined, 'C again']);
  });

  it('never holds more than its limit, nor gives another value than the last', () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), bytes: fc.nat(60), value: fc.nat() });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const cache = new LruCache(100);
        const last = new Map<string, number>();
        for (const { key, bytes, value } of steps) {
          cache.put(key, value, bytes);
          last.set(key, value);
          expect(cache.bytes).toBeLessThanOrEqual(100);
          for (const [known, expected] of last) expect([undefined, expected]).toContain(cache.get(known));
        }
      }),
    );
  });
});
