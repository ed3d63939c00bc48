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
});
