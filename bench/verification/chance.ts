/** Draws of the simulated servers: normal, log-normal and Pareto, uniform between bounds. */
import { drawsOf } from '../draws.ts';

export type Draw = () => number;

export function normal(draw: Draw): number {
  return Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
}

export const between = (draw: Draw, low: number, high: number): number => low + draw() * (high - low);
/** Each order of magnitude as likely as the next. */
export const scaled = (draw: Draw, low: number, high: number): number =>
  low * Math.exp(draw() * Math.log(high / low));
export const whole = (draw: Draw, low: number, high: number): number =>
  low + Math.floor(draw() * (high - low + 1));

/** A Poisson number: by products of uniforms where it is small, by its normal limit otherwise. */
export function poisson(draw: Draw, mean: number): number {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(draw)));
  const least = Math.exp(-mean);
  let count = 0;
  for (let product = draw(); product > least; product *= draw()) count += 1;
  return count;
}

/** A stationary AR(1) with this standard deviation. */
export function series(draw: Draw, length: number, deviation: number, rho: number): number[] {
  let now = normal(draw) * deviation;
  return Array.from({ length }, () => {
    const value = now;
    now = rho * now + Math.sqrt(1 - rho ** 2) * deviation * normal(draw);
    return value;
  });
}

const POOL = 2 ** 20;

/** Running sums of draws with mean 1: any stretch of them is a sample, at the price of two look-ups. */
export class Pool {
  private readonly sums = new Float64Array(POOL + 1);
  private readonly squares = new Float64Array(POOL + 1);

  constructor(one: (draw: Draw) => number, seed: number) {
    const draw = drawsOf(seed);
    for (let at = 0; at < POOL; at += 1) {
      const value = one(draw);
      this.sums[at + 1] = (this.sums[at] ?? 0) + value;
      this.squares[at + 1] = (this.squares[at] ?? 0) + value ** 2;
    }
  }

  sample(draw: Draw, length: number): { sum: number; squares: number } {
    const start = Math.floor(draw() * (POOL - length));
    const over = (sums: Float64Array) => (sums[start + length] ?? 0) - (sums[start] ?? 0);
    return { sum: over(this.sums), squares: over(this.squares) };
  }
}

const pools = new Map<string, Pool>();

function pool(kind: string, parameter: number, one: (draw: Draw) => number): Pool {
  const key = `${kind} ${parameter}`;
  const known = pools.get(key) ?? new Pool(one, 1 + Math.round(1000 * parameter));
  pools.set(key, known);
  return known;
}

/** Log-normal with mean 1. */
export const lognormalPool = (sigma: number): Pool =>
  pool('lognormal', sigma, (draw) => Math.exp(sigma * normal(draw) - sigma ** 2 / 2));

/** Pareto with mean 1 and this index (above 1; no variance at 2 and below). */
export const paretoPool = (index: number): Pool =>
  pool('pareto', index, (draw) => ((index - 1) / index) * (1 - draw()) ** (-1 / index));
