/** Count, mean and population standard deviation: joining two samples, and taking one out of their union. */

/** Moments of a sample. `stddev` is the population's (divided by n), as pg_stat_statements keeps it. */
export interface Moments {
  n: number;
  mean: number;
  stddev: number;
}

/**
 * Moments of two samples taken together (Chan, Golub, LeVeque 1979): M2 = M2a + M2b + (μb − μa)²·na·nb/n.
 */
export function joinMoments(a: Moments, b: Moments): Moments {
  if (a.n <= 0) return b;
  if (b.n <= 0) return a;
  const n = a.n + b.n;
  const gap = b.mean - a.mean;
  const mean = a.mean + (gap * b.n) / n;
  const m2 = a.n * a.stddev ** 2 + b.n * b.stddev ** 2 + (gap * gap * a.n * b.n) / n;
  return { n, mean, stddev: Math.sqrt(m2 / n) };
}

/**
 * Moments of what was added between two cumulative readings, the inverse of `joinMoments`:
 * M2Δ = M2₂ − M2₁ − (μΔ − μ₁)²·n₁·nΔ/n₂. Exact but for rounding, which can leave a tiny negative M2Δ where the
 * interval hardly varied: taken as zero.
 * @param sumDelta Sum of the added values; beats n·mean, which has lost digits.
 */
export function subtractMoments(before: Moments, after: Moments, sumDelta: number): Moments {
  const n = after.n - before.n;
  if (n <= 0) return { n: 0, mean: 0, stddev: 0 };
  if (before.n <= 0) return after;
  const mean = Math.max(0, sumDelta) / n;
  const gap = mean - before.mean;
  const m2 =
    after.n * after.stddev ** 2 - before.n * before.stddev ** 2 - (gap * gap * before.n * n) / after.n;
  // A single value has no spread: what is left is rounding.
  return { n, mean, stddev: n === 1 ? 0 : Math.sqrt(Math.max(0, m2) / n) };
}
