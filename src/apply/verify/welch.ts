/** Welch's test from summary statistics, and Holm's correction for several of them. */

/** A sample by its summary: what pg_stat_statements keeps. */
export interface Summary {
  n: number;
  mean: number;
  /** Population standard deviation (pg_stat_statements divides by n). */
  stddev: number;
}

/** An estimated variance of a mean with its degrees of freedom. */
export interface VarianceOfMean {
  variance: number;
  degrees: number;
}

/** Unbiased variance of the mean: s²/n with s² = σ²·n/(n−1). */
export function varianceOfMean({ n, stddev }: Summary): VarianceOfMean {
  return { variance: stddev ** 2 / (n - 1), degrees: n - 1 };
}

/**
 * Two-sided p that a difference of means is none, by Welch's t with the degrees of freedom of Welch and Satterthwaite
 * over all given variances. Null when there is no variance at all to judge by.
 */
export function welch(difference: number, parts: readonly VarianceOfMean[]): number | null {
  const variance = parts.reduce((sum, part) => sum + part.variance, 0);
  if (!(variance > 0)) return null;
  const spread = parts.reduce((sum, part) => sum + part.variance ** 2 / part.degrees, 0);
  // Assumed variances have endless degrees: beyond a million Student's t is the normal distribution to six digits.
  const degrees = Math.min(MOST_DEGREES, variance ** 2 / spread);
  return studentTwoSided(difference / Math.sqrt(variance), degrees);
}

const MOST_DEGREES = 1e6;

/** Two-sided p; without any variance the means are exact, and differ or do not. */
export function test(difference: number, parts: readonly VarianceOfMean[]): number {
  return welch(difference, parts) ?? (difference === 0 ? 1 : 0);
}

/**
 * First-order: var(ln m) = var(m) / m². Ratios are tested by their logarithms, for what load, drift and long tails do is
 * in proportion: a mean of few calls of a long tail is mostly too low, and would be too sure of itself besides.
 */
export function relative(parts: readonly VarianceOfMean[], mean: number): VarianceOfMean[] {
  return parts.map(({ variance, degrees }) => ({ variance: variance / mean ** 2, degrees }));
}

/** P(|T| > |t|) for Student's t: I_{ν/(ν+t²)}(ν/2, 1/2) (Abramowitz & Stegun 26.7.1, 26.5.27). */
export function studentTwoSided(t: number, degrees: number): number {
  return regularisedIncompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5);
}

/**
 * I_x(a, b) by its continued fraction (Abramowitz & Stegun 26.5.8; evaluated by the modified Lentz method as in Press
 * et al., Numerical Recipes, 3rd ed., §6.4). The symmetry I_x(a,b) = 1 − I_{1−x}(b,a) keeps it where it converges fast.
 */
export function regularisedIncompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return x < (a + 1) / (a + b + 2)
    ? (front * betaFraction(x, a, b)) / a
    : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

const TINY = 1e-300;
const EPSILON = 1e-14;
const MAX_TERMS = 10_000;

function betaFraction(x: number, a: number, b: number): number {
  const awayFromZero = (value: number) => (Math.abs(value) < TINY ? TINY : value);
  let c = 1;
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= MAX_TERMS; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / awayFromZero(1 + even * d);
    c = awayFromZero(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / awayFromZero(1 + odd * d);
    c = awayFromZero(1 + odd / c);
    const factor = d * c;
    fraction *= factor;
    if (Math.abs(factor - 1) < EPSILON) return fraction;
  }
  throw new Error('the continued fraction of the incomplete beta did not converge');
}

/** Coefficients of Lanczos' approximation with g = 7, n = 9 (Godfrey's; relative error below 1e-14). */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** ln Γ(z) for z > 0. */
function logGamma(z: number): number {
  if (z < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * z)) - logGamma(1 - z);
  const x = z - 1;
  const base = x + 7.5;
  const sum = LANCZOS.reduce((total, value, k) => (k === 0 ? value : total + value / (x + k)), 0);
  return 0.5 * Math.log(2 * Math.PI) + (x + 0.5) * Math.log(base) - base + Math.log(sum);
}

/** Holm's step-down correction: the adjusted p of each, in the order given; nulls are left out of the family. */
export function holm(values: readonly (number | null)[]): (number | null)[] {
  const adjusted: (number | null)[] = values.map(() => null);
  const ordered = values
    .flatMap((p, position) => (p === null ? [] : [{ p, position }]))
    .sort((a, b) => a.p - b.p);
  let highest = 0;
  ordered.forEach(({ p, position }, rank) => {
    highest = Math.max(highest, Math.min(1, p * (ordered.length - rank)));
    adjusted[position] = highest;
  });
  return adjusted;
}
