/** Entries of arrays and tsvectors: what ANALYZE lists of them, and those that are too rare for its list. */
import type { Bound } from './column-facts.ts';
import { likeness } from './entry-extracts.ts';
import {
  type EntryClass,
  type EntrySource,
  type ListedEntries,
  type SampledEntries,
  sampledEntries,
} from './gin-entries.ts';
import type { KeyFacts } from './key-facts.ts';
import { elementsOf } from './key-widths.ts';

/** Of a tsvector's lexeme beside its text: WordEntry, a count of positions and one position, aligned to two bytes (ts_type.h). */
const LEXEME_OVERHEAD = 8.5;
/** Of a tsvector's width: more positions than one, and where the estimate of the shares errs. */
const PADDING = 0.1;
/** A short lexeme with all that belongs to it: the listed ones may be longer than the others. */
const SHORT_LEXEME = 14;
/** A lexeme of 32 letters, as a hash is. */
const LONG_LEXEME = 40;
/** vl_len and the number of lexemes. */
const TSVECTOR_HEADER = 8;
/** Less than so many entries a document, and the list has them all but for errors of the estimate. */
const NEGLIGIBLE = 0.02;
/** A list that goes on may end so soon, by octaves of frequency: at the largest end of the range, and for a budget. */
const OCTAVES = { most: 2, reserved: 4 } as const;
/** So many entries between the list's end and twice its frequency tell how they go on. */
const FEWEST_AT_END = 20;
/** How fast entries become more as they get rarer: Zipf's law is 1. */
const STEEPEST = 1.5;

/** The list of ANALYZE. */
interface List {
  /** Shares of the values, the most common one first. */
  shares: readonly number[];
  /** What is in more of the values is on the list. */
  cutoff: number;
}

/**
 * compute_array_stats() and compute_tsvector_stats(): what is met 9 times in each `bucket_width` elements of the sample
 * and more is listed, as far as the list is long enough.
 * @param perValue elements of a value.
 * @param sampled rows that ANALYZE looks at.
 */
function listOf(
  { element_freqs, null_frac }: KeyFacts,
  most: number,
  perValue: number,
  sampled: number,
): List {
  const shares = element_freqs.toSorted((a, b) => b - a);
  const last = shares.at(-1) ?? 1;
  if (most > 0 && shares.length >= most) return { shares, cutoff: last };
  const values = Math.max(1, sampled * (1 - null_frac));
  const bucket = (Math.max(1, most) * 1000) / 7;
  const count = Math.max(1, (9 * perValue * values) / bucket);
  return { shares, cutoff: Math.min(last, count / values) };
}

/** How long ANALYZE's list may be, and of how many rows it is. */
export interface Listing {
  /** Elements that ANALYZE keeps at most: ten for each unit of the statistics target. */
  most: number;
  sampled_rows: number;
}

/**
 * Known entries each with their rows, and the rest of what a value has on average: of what kinds that is, the values in
 * the statistics show (arrays have them, and a generated tsvector by the text that it is made of). Without any, entries
 * are taken to become more below the list's end as they do above it, and what then is left to be a row's own each.
 * @param described what shows values of the key: the column itself or the expression that generates it.
 */
export function elementClasses(
  source: EntrySource,
  described: EntrySource,
  { most, sampled_rows }: Listing,
): SampledEntries {
  const { facts: key, rows } = source;
  const present = Math.max(1, rows * (1 - key.null_frac));
  const any = sampledEntries(described);
  const names = elementsOf(source.column.stats?.most_common_elems);
  const bytes = key.element_bytes;
  const per_value = key.elements ?? any?.per_value ?? lexemesOf(key, names, source.bound);
  const list = listOf(key, most, per_value, Math.min(rows, sampled_rows));
  const classes: EntryClass[] = list.shares.map((share) => ({
    keys: 1,
    rows: Math.max(1, share * present),
    bytes,
  }));
  const left = per_value - list.shares.reduce((sum, share) => sum + share, 0);
  const empty = any?.empty ?? 0;
  if (left < NEGLIGIBLE * per_value) return { classes, empty, per_value };
  // Some ten thousand rows tell of what is just below the list's end better than a hundred values.
  const isToldByList = key.elements !== null && within(list, 1, 2) >= FEWEST_AT_END && !endsAlike(list);
  const shown = isToldByList
    ? null
    : sampledEntries(described, {
        names: new Set(names),
        unlisted_share: list.cutoff,
        ...(endsAlike(list) ? { beyond: alikeBeyond(list, names, { ...source, sampled_rows }) } : {}),
      });
  const found = shown?.classes.reduce((sum, each) => sum + each.keys * each.rows, 0) ?? 0;
  if (shown && found > 0) {
    const scale = (left * present) / found;
    classes.push(...shown.classes.map((each) => scaled(each, scale)));
  } else classes.push(...goingOn(list, left, present, source));
  return { classes, empty, per_value };
}

/** Listed entries whose shares lie between these multiples of the cutoff. */
const within = ({ shares, cutoff }: List, from: number, to: number) =>
  shares.filter((share) => share >= from * cutoff && share < to * cutoff).length;

/** By how many octaves more entries there are of half the frequency. */
const steepness = (list: List) =>
  Math.max(0, Math.log2(Math.max(1, within(list, 1, 2)) / Math.max(1, within(list, 2, 4))));

/** A list that is cut off in the midst of entries that are about alike. */
const endsAlike = (list: List) => steepness(list) > STEEPEST;

/** How far the number of entries at the list's end may be from its mean, in standard deviations. */
const DEVIATIONS = { least: 2, likely: 0, reserved: -1.3, most: -2 } as const;

/**
 * Where a full list ends in the midst of entries that are about alike, chance alone divides those that are listed from
 * those that are not: of K entries of R rows each, so many stand so often in ANALYZE's sample (binomial). With what the
 * values show of the kind's share that leaves one K. A hundred values met each of them once at most.
 */
function alikeBeyond(
  { shares, cutoff }: List,
  names: readonly string[],
  { facts, rows, sampled_rows }: { facts: KeyFacts; rows: number; sampled_rows: number },
): NonNullable<ListedEntries['beyond']> {
  const fraction = Math.min(1, sampled_rows / Math.max(1, rows));
  const present = Math.max(1, rows * (1 - facts.null_frac));
  const least = Math.max(1, Math.round(cutoff * present * fraction));
  const atEnd = new Map<string, { entries: number; share: number }>();
  for (const [place, share] of facts.element_freqs.entries()) {
    if (share >= 2 * cutoff) continue;
    const kind = likeness(names[place] ?? '');
    const known = atEnd.get(kind) ?? { entries: 0, share: 0 };
    atEnd.set(kind, { entries: known.entries + 1, share: known.share + share });
  }
  return (kind, share, bound) => {
    const listed = atEnd.get(kind);
    if (shares.length === 0 || fraction >= 1 || !listed || listed.entries < FEWEST_AT_END) return null;
    const found = listed.entries + DEVIATIONS[bound ?? 'likely'] * Math.sqrt(listed.entries);
    const all = (share + listed.share) * present;
    // The fewer rows each has, the fewer are listed, although there are more of them.
    let [few, many] = [1, Math.max(2, Math.ceil(least / fraction))];
    while (many - few > 1) {
      const each = Math.floor((few + many) / 2);
      if ((all / each) * shareFromOn(least, each, fraction) < found) few = each;
      else many = each;
    }
    return { keys: Math.max(1, all / many - listed.entries) };
  };
}

/** Share of the entries of so many rows of which at least so many stand in a sample of this part of all rows. */
function shareFromOn(least: number, rows: number, fraction: number): number {
  if (rows < least) return 0;
  let chance = Math.exp(rows * Math.log1p(-fraction));
  let below = 0;
  for (let count = 0; count < least; count += 1) {
    below += chance;
    chance *= ((rows - count) / (count + 1)) * (fraction / (1 - fraction));
  }
  return Math.max(0, 1 - below);
}

/**
 * Lexemes of a tsvector by its width alone: what the listed ones leave of it. The rarer ones may be short words as well as
 * hashes, and of what is little more than padding nothing is said.
 */
function lexemesOf(key: KeyFacts, names: readonly string[], bound: Bound | undefined): number {
  const shares = key.element_freqs;
  const listed = shares.reduce((sum, share) => sum + share, 0);
  const ofListed = shares.reduce(
    (sum, share, place) =>
      sum +
      share * (Buffer.byteLength(names[place] ?? '') || key.element_bytes - 1) +
      share * LEXEME_OVERHEAD,
    0,
  );
  const left = key.width - TSVECTOR_HEADER - ofListed;
  if (bound !== 'most' && left < PADDING * key.width) return listed;
  return listed + Math.max(0, left) / (bound === 'least' ? LONG_LEXEME : SHORT_LEXEME);
}

/** So many more, or fewer, of them. */
const scaled = (each: EntryClass, scale: number): EntryClass => ({ ...each, keys: each.keys * scale });

/** Entries behind the list's end, octave by octave of their frequency. */
function goingOn(list: List, left: number, present: number, { facts, bound }: EntrySource): EntryClass[] {
  const { cutoff } = list;
  const bytes = facts.element_bytes;
  if (bound === 'least') {
    const share = Math.max(1 / present, cutoff / 4);
    return [{ keys: left / share, rows: share * present, bytes }];
  }
  const last = within(list, 1, 2);
  const growth = 2 ** Math.min(STEEPEST, steepness(list));
  const classes: EntryClass[] = [];
  let rest = left;
  // What is most: a word of its own each, as soon as the list can be taken to end.
  const octaves = bound === 'most' || bound === 'reserved' ? OCTAVES[bound] : Number.POSITIVE_INFINITY;
  let keys = last * growth;
  let share = cutoff / Math.SQRT2;
  for (let octave = 0; octave < octaves && rest > 0 && keys >= 1 && share * present > 1; octave += 1) {
    const taken = Math.min(keys, rest / share);
    classes.push({ keys: taken, rows: share * present, bytes });
    rest -= taken * share;
    keys *= growth;
    share /= 2;
  }
  if (rest > 0) classes.push({ keys: rest * present, rows: 1, bytes });
  return classes;
}
