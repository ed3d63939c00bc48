/**
 * Quantiles of statement time. pg_stat_statements keeps no distribution, only count, mean and standard deviation of each
 * statement; those of an interval are exact (workload/moments.ts). What follows from them:
 *
 * - an estimate: each statement's times taken as log-normal with its mean and deviation (times are positive and skewed to
 *   the right), all statements mixed by their calls;
 * - what holds for any distribution with these means and deviations: Cantelli's inequality on both sides, and Markov's.
 */

/** Moments of one statement's calls, ms; `stddev` is the population's. */
export interface StatementMoments {
  calls: number;
  mean: number;
  stddev: number;
}

export interface DerivedQuantile {
  /** By log-normal shapes, ms. */
  estimate: number;
  /** Of the calls that the moments are of, the quantile is certainly not below and not above, ms. */
  low: number;
  high: number;
}

/** Φ by Abramowitz and Stegun 7.1.26: right to 1.5e-7. */
function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const polynomial =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const erf = 1 - polynomial * Math.exp(-x * x);
  return z >= 0 ? (1 + erf) / 2 : (1 - erf) / 2;
}

/** P(X > x) of a log-normal: σ² = ln(1 + (sd/mean)²), μ = ln(mean) − σ²/2. */
function logNormalTail({ mean, stddev }: StatementMoments, x: number): number {
  if (mean <= 0 || stddev <= 0) return x < mean ? 1 : 0;
  if (x <= 0) return 1;
  const variance = Math.log1p((stddev / mean) ** 2);
  return 1 - normalCdf((Math.log(x) - (Math.log(mean) - variance / 2)) / Math.sqrt(variance));
}

/** The most that P(X ≥ x) can be: Cantelli, and for times, which are never negative, Markov. */
function mostAbove({ mean, stddev }: StatementMoments, x: number): number {
  if (x <= mean) return 1;
  const variance = stddev ** 2;
  return Math.min(variance / (variance + (x - mean) ** 2), mean / x);
}

/** The least that P(X > x) can be: Cantelli from below. */
function leastAbove({ mean, stddev }: StatementMoments, x: number): number {
  if (x >= mean) return 0;
  const square = (mean - x) ** 2;
  return square / (stddev ** 2 + square);
}

/** Where a function of x that never rises comes down to `share`; [0, end] must hold the place. */
function comesDownTo(tail: (x: number) => number, share: number, end: number): number {
  if (tail(0) <= share) return 0;
  let [low, high] = [0, end];
  // Sixty halvings leave less than rounding does.
  for (let turn = 0; turn < 60; turn += 1) {
    const middle = (low + high) / 2;
    if (tail(middle) > share) low = middle;
    else high = middle;
  }
  return high;
}

/**
 * The time that a share `q` of all calls does not exceed.
 * @param statements with calls; null without any.
 */
export function statementTimeQuantile(
  statements: readonly StatementMoments[],
  q: number,
): DerivedQuantile | null {
  const called = statements.filter(({ calls }) => calls > 0);
  const calls = called.reduce((sum, one) => sum + one.calls, 0);
  if (calls === 0) return null;
  const mixed = (tail: (one: StatementMoments, x: number) => number) => (x: number) =>
    called.reduce((sum, one) => sum + (one.calls / calls) * tail(one, x), 0);
  const share = 1 - q;
  // By Cantelli the tail of each is at most `share` there.
  const end = Math.max(...called.map(({ mean, stddev }) => mean + stddev * Math.sqrt(q / share))) + 1e-9;
  const low = comesDownTo(mixed(leastAbove), share, end);
  const high = comesDownTo(mixed(mostAbove), share, end);
  // A log-normal keeps within both bounds; rounding may not.
  const estimate = comesDownTo(mixed(logNormalTail), share, end);
  return { estimate: Math.min(high, Math.max(low, estimate)), low, high };
}

/** Mean over all calls, ms; null without calls. */
export function meanStatementTime(statements: readonly StatementMoments[]): number | null {
  const calls = statements.reduce((sum, one) => sum + one.calls, 0);
  return calls > 0 ? statements.reduce((sum, one) => sum + one.calls * one.mean, 0) / calls : null;
}
