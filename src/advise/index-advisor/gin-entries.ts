/**
 * What a GIN index would hold of a column, seen in the values that its statistics show: entries that many values share
 * have a known share of the rows, and how many rare ones there are is told by how rarely one is met twice.
 */
import type { ColumnRow } from '../../domain/index.ts';
import { elementsOf } from './key-widths.ts';

/** Entries of one kind: `keys` of them, each found in `rows` rows. */
export interface EntryClass {
  keys: number;
  rows: number;
  /** Stored bytes of the entry's key. */
  bytes: number;
}

/** An entry that fewer of the values have is one of many that are as rare. */
const KNOWN_VALUES = 3;
/** Fewer values tell too little. */
const FEWEST_VALUES = 20;

type Extract = (value: string) => Iterable<string>;

/** generate_trgm(): words in lower case with two blanks before and one behind. */
function* trigrams(text: string): Iterable<string> {
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const padded = `  ${word} `;
    for (let at = 0; at + 3 <= padded.length; at += 1) yield padded.slice(at, at + 3);
  }
}

/** Lexemes of a tsvector's text. */
function* lexemes(text: string): Iterable<string> {
  for (const match of text.matchAll(/'((?:[^']|'')*)'/g)) yield match[1] ?? '';
}

/** jsonb_ops: each key and each scalar is an entry; jsonb_path_ops: each scalar with the keys that lead to it. */
function jsonEntries(paths: boolean): Extract {
  function* walk(value: unknown, path: string): Iterable<string> {
    if (Array.isArray(value)) for (const item of value) yield* walk(item, path);
    else if (value !== null && typeof value === 'object') {
      for (const [key, item] of Object.entries(value)) {
        if (!paths) yield `k${key}`;
        yield* walk(item, `${path}\u0000${key}`);
      }
    } else yield paths ? `${path}\u0000${value}` : `v${value}`;
  }
  return (text) => walk(JSON.parse(text), '');
}

function extractor(
  column: ColumnRow,
  opclass: string | null,
): { extract: Extract; bytes: number | null } | null {
  if (opclass === 'gin_trgm_ops') return { extract: trigrams, bytes: 4 };
  if (column.type === 'tsvector') return { extract: lexemes, bytes: null };
  if (column.type === 'jsonb') {
    const paths = opclass === 'jsonb_path_ops';
    return { extract: jsonEntries(paths), bytes: paths ? 4 : null };
  }
  return null;
}

/** @returns null where the column's statistics show too few values, or values of a kind that is not known here. */
export function sampledEntries(column: ColumnRow, opclass: string | null, rows: number): EntryClass[] | null {
  const found = extractor(column, opclass);
  if (found === null || column.stats === null) return null;
  const common = elementsOf(column.stats.most_common_vals);
  const freqs = column.stats.most_common_freqs ?? [];
  const bounds = elementsOf(column.stats.histogram_bounds);
  if (common.length + bounds.length < FEWEST_VALUES) return null;
  const rest = Math.max(0, 1 - column.stats.null_frac - freqs.reduce((sum, share) => sum + share, 0));
  const seen = new Map<string, { share: number; values: number }>();
  const add = (value: string, share: number) => {
    let entries: Set<string>;
    try {
      entries = new Set(found.extract(value));
    } catch {
      return;
    }
    for (const entry of entries) {
      const known = seen.get(entry) ?? { share: 0, values: 0 };
      seen.set(entry, { share: known.share + share, values: known.values + 1 });
    }
  };
  common.forEach((value, place) => {
    add(value, freqs[place] ?? 0);
  });
  for (const value of bounds) add(value, rest / bounds.length);
  const bytesOf = (entry: string) => found.bytes ?? Math.min(127, Buffer.byteLength(entry)) + 1;
  const classes: EntryClass[] = [];
  const rare = { keys: 0, met: 0, share: 0, bytes: 0 };
  for (const [entry, { share, values }] of seen) {
    if (values >= KNOWN_VALUES)
      classes.push({ keys: 1, rows: Math.max(1, share * rows), bytes: bytesOf(entry) });
    else {
      rare.keys += 1;
      rare.met += values;
      rare.share += share;
      rare.bytes += bytesOf(entry);
    }
  }
  if (rare.keys > 0) {
    const keys = Math.max(1, Math.min(rare.share * rows, domainSize(rare.keys, rare.met)));
    classes.push({ keys, rows: Math.max(1, (rare.share * rows) / keys), bytes: rare.bytes / rare.keys });
  }
  return classes;
}

/** Of how many entries `met` draws have shown `seen` different ones, each as likely. */
function domainSize(seen: number, met: number): number {
  const expected = (size: number) => -size * Math.expm1(met * Math.log1p(-1 / size));
  if (seen >= met) return Number.POSITIVE_INFINITY;
  let [low, high] = [Math.max(1.000001, seen), 1e12];
  for (let step = 0; step < 100; step += 1) {
    const middle = Math.sqrt(low * high);
    if (expected(middle) < seen) low = middle;
    else high = middle;
  }
  return low;
}
