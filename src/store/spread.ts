/**
 * The spread (sum of squared deviations, M2 = calls·stddev²) that an interval of a statement adds within itself, as a
 * whole number of so many leading bits: of 7, at most 2^-8 of it is lost.
 */
const number = new Float64Array(1);
const halves = new Uint32Array(number.buffer);
/** Halves of a double: which is the one with the exponent depends on the machine. */
number[0] = 1;
const HIGH = halves[0] === 0 ? 1 : 0;

/** Exponent and so many leading bits (1 to 20) of a positive number; grows with it. */
export function spreadCode(spread: number, bits: number): number {
  number[0] = spread;
  const high = halves[HIGH] as number;
  return bits === 20
    ? high + ((halves[1 - HIGH] as number) >>> 31)
    : (high + (1 << (19 - bits))) >>> (20 - bits);
}

export function spreadOf(code: number, bits: number): number {
  halves[1 - HIGH] = 0;
  halves[HIGH] = (code << (20 - bits)) >>> 0;
  return number[0] as number;
}

/** What M2 grows by because an interval's mean differs from that of all before it (Chan, Golub, LeVeque 1979). */
export function growthByMean(
  before: { calls: number; total_us: number },
  now: { calls: number; total_us: number },
): { growth: number; rounding: number } {
  const n = now.calls - before.calls;
  if (n <= 0 || before.calls <= 0) return { growth: 0, rounding: 0 };
  const gap = ((now.total_us - before.total_us) / n - before.total_us / before.calls) / 1000;
  // Both totals are rounded to 1 µs: the gap of the means, by up to 1 µs / n and half a µs / calls before.
  return {
    growth: (gap * gap * before.calls * n) / now.calls,
    rounding: 0.003 * Math.abs(gap) + 1e-5,
  };
}
