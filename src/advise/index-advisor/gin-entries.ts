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

/** Entries of a value; those of a kind (the scalars of one path of a document) are as many and as rare as each other. */
type Extract = (value: string) => Iterable<{ entry: string; kind: string }>;

/** generate_trgm(): words in lower case with two blanks before and one behind. */
function* trigrams(text: string): Iterable<{ entry: string; kind: string }> {
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const padded = `  ${word} `;
    for (let at = 0; at + 3 <= padded.length; at += 1) {
      yield { entry: padded.slice(at, at + 3), kind: '' };
    }
  }
}

/** Lexemes of a tsvector's text. */
function* lexemes(text: string): Iterable<{ entry: string; kind: string }> {
  for (const match of text.matchAll(/'((?:[^']|'')*)'/g)) yield { entry: match[1] ?? '', kind: '' };
}

/** jsonb_ops: each key and each scalar is an entry; jsonb_path_ops: each scalar with the keys that lead to it. */
function jsonEntries(paths: boolean): Extract {
  function* walk(value: unknown, path: string): Iterable<{ entry: string; kind: string }> {
    if (Array.isArray(value)) for (const item of value) yield* walk(item, path);
    else if (value !== null && typeof value === 'object') {
      for (const [key, item] of Object.entries(value)) {
        if (!paths) yield { entry: `k${key}`, kind: 'key' };
        yield* walk(item, `${path}\u0000${key}`);
      }
    } else yield { entry: paths ? `${path}\u0000${value}` : `v${value}`, kind: path };
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
  const seen = new Map<string, SeenEntry>();
  /** `met`: rows of ANALYZE's sample that the value stands for; of a common one more than enough to know it. */
  const add = (value: string, share: number, met: number) => {
    let entries: Map<string, string>;
    try {
      entries = new Map([...found.extract(value)].map(({ entry, kind }) => [entry, kind]));
    } catch {
      return;
    }
    for (const [entry, kind] of entries) {
      const known = seen.get(entry) ?? { share: 0, values: 0, kind };
      seen.set(entry, { share: known.share + share, values: known.values + met, kind });
    }
  };
  common.forEach((value, place) => {
    add(value, freqs[place] ?? 0, KNOWN_VALUES);
  });
  for (const value of bounds) add(value, rest / bounds.length, 1);
  const bytesOf = (entry: string) => found.bytes ?? Math.min(127, Buffer.byteLength(entry)) + 1;
  const classes: EntryClass[] = [];
  const rare = new Map<string, RareEntries>();
  for (const [entry, { share, values, kind }] of seen) {
    if (values >= KNOWN_VALUES)
      classes.push({ keys: 1, rows: Math.max(1, share * rows), bytes: bytesOf(entry) });
    else {
      const of = rare.get(kind) ?? { once: 0, twice: 0, share: 0, bytes: 0 };
      of[values === 1 ? 'once' : 'twice'] += 1;
      of.share += share;
      of.bytes += bytesOf(entry);
      rare.set(kind, of);
    }
  }
  return [...classes, ...[...rare.values()].map((each) => rareClass(each, rows))];
}

interface SeenEntry {
  /** Of the rows. */
  share: number;
  /** Of the sampled rows that the values stand for, those that have it, as far as it matters. */
  values: number;
  kind: string;
}

/** Entries of a kind that were met once or twice. */
interface RareEntries {
  once: number;
  twice: number;
  share: number;
  bytes: number;
}

/**
 * As many more of them as were not met: f1² / (2 f2) (Chao 1984), which is right where all are as rare. None met twice:
 * each row has its own.
 */
function rareClass({ once, twice, share, bytes }: RareEntries, rows: number): EntryClass {
  const met = once + twice;
  const unseen = twice === 0 ? Number.POSITIVE_INFINITY : (once * once) / (2 * twice);
  const keys = Math.max(1, Math.min(share * rows, met + unseen));
  return { keys, rows: Math.max(1, (share * rows) / keys), bytes: bytes / met };
}
