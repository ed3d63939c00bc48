import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { joinMoments, type Moments, subtractMoments } from '../../src/workload/moments.ts';

function momentsOf(values: readonly number[]): Moments {
  const n = values.length;
  if (n === 0) return { n: 0, mean: 0, stddev: 0 };
  const mean = values.reduce((sum, each) => sum + each, 0) / n;
  const m2 = values.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  return { n, mean, stddev: Math.sqrt(m2 / n) };
}

const sum = (values: readonly number[]) => values.reduce((total, each) => total + each, 0);
const times = (minLength: number) =>
  fc.array(fc.double({ min: 0.001, max: 10_000, noNaN: true }), { minLength, maxLength: 40 });

describe('moments', () => {
  test('the interval comes back exactly from the cumulative readings around it', () => {
    fc.assert(
      fc.property(times(0), times(1), (before, added) => {
        const found = subtractMoments(momentsOf(before), momentsOf([...before, ...added]), sum(added));
        const expected = momentsOf(added);
        expect(found.n).toBe(expected.n);
        expect(found.mean).toBeCloseTo(expected.mean, 6);
        expect(Math.abs(found.stddev - expected.stddev)).toBeLessThan(1e-3 + expected.stddev * 1e-6);
      }),
    );
  });

  test('joining two samples equals taking them together', () => {
    fc.assert(
      fc.property(times(0), times(0), (a, b) => {
        const found = joinMoments(momentsOf(a), momentsOf(b));
        const expected = momentsOf([...a, ...b]);
        expect(found.n).toBe(expected.n);
        expect(found.mean).toBeCloseTo(expected.mean, 6);
        expect(found.stddev).toBeCloseTo(expected.stddev, 5);
      }),
    );
  });

  test('rounding never gives a negative variance', () => {
    const steady = { n: 1e9, mean: 0.1, stddev: 1e-9 };
    const found = subtractMoments(steady, { n: 1e9 + 2, mean: 0.1, stddev: 0 }, 0.2);
    expect(found.stddev).toBe(0);
    expect(found.mean).toBeCloseTo(0.1);
  });

  /** Accumulates as pg_stat_statements does (pgss_store, Welford 1962), in the same arithmetic. */
  class Row {
    calls = 0;
    total = 0;
    mean = 0;
    m2 = 0;
    add(time: number): void {
      this.calls++;
      this.total += time;
      const before = this.mean;
      this.mean += (time - before) / this.calls;
      this.m2 += (time - before) * (time - this.mean);
    }
    read(): { moments: { n: number; mean: number; stddev: number }; total: number } {
      const stddev = this.calls > 1 ? Math.sqrt(this.m2 / this.calls) : 0;
      return { moments: { n: this.calls, mean: this.mean, stddev }, total: this.total };
    }
  }

  test('against every single time: what rounding costs stays within its bound, however long and large the history', () => {
    fc.assert(
      fc.property(
        fc.record({
          history: fc.integer({ min: 0, max: 20_000 }),
          level: fc.constantFrom(0.001, 1, 1e3, 1e7),
          jitter: fc.constantFrom(1e-9, 1e-4, 0.3, 1),
          outlier: fc.constantFrom(0, 1e6, 1e9),
          seed: fc.integer({ min: 1, max: 2 ** 31 - 2 }),
        }),
        times(2),
        ({ history, level, jitter, outlier, seed }, shape) => {
          let state = seed;
          const random = () => {
            state = (state * 48_271) % 2_147_483_647;
            return state / 2_147_483_647;
          };
          const row = new Row();
          if (outlier > 0) row.add(outlier);
          for (let index = 0; index < history; index++) row.add(level * (1 + jitter * random()));
          const before = row.read();
          const added = shape.map((each) => level * (1 + (jitter * each) / 10_000));
          for (const each of added) row.add(each);
          const after = row.read();
          const found = subtractMoments(before.moments, after.moments, after.total - before.total);
          const truth = momentsOf(added);
          const error = Math.abs(found.stddev - truth.stddev);
          // The reference rounds as well: in the last digits of its mean.
          expect(error).toBeLessThanOrEqual(found.stddev_error + truth.mean * 1e-13);
          const ordinary = outlier === 0 && jitter >= 0.3 && history < 1000;
          if (ordinary) expect(found.stddev_error).toBeLessThan(truth.mean * 1e-4);
        },
      ),
      { numRuns: 300 },
    );
  });
});
