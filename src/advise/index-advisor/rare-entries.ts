/**
 * How many entries of a GIN there are of those that a hundred sampled values show once or twice. Words of natural text
 * go on without an end, words of a small vocabulary are soon all met, and a hash or an identifier is its row's own; how
 * many entries were met once, twice, three times … tells the kinds apart as far as it can be told. Each distribution is
 * taken by how well it explains those counts: the estimate is the median of what they come to, the range their tails.
 */
import type { Bound } from './column-facts.ts';

/** Entries of a kind that are found in as many values as each other. */
export interface RareClass {
  keys: number;
  /** Values of the column that have it. */
  values: number;
}

/** What a sample of values shows of entries of one kind. */
export interface Spectrum {
  /** Entries that were met once, twice, … */
  met: readonly number[];
  /** Values looked at. */
  sampled: number;
  /** Distinct values that there are. */
  values: number;
  /** Entries that were met more often are known by other means, and not asked for. */
  met_rarely: number;
  /** The most values that have one of them; absent: any number. */
  most?: number;
  source: RareSource;
  /** There are no more of them; absent: any number. */
  most_keys?: number;
}

/** Counts up to this one are compared with what a distribution would show. */
export const COMPARED = 8;
/** Classes are this far apart. */
const STEP = Math.SQRT2;
/** Densities fall as frequency to the minus: 0 all orders of magnitude as many, 1 Zipf's law, more: mostly rare ones. */
const EXPONENTS = [0, 0.25, 0.5, 0.75, 1, 1.25];
/** Of the entries met once, those that are a value's own. */
const OWN_SHARES = [0, 0.1, 0.25, 0.5, 0.75, 0.9];
/**
 * What is believed of a kind before anything is seen: that all are their value's own, all alike, rarer ones the more, or
 * a mixture with some that are a value's own, for of one kind most have one source.
 */
interface Priors {
  own: number;
  alike: number;
  falling: number;
  mixed: number;
}

/** `code`: what has digits; `word`: what has none, and is seldom a row's own; `bounded`: only so many are possible. */
export type RareSource = 'code' | 'word' | 'bounded';
const PRIORS: Readonly<Record<RareSource, Priors>> = {
  code: { own: 0.5, alike: 0.2, falling: 0.2, mixed: 0.1 },
  word: { own: 0.15, alike: 0.25, falling: 0.5, mixed: 0.1 },
  bounded: { own: 0, alike: 0.5, falling: 0.5, mixed: 0 },
};
const BOUNDED_STEEPEST = 0.75;
/**
 * Tails of the range, the estimate, and what a budget has to reckon with: one index in ten turns out larger, and of
 * several the sum is that of their means, which lie above the medians where tails are long.
 */
const QUANTILES = { least: 0.03, likely: 0.5, reserved: 0.9, most: 0.97 } as const;

/** Chances to be met so often, by the number of values that have the entry. */
interface Grid {
  values: number[];
  /** By count from 0 to COMPARED. */
  chances: number[][];
  /** To be met rarely or not at all. */
  rarely: number[];
}

/** Values met are Poisson distributed; a value's own entry is met with it. */
function gridOf({ sampled, values, met_rarely, most = values }: Spectrum): Grid {
  const fraction = sampled / values;
  const highest = Math.max(2, Math.min(values, most, (2 * COMPARED) / fraction));
  const grid: Grid = { values: [], chances: [], rarely: [] };
  for (let at = 1; at <= highest; at *= STEP) {
    const chances = at === 1 ? [1 - fraction, fraction] : poisson(at * fraction);
    grid.values.push(at);
    grid.chances.push(chances);
    grid.rarely.push(chances.slice(0, met_rarely + 1).reduce((sum, each) => sum + each, 0));
  }
  return grid;
}

function poisson(mean: number): number[] {
  const chances = [Math.exp(-mean)];
  for (let count = 1; count <= COMPARED; count += 1) chances.push(((chances[count - 1] ?? 0) * mean) / count);
  return chances;
}

/** A distribution: weights of the grid's classes, and what it may be mixed with. */
interface Shape {
  weights: number[];
  mixtures: Mixture[];
}

interface Mixture {
  /** Of the entries met once, those that are a value's own. */
  own: number;
  prior: number;
}

function* shapes({ values }: Grid, source: RareSource): Iterable<Shape> {
  const priors = PRIORS[source];
  const alone = (place: number) => values.map((_, at) => (at === place ? 1 : 0));
  if (priors.own > 0) yield { weights: alone(0), mixtures: [{ own: 0, prior: priors.own }] };
  const exponents = EXPONENTS.filter((each) => source !== 'bounded' || each <= BOUNDED_STEEPEST);
  const owns = OWN_SHARES.filter((own) => own === 0 || priors.mixed > 0);
  const mixed = priors.mixed / (OWN_SHARES.length - 1) / 2;
  const mixturesOf = (pure: number, among: number): Mixture[] =>
    owns.map((own) => ({ own, prior: (own > 0 ? mixed : pure) / values.length / among }));
  const alike = mixturesOf(priors.alike, 1);
  const falling = mixturesOf(priors.falling, exponents.length);
  for (const [rarest, least] of values.entries()) {
    if (rarest === 0) continue;
    yield { weights: alone(rarest), mixtures: alike };
    for (const exponent of exponents) {
      const weights = values.map((each, at) => (at >= rarest ? (each / least) ** -exponent : 0));
      yield { weights, mixtures: falling };
    }
  }
}

interface Weighed {
  keys: number;
  logLikelihood: number;
  prior: number;
  classes: () => RareClass[];
}

/** Entries that are met once, twice … of a distribution, and its keys that are met rarely or not at all, by class. */
interface Expected {
  shown: number[];
  rarely: number[];
  keys: number;
}

function expectedOf(grid: Grid, weights: readonly number[]): Expected {
  const shown = new Array<number>(COMPARED).fill(0);
  let keys = 0;
  const rarely = weights.map((weight, at) => {
    if (weight === 0) return 0;
    const chances = grid.chances[at] ?? [];
    for (let count = 1; count < chances.length; count += 1)
      shown[count - 1] = (shown[count - 1] ?? 0) + weight * (chances[count] ?? 0);
    const part = weight * (grid.rarely[at] ?? 0);
    keys += part;
    return part;
  });
  return { shown, rarely, keys };
}

function weigh(
  { met, sampled, values, met_rarely }: Spectrum,
  grid: Grid,
  expected: Expected,
  { own, prior }: Mixture,
): Weighed {
  const fraction = sampled / values;
  const { rarely, keys } = expected;
  const [once = 0, ...more] = expected.shown;
  const ofOwn = (once * own) / (1 - own);
  const shown = [once + ofOwn, ...more];
  const all = shown.reduce((sum, each) => sum + each, 0);
  const logLikelihood = met.reduce(
    (sum, entries, at) =>
      entries === 0 || at >= COMPARED
        ? sum
        : sum + entries * Math.log(Math.max(1e-12, (shown[at] ?? 0) / all)),
    0,
  );
  // As many as make up for what was met rarely; with what else was met of the same ones the sum is too large.
  const rows = (counts: readonly number[]) =>
    counts.slice(0, met_rarely).reduce((sum, entries, at) => sum + entries * (at + 1), 0);
  const scale = rows(met) / Math.max(1e-300, rows(shown));
  const ownKeys = (scale * ofOwn) / fraction;
  return {
    keys: scale * keys + ownKeys,
    logLikelihood,
    prior,
    classes: () => {
      const classes = rarely.flatMap((part, at) =>
        part > 0 ? [{ keys: scale * part, values: grid.values[at] ?? 1 }] : [],
      );
      const sum = classes.reduce((total, each) => total + each.keys * each.values, 0);
      const wanted = rows(met) / fraction - ownKeys;
      const fit = sum > 0 ? Math.min(1, wanted / sum) : 1;
      return [
        ...classes.map((each) => ({ ...each, values: Math.max(1, each.values * fit) })),
        ...(ownKeys > 0 ? [{ keys: ownKeys, values: 1 }] : []),
      ];
    },
  };
}

/**
 * f1² / (2 f2) more than were met (Chao 1984): a lower bound, and right where all are alike, as those of a vocabulary that
 * most of is met are nearly.
 */
function allAlike({ met, sampled, values, met_rarely }: Spectrum): RareClass {
  const [once = 0, twice = 0] = met;
  const seen = met.slice(0, met_rarely);
  const rows = (seen.reduce((sum, entries, at) => sum + entries * (at + 1), 0) * values) / sampled;
  const unmet = twice > 0 ? (once * once) / (2 * twice) : (once * Math.max(0, once - 1)) / 2;
  const keys = Math.max(1, Math.min(rows, unmet + seen.reduce((sum, entries) => sum + entries, 0)));
  return { keys, values: Math.max(1, rows / keys) };
}

/** What comes to a little more than there can be is not refuted by it: both are estimates. */
const NEAR = 1.5;

/** As many as there can be at most, each in more values. */
function within({ keys, classes }: Weighed, most = Number.POSITIVE_INFINITY): RareClass[] {
  const part = Math.min(1, most / Math.max(1, keys));
  return classes().map((each) => ({ keys: each.keys * part, values: each.values / part }));
}

/**
 * Entries that were met rarely, with those of their kind that were not met.
 * @param bound absent: what is most likely.
 */
export function rareClasses(spectrum: Spectrum, bound?: Bound): RareClass[] {
  const { met, sampled, values, met_rarely } = spectrum;
  if (met.slice(0, met_rarely).every((entries) => entries === 0)) return [];
  if (values <= 2 * sampled) {
    return met
      .slice(0, met_rarely)
      .map((keys, at) => ({ keys: Math.max(keys, (keys * values) / sampled / (at + 1)), values: at + 1 }));
  }
  if (spectrum.source === 'bounded' && bound === undefined) return [allAlike(spectrum)];
  const grid = gridOf(spectrum);
  const eachShape = [...shapes(grid, spectrum.source)].flatMap(({ weights, mixtures }) => {
    const expected = expectedOf(grid, weights);
    return mixtures.map((mixture) => weigh(spectrum, grid, expected, mixture));
  });
  const fewestKeys = eachShape.reduce((least, { keys }) => Math.min(least, keys), Number.POSITIVE_INFINITY);
  const mostKeys = Math.max(fewestKeys, NEAR * (spectrum.most_keys ?? Number.POSITIVE_INFINITY));
  const weighed = eachShape.filter(({ keys }) => keys <= mostKeys);
  const best = weighed.reduce((most, each) => Math.max(most, each.logLikelihood), Number.NEGATIVE_INFINITY);
  const sorted = weighed
    .map((each) => ({ ...each, weight: each.prior * Math.exp(each.logLikelihood - best) }))
    .sort((a, b) => a.keys - b.keys);
  const all = sorted.reduce((sum, each) => sum + each.weight, 0);
  const mean = sorted.reduce((sum, each) => sum + each.weight * each.keys, 0) / all;
  const fewest = bound === 'reserved' ? mean : 0;
  let left = QUANTILES[bound ?? 'likely'] * all;
  for (const each of sorted) {
    left -= each.weight;
    if (left <= 0 && each.keys >= fewest) return within(each, spectrum.most_keys);
  }
  const [last] = sorted.slice(-1);
  return last ? within(last, spectrum.most_keys) : [];
}
