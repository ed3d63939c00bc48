/** What the operator classes of GIN take out of a value, from the value's text in pg_stats. */
import type { ColumnRow } from '../../domain/index.ts';
import { elementsOf } from './key-widths.ts';
import type { RareSource } from './rare-entries.ts';

/** One entry; those of a kind are as rare as each other, or at least of one source. */
export interface Extracted {
  entry: string;
  kind: string;
  source: RareSource;
  /** A whole number: of a kind of them there are no more than lie between the least and the greatest. */
  number?: number | undefined;
}

/** Entries of a column's values. */
export interface Extractor {
  /** @throws SyntaxError a value that does not read back. */
  extract: (value: string) => Iterable<Extracted>;
  /** Stored bytes of an entry's key. */
  bytes: (entry: string) => number;
}

/** Longest text with a header of one byte. */
const SHORT = 126;
/** JGIN_MAXLENGTH: longer keys and scalars of jsonb_ops are hashed to eight digits. */
const JSON_LONGEST = 125;
const JSON_HASH_BYTES = 10;
/** Trigrams of ASCII and hashes of jsonb_path_ops are integers. */
const INTEGER_BYTES = 4;

const textBytes = (entry: string) => {
  const bytes = Buffer.byteLength(entry);
  return bytes + (bytes <= SHORT ? 1 : 4);
};
const jsonBytes = (entry: string) => {
  const bytes = Buffer.byteLength(entry);
  return bytes > JSON_LONGEST ? JSON_HASH_BYTES : bytes + 1;
};

const HAS_DIGIT = /\d/;
/** Longer ones are no exact numbers here. */
const WHOLE_NUMBER = /^-?\d{1,15}$/;
const numberOf = (text: string) => (WHOLE_NUMBER.test(text) ? Number(text) : undefined);

/** Nobody writes longer words. */
const LONGEST_WORD = 20;

/**
 * Words, numbers, and what has letters and digits: hashes, identifiers and natural words in one text are as many and as
 * rare as others of their like, not as each other. Of codes the length tells more kinds apart; of words it does not, for
 * the rarer are the longer.
 */
export function likeness(entry: string): string {
  if (!HAS_DIGIT.test(entry)) return entry.length > LONGEST_WORD ? 'letters' : 'word';
  const length = entry.length < 5 ? 's' : entry.length < 9 ? 'm' : entry.length < 16 ? 'l' : 'x';
  return `${/^[\d.+-]+$/.test(entry) ? 'digits' : 'mixed'} ${length}`;
}

const alike = (entry: string): Extracted => ({
  entry,
  kind: likeness(entry),
  source: HAS_DIGIT.test(entry) ? 'code' : 'word',
  number: numberOf(entry),
});

/** generate_trgm(): words in lower case with two blanks before and one behind. */
function* trigrams(text: string): Iterable<Extracted> {
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const padded = `  ${word} `;
    for (let at = 0; at + 3 <= padded.length; at += 1) {
      yield { entry: padded.slice(at, at + 3), kind: '', source: 'bounded' };
    }
  }
}

/** Lexemes of a tsvector's text. */
function* lexemes(text: string): Iterable<Extracted> {
  for (const match of text.matchAll(/'((?:[^']|'')*)'/g)) yield alike((match[1] ?? '').replaceAll("''", "'"));
}

function* elements(text: string): Iterable<Extracted> {
  for (const element of elementsOf(text)) yield alike(element);
}

/** jsonb_ops: each key and each scalar is an entry; jsonb_path_ops: each scalar with the keys that lead to it. */
function jsonEntries(paths: boolean): Extractor['extract'] {
  function* walk(value: unknown, path: string): Iterable<Extracted> {
    if (Array.isArray(value)) for (const item of value) yield* walk(item, path);
    else if (value !== null && typeof value === 'object') {
      for (const [key, item] of Object.entries(value)) {
        if (!paths) yield { entry: `k${key}`, kind: 'key', source: 'word' };
        yield* walk(item, `${path}\u0000${key}`);
      }
    } else {
      const entry = paths ? `${path}\u0000${value}` : `v${value}`;
      yield { entry, kind: path, source: 'code', number: numberOf(String(value)) };
    }
  }
  return (text) => walk(JSON.parse(text), '');
}

/**
 * @param elementBytes of an array's elements, where they are all as long.
 * @returns null: a type whose entries are not known here.
 */
export function extractorOf(
  { type }: Pick<ColumnRow, 'type'>,
  opclass: string | null,
  elementBytes: number | null,
): Extractor | null {
  if (opclass === 'gin_trgm_ops' || opclass === 'gist_trgm_ops')
    return { extract: trigrams, bytes: () => INTEGER_BYTES };
  if (type === 'tsvector') return { extract: lexemes, bytes: textBytes };
  if (type === 'jsonb') {
    const paths = opclass === 'jsonb_path_ops';
    return { extract: jsonEntries(paths), bytes: paths ? () => INTEGER_BYTES : jsonBytes };
  }
  if (type.endsWith('[]'))
    return { extract: elements, bytes: elementBytes === null ? textBytes : () => elementBytes };
  return null;
}
