/** Ratios of pairs that ran next to each other, with their spread. */

export interface Ratio {
  /** Geometric mean. */
  mean: number;
  /** 95 % of where the mean lies, by Student's t over the logarithms. */
  low: number;
  high: number;
  /** Least and greatest of the pairs. */
  least: number;
  most: number;
}

/** Two-sided 95 % of Student's t by degrees of freedom, 1 to 12. */
const T95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179];

/** a ÷ b, pair by pair. */
export function ratioOf(a: readonly number[], b: readonly number[]): Ratio {
  const logs = a.map((value, index) => Math.log(value / (b[index] ?? Number.NaN)));
  const mean = logs.reduce((sum, one) => sum + one, 0) / logs.length;
  const freedom = logs.length - 1;
  const variance = logs.reduce((sum, one) => sum + (one - mean) ** 2, 0) / Math.max(1, freedom);
  const t = T95[Math.min(freedom, T95.length) - 1] ?? Number.NaN;
  const half = t * Math.sqrt(variance / logs.length);
  return {
    mean: Math.exp(mean),
    low: Math.exp(mean - half),
    high: Math.exp(mean + half),
    least: Math.exp(Math.min(...logs)),
    most: Math.exp(Math.max(...logs)),
  };
}

/** `1.04 (0.97–1.11)`: the mean with its 95 %. */
export function showRatio({ mean, low, high }: Ratio): string {
  return `${mean.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}
