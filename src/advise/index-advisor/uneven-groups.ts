/**
 * Sizes of groups where values occur unevenly, and how few and how many values the statistics leave possible. Whether
 * they are uneven the list of the most common values tells: it is longer than chance explains among values that are
 * about alike.
 */
import {
  type Alike,
  type GroupClass,
  type GroupSizes,
  joined,
  liesTogether,
  type SampledValues,
} from './alike-groups.ts';
import { type SampleTail, sampleTail } from './sample-counts.ts';
import { type Fitted, type Rate, unevenFits } from './uneven-fits.ts';

/** So many listed values are no chance, if they are as unlikely among values that are about alike. */
const SIGNIFICANT = 0.05;
/** Where no value is common so many may have been missed: with one to be expected a third of samples show none. */
const MISSED = 1;
/** Less than so many times as many listed values as are explained: most are. */
const NEARLY = 3;
/** Numbers between two bounds that are so many times as common as half of the others are common by where they lie. */
const DENSER = 4;
/** What a fit says of how many values there are scatters by so much with the sample that was drawn. */
const DRAWN = 1.15;
/** From this share of the numbers that there can be on, all are taken to be meant. */
const NEARLY_ALL = 0.8;
/** Where there is room for fewer values more than this share it is not looked into. */
const NARROW = 1.05;
/** A value that stands in the sample so often on average is seen in any case: the sample's values are all there are. */
const SURELY_SEEN = 8;

/** Null: nothing is open, or nothing can be told of it. */
export function unevenGroups(values: SampledValues, alike: Alike): GroupSizes | null {
  const { rows, sampled, estimate, counts, target, is_counted, common } = values;
  if (counts === undefined || target === undefined || is_counted || liesTogether(values)) return null;
  if (sampled >= rows || estimate >= rows || alike.groups.evenness > 0) return null;
  const fraction = sampled / rows;
  const tail = sampleTail({ sampled, fraction, estimate, counts, target });
  if (tail === null) return null;
  const others = rows * (1 - common.share);
  if (others * fraction < SURELY_SEEN) return null;
  const expected = expectedCounted(tail, alike, others);
  const isUneven = tail.seen.length > expected && atLeast(tail.seen.length, expected) < SIGNIFICANT;
  const fewest = evenGroups(values, alike);
  if (!isUneven) return alikeWithin(values, { alike, tail, expected, fewest });
  const { smooth, mixed } = unevenFits(tail, tail.seen.length);
  const byFit = (fit: Fitted) => groupsOf(fit, values, alike.possible);
  // What explains most of them, or knows where the numbers are that are common, is right but for a few.
  const isNearly = tail.seen.length < NEARLY * expected || isDenserSomewhere(alike);
  const nearly = isNearly ? [alike.groups] : [];
  const simple = smooth.map(byFit);
  const groups = [...nearly, ...simple, ...mixed.map(byFit)];
  const [first] = groups;
  if (first === undefined) return { ...alike.groups, least: fewest };
  // A kind of their own for values that occur once explains anything: it is taken where nothing simpler does.
  const isSimple = nearly.length === 0 && simple.length > 0;
  const likely = isSimple ? likeliest(simple, values, alike.possible) : first;
  const sorted = groups.toSorted((a, b) => a.distinct - b.distinct);
  const fewer = mean([alike.groups, sorted[0] ?? first], values);
  const most = Math.min(rows, alike.possible);
  return {
    ...likely,
    // Half of the way: what is wrong in a set's members partly evens out.
    reserved: mean([likely, sorted.at(-1) ?? first], values),
    ...ends(
      scaled(fewer, values, { by: 1 / DRAWN, most }),
      scaled(sorted.at(-1), values, { by: DRAWN, most }),
    ),
  };
}

/** Whether common numbers lie together, so that the histogram's bins tell how uneven they are. */
function isDenserSomewhere({ rates }: Alike): boolean {
  const sorted = rates.map(({ rows }) => rows).sort((a, b) => a - b);
  return (sorted.at(-1) ?? 0) > DENSER * (sorted[Math.floor(sorted.length / 2)] ?? 0);
}

/** So many times as many values, of fewer rows each; no more than there can be. */
function scaled(
  groups: GroupSizes | undefined,
  { rows, common }: SampledValues,
  { by, most }: { by: number; most: number },
): GroupSizes | undefined {
  if (groups === undefined || groups.distinct <= common.values) return groups;
  const factor = Math.min(by, (most - common.values) / (groups.distinct - common.values));
  const classes = groups.classes.map(({ share, rows: size }) => ({
    share,
    rows: Math.max(1, size / factor),
  }));
  const others = rows * (1 - common.share);
  const counted = sumOf(classes.map(({ share, rows: size }) => (others * share) / size));
  return { distinct: Math.min(rows, common.values + counted), classes, evenness: groups.evenness };
}

const ends = (least: GroupSizes | undefined, most: GroupSizes | undefined) => ({
  ...(least ? { least } : {}),
  ...(most ? { most } : {}),
});

/** Nothing speaks for uneven values; but the sample would show no common one either if they were somewhat uneven. */
function alikeWithin(
  values: SampledValues,
  { alike, tail, expected, fewest }: { alike: Alike; tail: SampleTail; expected: number; fewest: GroupSizes },
): GroupSizes {
  const { groups, possible, rates } = alike;
  const seenOfEach = Math.min(...rates.map((rate) => rate.rows)) * (values.sampled / values.rows);
  const wanted = Math.max(MISSED, tail.seen.length);
  const isOpen =
    expected < wanted &&
    seenOfEach < SURELY_SEEN &&
    possible > NARROW * (groups.distinct - values.common.values);
  const fits = isOpen ? unevenFits(tail, wanted).smooth : [];
  const [most] = fits
    .map((fit) => groupsOf(fit, values, possible))
    .filter(({ distinct }) => distinct > groups.distinct)
    .sort((a, b) => b.distinct - a.distinct);
  // Half of the way: nothing speaks for it, but of a large table's few sampled rows nothing would.
  const reserved = most && mean([groups, most], values);
  return { ...groups, ...(reserved ? { reserved } : {}), ...ends(fewest, most) };
}

/** All values but the most common ones have as many rows. */
function evenGroups({ common, rows }: SampledValues, { even }: Alike): GroupSizes {
  const others = rows * (1 - common.share);
  return {
    distinct: Math.min(rows, common.values + others / even),
    classes: [{ share: 1, rows: even }],
    evenness: 1,
  };
}

/** Values that would be counted near the end of the list if all were about alike. */
function expectedCounted(
  { sample, listed_from, counted_to }: SampleTail,
  { rates }: Alike,
  others: number,
): number {
  return rates.reduce((sum, { share, rows }) => {
    const mean = rows * sample.fraction;
    let chance = Math.exp(-mean);
    let counted = 0;
    for (let count = 1; count <= counted_to; count += 1) {
      chance *= mean / count;
      if (count >= listed_from) counted += chance;
    }
    return sum + ((others * share) / rows) * counted;
  }, 0);
}

/** Chance of so many or more where `expected` are to be expected (Poisson). */
function atLeast(count: number, expected: number): number {
  let chance = Math.exp(-expected);
  let fewer = 0;
  for (let each = 0; each < count; each += 1) {
    fewer += chance;
    chance *= expected / (each + 1);
  }
  return Math.max(0, 1 - fewer);
}

/** As groups of rows; where there cannot be as many values, the rarest are less rare. */
function groupsOf({ rates }: Fitted, values: SampledValues, possible: number): GroupSizes {
  const classes = classesOf(rates);
  const others = values.rows * (1 - values.common.share);
  const groups = sumOf(classes.map(({ share, rows }) => (others * share) / rows));
  const most = Math.max(1, possible - values.common.values);
  const fitting = groups <= most ? classes : fewer(classes, most / others);
  const distinct = values.common.values + sumOf(fitting.map(({ share, rows }) => (others * share) / rows));
  return { distinct: Math.min(values.rows, distinct), classes: fitting, evenness: 0 };
}

function classesOf(rates: readonly Rate[]): GroupClass[] {
  const present = rates.map(({ rate, values }) => ({
    groups: values * -Math.expm1(-rate),
    rows: rate / -Math.expm1(-rate),
  }));
  const all = sumOf(present.map(({ groups, rows }) => groups * rows));
  return joined(present.map(({ groups, rows }) => ({ share: (groups * rows) / all, rows })));
}

/** No group smaller than it must be for so many groups a row. */
function fewer(classes: readonly GroupClass[], groupsPerRow: number): GroupClass[] {
  let [low, high] = [1, Math.max(...classes.map(({ rows }) => rows))];
  const raised = (least: number) => classes.map((each) => ({ ...each, rows: Math.max(least, each.rows) }));
  for (let step = 0; step < 30; step += 1) {
    const middle = Math.sqrt(low * high);
    if (sumOf(raised(middle).map(({ share, rows }) => share / rows)) > groupsPerRow) low = middle;
    else high = middle;
  }
  return joined(raised(high));
}

/**
 * Of numbers that a sequence gave out, or that a foreign key refers to, most are used: the distribution with most values
 * is taken where it comes near to all that there can be. Else each holds for a part of the rows.
 */
function likeliest(groups: readonly GroupSizes[], values: SampledValues, possible: number): GroupSizes {
  const [most] = groups.toSorted((a, b) => b.distinct - a.distinct);
  return most && most.distinct > NEARLY_ALL * possible ? most : mean(groups, values);
}

/** As if one of them held for each part of the rows. */
function mean(groups: readonly GroupSizes[], { rows, common }: SampledValues): GroupSizes {
  const classes = joined(
    groups.flatMap((each) =>
      each.classes.map(({ share, rows: size }) => ({ share: share / groups.length, rows: size })),
    ),
  );
  const others = rows * (1 - common.share);
  const counted = sumOf(classes.map(({ share, rows: size }) => (others * share) / size));
  return { distinct: Math.min(rows, common.values + counted), classes, evenness: 0 };
}

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0);
