/**
 * Values that occur unevenly. What ANALYZE keeps of its sample (n_distinct, and how many values are listed as common)
 * does not tell how many rare values there are: a mixture of common ones and of values that occur once shows the same
 * n_distinct as far fewer values that are all alike. So several kinds of distribution are fitted to both numbers; those
 * that explain the listed counts, too, say between what the number of values lies.
 */
import {
  likelihood,
  RAREST,
  RATE_STEP,
  type RateGrid,
  rateGrid,
  type SampleTail,
  type Shown,
  shownBy,
} from './sample-counts.ts';

/** Values of one expected number of rows, those apart that are listed as common. */
export interface Rate {
  /** Expected rows. */
  rate: number;
  /** Values, those without a row among them. */
  values: number;
}

/** A mixture of rates that explains the sample. */
export interface Fitted {
  rates: Rate[];
}

interface Fit {
  weights: Float64Array;
  shown: Shown;
}

interface Fitting {
  tail: SampleTail;
  grid: RateGrid;
  /** Values to be counted near the list's end. */
  counted: number;
}

/** A fit's estimate and number of counted values are off by less than this factor; where no fit is as good, by this. */
const EXACT = 1.03;
const NEAR = 1.35;
/** What explains the listed counts so much worse than the best power law (natural logarithm) is ruled out. */
const UNLIKELY = 4;
const STEPS = 16;

/** Where a monotone function of a positive number is `target`; the nearer end where it never is. */
function inverse(low: number, high: number, target: number, at: (x: number) => number): number {
  const rises = at(high) > at(low);
  let [from, to] = [low, high];
  for (let step = 0; step < STEPS; step += 1) {
    const middle = Math.sqrt(from * to);
    if (at(middle) < target === rises) from = middle;
    else to = middle;
  }
  return Math.sqrt(from * to);
}

/** Rows of a value that stands in the sample as often as the least listed one: where no value is listed, none is as common. */
const listedRate = ({ tail }: Pick<Fitting, 'tail'>) => tail.listed_from / tail.sample.fraction;

/** Of two parameters the inner one is fitted to the estimate for each value of the outer, which is fitted to the count. */
function fitted(
  { tail, grid, counted }: Fitting,
  outer: readonly [number, number],
  inner: readonly [number, number],
  weightsOf: (outer: number, inner: number) => Float64Array,
): Fit {
  const at = (x: number): Fit => {
    const shown = (y: number) => shownBy(tail, grid, weightsOf(x, y));
    const y = inverse(...inner, tail.sample.estimate, (each) => shown(each).estimate);
    return { weights: weightsOf(x, y), shown: shown(y) };
  };
  return at(inverse(...outer, counted, (x) => at(x).shown.counted));
}

/** A power law from `lowest` on, its edge smoothed so that the fit moves steadily. */
function powerLaw({ rates }: RateGrid, exponent: number, lowest: number): Float64Array {
  return rates.map((rate) => {
    const part = 1 + Math.log(rate / lowest) / Math.log(RATE_STEP);
    return part <= 0 ? 0 : Math.min(1, part) * (rate / lowest) ** -exponent;
  });
}

/** Zipf's law and its kin: of twice the rate there are 2^−exponent as many values. */
function powerFit(fitting: Fitting): Fit {
  return fitted(fitting, [0.05, 9], [RAREST, listedRate(fitting)], (exponent, lowest) =>
    powerLaw(fitting.grid, exponent, lowest),
  );
}

/** Logarithms of the rates are normally distributed: few are rare, few are common. */
function lognormalFit(fitting: Fitting): Fit {
  const { rates } = fitting.grid;
  return fitted(fitting, [0.3, 4], [0.001, listedRate(fitting)], (deviation, median) =>
    rates.map((rate) => Math.exp(-0.5 * (Math.log(rate / median) / deviation) ** 2)),
  );
}

/** Values that occur once beside common ones that are all about alike. */
function onceBesideAlike(fitting: Fitting): Fit {
  const { rates } = fitting.grid;
  return fitted(fitting, [1, listedRate(fitting)], [1e-9, 1e9], (common, once) =>
    rates.map(
      (rate, at) =>
        (at === 0 ? once / RAREST : 0) + Math.exp(-0.5 * (Math.log(rate / common) / 0.5) ** 2) / common,
    ),
  );
}

/** Values that occur once beside common ones of the power law that the listed counts follow. */
function onceBesidePower({ tail, grid, counted }: Fitting, exponent: number): Fit {
  const at = (lowest: number): Fit => {
    const common = powerLaw(grid, exponent, lowest);
    const withOnce = (once: number) =>
      common.map((weight, place) => weight + (place === 0 ? once / RAREST : 0));
    const once = inverse(1e-9, 1e9, counted, (each) => shownBy(tail, grid, withOnce(each)).counted);
    const weights = withOnce(once);
    return { weights, shown: shownBy(tail, grid, weights) };
  };
  const highest = listedRate({ tail });
  // Below this there are too few common values even without any that occur once.
  const least = inverse(RAREST, highest, counted, (lowest) => {
    return shownBy(tail, grid, powerLaw(grid, exponent, lowest)).counted;
  });
  return at(inverse(least, highest, tail.sample.estimate, (lowest) => at(lowest).shown.estimate));
}

/** The power law that explains best how often the listed values occur. */
function exponentOfCounts(tail: SampleTail, grid: RateGrid): { exponent: number; likelihood: number } {
  let best = { exponent: 1, likelihood: Number.NEGATIVE_INFINITY };
  for (let exponent = 0.3; exponent < 9; exponent *= 1.1) {
    const found = likelihood(tail, grid, powerLaw(grid, exponent, RAREST));
    if (found > best.likelihood) best = { exponent, likelihood: found };
  }
  return best;
}

function ratesOf({ tail, grid }: Fitting, { weights, shown }: Fit): Fitted {
  const rates: Rate[] = [];
  grid.rates.forEach((rate, at) => {
    const { fraction } = tail.sample;
    const unlisted = Math.min(1, Math.exp(-rate * fraction) + (grid.unlisted[at] ?? 0));
    const values = shown.scale * (weights[at] ?? 0) * unlisted;
    if (values < 1e-3) return;
    rates.push({ rate, values });
  });
  return { rates };
}

/** How far what a fit shows is from what ANALYZE found, by the worse of the two (1: as found). */
function distanceOf({ tail, counted }: Fitting, { shown }: Fit): number {
  const apart = (found: number, wanted: number) => Math.max(found / wanted, wanted / Math.max(1e-9, found));
  return Math.max(apart(shown.estimate, tail.sample.estimate), apart(shown.counted, counted));
}

/**
 * Distributions that explain n_distinct and the list of common values, those without a kind of their own for values
 * that occur once as `smooth`; where none does, those that come near.
 * @param counted values near the list's end, as seen or as many as may have been missed.
 */
export function unevenFits(tail: SampleTail, counted: number): { smooth: Fitted[]; mixed: Fitted[] } {
  const fitting: Fitting = { tail, grid: rateGrid(tail), counted };
  const { grid } = fitting;
  const best = exponentOfCounts(tail, grid);
  const kinds: { isMixed: boolean; fit: Fit }[] = [
    { isMixed: false, fit: powerFit(fitting) },
    { isMixed: false, fit: lognormalFit(fitting) },
    { isMixed: true, fit: onceBesidePower(fitting, best.exponent) },
    { isMixed: true, fit: onceBesideAlike(fitting) },
  ];
  const explaining = (tolerance: number, unlikely: number) =>
    kinds.filter(
      ({ fit }) =>
        distanceOf(fitting, fit) < tolerance &&
        likelihood(tail, grid, fit.weights) > best.likelihood - unlikely,
    );
  const exact = explaining(EXACT, UNLIKELY);
  const accepted = exact.length > 0 ? exact : explaining(NEAR, 2 * UNLIKELY);
  const of = (mixed: boolean) =>
    accepted.filter(({ isMixed }) => isMixed === mixed).map(({ fit }) => ratesOf(fitting, fit));
  return { smooth: of(false), mixed: of(true) };
}
