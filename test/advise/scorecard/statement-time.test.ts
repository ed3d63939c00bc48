/** Quantiles out of moments, against samples whose quantiles are known. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { meanStatementTime, statementTimeQuantile } from '../../../src/advise/scorecard/statement-time.ts';

/** As pg_stat_statements keeps them. */
function momentsOf(times: readonly number[]) {
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  const variance = times.reduce((sum, time) => sum + (time - mean) ** 2, 0) / times.length;
  return { calls: times.length, mean, stddev: Math.sqrt(variance) };
}

/** Smallest time that a share q of all does not exceed. */
function trueQuantile(times: readonly number[], q: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.ceil(q * sorted.length) - 1] ?? Number.NaN;
}

/** Uniform numbers that are the same in each run. */
function draws(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

function logNormal(draw: () => number, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(draw())) * Math.cos(2 * Math.PI * draw());
  return median * Math.exp(sigma * normal);
}

describe('the range', () => {
  test('holds for any times of any statements', () => {
    const statement = fc.array(fc.double({ min: 0, max: 1e5, noNaN: true }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(
        fc.array(statement, { minLength: 1, maxLength: 6 }),
        fc.constantFrom(0.5, 0.95, 0.99),
        (statements, q) => {
          const derived = statementTimeQuantile(statements.map(momentsOf), q);
          const truth = trueQuantile(statements.flat(), q);
          const slack = 1e-6 * Math.max(1, truth);
          expect(derived?.low).toBeLessThanOrEqual(truth + slack);
          expect(derived?.high).toBeGreaterThanOrEqual(truth - slack);
          expect(derived?.estimate).toBeGreaterThanOrEqual(derived?.low ?? Number.NaN);
          expect(derived?.estimate).toBeLessThanOrEqual(derived?.high ?? Number.NaN);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('is a point where nothing varies', () => {
    const derived = statementTimeQuantile([{ calls: 1000, mean: 7, stddev: 0 }], 0.95);
    expect(derived?.estimate).toBeCloseTo(7, 6);
    expect(derived?.low).toBeCloseTo(7, 6);
    expect(derived?.high).toBeCloseTo(7, 6);
  });
});

describe('the estimate', () => {
  test.each([0.95, 0.99])('meets the quantile %d of log-normal times within 5 %%', (q) => {
    const draw = draws(7);
    const statements = [
      Array.from({ length: 40_000 }, () => logNormal(draw, 0.4, 0.5)),
      Array.from({ length: 8_000 }, () => logNormal(draw, 12, 0.8)),
      Array.from({ length: 300 }, () => logNormal(draw, 900, 0.3)),
    ];
    const estimate = statementTimeQuantile(statements.map(momentsOf), q)?.estimate ?? Number.NaN;
    expect(Math.abs(estimate / trueQuantile(statements.flat(), q) - 1)).toBeLessThan(0.05);
  });

  // Shapes that are not log-normal: docs/scorecard.md tells how far off it is.
  test.each([
    ['exponential', (draw: () => number) => -Math.log(draw()) * 5, 0.1, 0.1],
    ['uniform', (draw: () => number) => 20 * draw(), 0.15, 0.55],
  ])('of %s times is as far off as the docs say', (_, shape, of95, of99) => {
    const draw = draws(11);
    const times = Array.from({ length: 50_000 }, () => shape(draw));
    for (const [q, most] of [
      [0.95, of95],
      [0.99, of99],
    ] as const) {
      const estimate = statementTimeQuantile([momentsOf(times)], q)?.estimate ?? Number.NaN;
      expect(Math.abs(estimate / trueQuantile(times, q) - 1)).toBeLessThan(most);
    }
  });

  test('weighs statements by calls: a slow one that is rare is not the P95, and is the P99.9', () => {
    const statements = [
      { calls: 99_000, mean: 1, stddev: 0.2 },
      { calls: 1_000, mean: 5_000, stddev: 100 },
    ];
    expect(statementTimeQuantile(statements, 0.95)?.estimate).toBeLessThan(2);
    expect(statementTimeQuantile(statements, 0.999)?.estimate).toBeGreaterThan(4_500);
    expect(meanStatementTime(statements)).toBeCloseTo(50.99, 6);
  });

  test('is null without calls', () => {
    expect(statementTimeQuantile([], 0.95)).toBeNull();
    expect(statementTimeQuantile([{ calls: 0, mean: 1, stddev: 0 }], 0.95)).toBeNull();
    expect(meanStatementTime([])).toBeNull();
  });
});
