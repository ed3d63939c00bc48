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

/** Moments of an interval with how far the standard deviation may be off by rounding. */
export interface IntervalMoments extends Moments {
  /** Bound on |stddev − the true one| that binary floating point in both readings can cause, same unit. */
  stddev_error: number;
}

/**
 * Moments of what was added between two cumulative readings, the inverse of `joinMoments`:
 * M2Δ = M2₂ − M2₁ − (μΔ − μ₁)²·n₁·nΔ/n₂. Exact but for rounding, which can leave a tiny negative M2Δ where the
 * interval hardly varied: taken as zero.
 *
 * The bound: pg_stat_statements adds one rounding of at most ε·M2₂ to M2 (Welford 1962) and ε·Σ to the sum with each
 * call of the interval, its running mean carries at most ε·Σ₁, and reading stddev back squares it. What both readings
 * share cancels, so that only the interval's nΔ steps count.
 * @param sumDelta Sum of the added values; beats n·mean, which has lost digits.
 */
export function subtractMoments(before: Moments, after: Moments, sumDelta: number): IntervalMoments {
  const n = after.n - before.n;
  if (n <= 0) return { n: 0, mean: 0, stddev: 0, stddev_error: 0 };
  if (before.n <= 0) return { ...after, stddev_error: 0 };
  const mean = Math.max(0, sumDelta) / n;
  const gap = mean - before.mean;
  const weight = (before.n * n) / after.n;
  const [m2Before, m2After] = [before.n * before.stddev ** 2, after.n * after.stddev ** 2];
  const m2 = m2After - m2Before - gap * gap * weight;
  // A single value has no spread: what is left is rounding.
  if (n === 1) return { n, mean, stddev: 0, stddev_error: 0 };
  const [sumBefore, sumAfter] = [before.n * before.mean, after.n * after.mean];
  const gapError = Number.EPSILON * (sumBefore + (sumAfter * (n + 2)) / n);
  const m2Error =
    Number.EPSILON * ((n + 4) * m2After + 4 * m2Before + 4 * gap * gap * weight) +
    (2 * Math.abs(gap) + gapError) * gapError * weight;
  const stddev = Math.sqrt(Math.max(0, m2) / n);
  const high = Math.sqrt((Math.max(0, m2) + m2Error) / n);
  const low = Math.sqrt(Math.max(0, m2 - m2Error) / n);
  return { n, mean, stddev, stddev_error: Math.max(high - stddev, stddev - low) };
}
