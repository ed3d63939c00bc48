/**
 * What a GIN index would hold of a column, seen in the values that its statistics show: entries that many values share
 * have a known share of the rows; how many rare ones there are is told by how many were met once and how many again.
 */
import type { ColumnRow } from '../../domain/index.ts';
import type { Bound } from './column-facts.ts';
import { type Extracted, type Extractor, extractorOf } from './entry-extracts.ts';
import { elementLength, type KeyFacts } from './key-facts.ts';
import { elementsOf } from './key-widths.ts';
import { COMPARED, type RareSource, rareClasses } from './rare-entries.ts';

/** Entries of one kind: `keys` of them, each found in `rows` rows. */
export interface EntryClass {
  keys: number;
  rows: number;
  /** Stored bytes of the entry's key. */
  bytes: number;
}

/** Whose entries are looked at. */
export interface EntrySource {
  /** The column, or an expression as if it were one: its statistics show values. */
  column: ColumnRow;
  /** Of the rows that the index holds. */
  facts: KeyFacts;
  opclass: string | null;
  rows: number;
  bound?: Bound | undefined;
}

/** What the values show. */
export interface SampledEntries {
  classes: EntryClass[];
  /** Share of the values that have no entry at all. */
  empty: number;
  /** Entries of a value, on average. */
  per_value: number;
}

/** Elements whose share of the values ANALYZE lists. */
export interface ListedEntries {
  names: ReadonlySet<string>;
  /** The most that one can have that is not listed, as a share of the values. */
  unlisted_share: number;
  /**
   * What the list's end tells of a kind of those that are not listed; null: nothing.
   * @param share of the values, summed over the kind's entries that are not listed.
   */
  beyond?: (kind: string, share: number, bound: Bound | undefined) => { keys: number } | null;
}

/** An entry that so many of the sampled values have is known by its share of them. */
const KNOWN_VALUES = 3;
/** Fewer values tell too little. */
const FEWEST_VALUES = 20;

interface SeenEntry {
  /** Of the values. */
  share: number;
  /** Of the values between the common ones, those that have it. */
  values: number;
  /** A common value has it: its share is known. */
  is_common: boolean;
  kind: string;
  source: RareSource;
  number?: number | undefined;
}

/** Entries of one kind; `lowest` and `highest` of whole numbers, NaN where some are none. */
interface RareKind {
  /** Of the values, summed over them. */
  share: number;
  lowest: number;
  highest: number;
  met: number[];
  bytes: number;
  entries: number;
  source: RareSource;
}

/**
 * @param listed absent: ANALYZE lists no entries, so that those that are common are told by the values, too; else they are
 *   not among the result.
 * @returns null where the column's statistics show too few values, or values of a kind that is not known here.
 */
export function sampledEntries(of: EntrySource, listed?: ListedEntries): SampledEntries | null {
  const { column, facts, opclass, rows, bound } = of;
  const extractor = extractorOf(column, opclass, elementLength(column));
  const { stats } = column;
  if (extractor === null || stats === null) return null;
  const common = elementsOf(stats.most_common_vals);
  const bounds = elementsOf(stats.histogram_bounds);
  if (common.length + bounds.length < FEWEST_VALUES) return null;
  const present = Math.max(1, rows * (1 - facts.null_frac));
  const ofValues = 1 / Math.max(1e-9, 1 - stats.null_frac);
  const freqs = (stats.most_common_freqs ?? []).map((share) => share * ofValues);
  const rest = Math.max(0, 1 - freqs.reduce((sum, share) => sum + share, 0));
  const looked = [
    ...common.map((value, place) => ({ value, share: freqs[place] ?? 0, is_common: true })),
    ...bounds.map((value) => ({ value, share: rest / bounds.length, is_common: false })),
  ];
  const { seen, empty, per_value } = look(looked, extractor);
  const wider = stats.wider ?? 1;
  const classes: EntryClass[] = [];
  const kinds = new Map<string, RareKind>();
  for (const [entry, { share, values, is_common, kind, source, number = Number.NaN }] of seen) {
    if (listed?.names.has(entry)) continue;
    const ofKind = kinds.get(kind) ?? {
      met: new Array<number>(COMPARED).fill(0),
      share: 0,
      bytes: 0,
      entries: 0,
      source,
      lowest: number,
      highest: number,
    };
    ofKind.lowest = Math.min(ofKind.lowest, number);
    ofKind.highest = Math.max(ofKind.highest, number);
    kinds.set(kind, ofKind);
    if (!is_common && values <= COMPARED) ofKind.met[values - 1] = (ofKind.met[values - 1] ?? 0) + 1;
    const bytes = extractor.bytes(entry);
    if (is_common || (listed === undefined && values >= KNOWN_VALUES)) {
      const found = 1 - (1 - Math.min(1, share)) ** wider;
      classes.push({ keys: 1, rows: Math.max(1, found * present), bytes });
    } else {
      ofKind.bytes += bytes;
      ofKind.entries += 1;
      ofKind.share += share;
    }
  }
  const values = Math.max(bounds.length, Math.min(rest * present, facts.distinct - common.length));
  for (const [kind, { met, bytes, entries, source, lowest, highest, share }] of kinds) {
    if (entries === 0 || bounds.length === 0) continue;
    const beyond = listed?.beyond?.(kind, share, bound);
    if (beyond) {
      classes.push({ keys: beyond.keys, rows: (share * present) / beyond.keys, bytes: bytes / entries });
      continue;
    }
    const rare = rareClasses(
      {
        met,
        sampled: bounds.length,
        values,
        met_rarely: listed === undefined ? KNOWN_VALUES - 1 : COMPARED,
        source,
        // As far beyond the ends as the sampled ones lie apart.
        ...(highest >= lowest ? { most_keys: (highest - lowest + 1) * (1 + 2 / entries) } : {}),
        ...(listed ? { most: listed.unlisted_share * values } : {}),
      },
      bound,
    );
    const perValue = Math.max(1, (rest * present) / values);
    for (const each of rare) {
      const own = each.values <= 1;
      classes.push({
        keys: each.keys * (own ? wider : 1),
        rows: Math.min(present, each.values * perValue * (own ? 1 : wider)),
        bytes: bytes / entries,
      });
    }
  }
  return { classes, empty, per_value: per_value * wider };
}

function look(
  looked: readonly { value: string; share: number; is_common: boolean }[],
  { extract }: Extractor,
): { seen: Map<string, SeenEntry>; empty: number; per_value: number } {
  const seen = new Map<string, SeenEntry>();
  let [empty, per_value, all] = [0, 0, 0];
  for (const { value, share, is_common } of looked) {
    let entries: Map<string, Extracted>;
    try {
      entries = new Map([...extract(value)].map((each) => [each.entry, each]));
    } catch {
      continue;
    }
    all += share;
    per_value += share * entries.size;
    if (entries.size === 0) empty += share;
    for (const [entry, { kind, source, number }] of entries) {
      const known = seen.get(entry) ?? { share: 0, values: 0, is_common: false, kind, source, number };
      known.share += share;
      known.values += is_common ? 0 : 1;
      known.is_common ||= is_common;
      seen.set(entry, known);
    }
  }
  return { seen, empty: empty / Math.max(1e-9, all), per_value: per_value / Math.max(1e-9, all) };
}
