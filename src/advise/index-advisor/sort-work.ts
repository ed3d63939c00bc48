/**
 * Comparisons that the sort of a B-tree's entries takes, and how long one takes (tuplesort.c, nbtsort.c). All constants
 * are of `npm run bench -- build-times`: PostgreSQL 18 and 15, half a million to a million rows, 2 cores of a server of 2026,
 * least squares of the ratios of 63 builds.
 */
import type { ColumnRow, IndexDefinition } from '../../domain/index.ts';
import type { KeyFacts } from './key-facts.ts';
import { elementsOf } from './key-widths.ts';

/** How a key's values are compared. */
type Comparison = 'number' | 'abbreviated' | 'bytes' | 'locale' | 'full_locale';

/** Microseconds of a comparison of leading keys. */
const LEADING: Readonly<Record<Comparison, number>> = {
  // Passed by value (int, bigint, timestamptz): in the sort's own memory.
  number: 0.0095,
  // Abbreviated to eight bytes that tell most of them apart: uuid, numeric, text by bytes.
  abbreviated: 0.013,
  // Text by bytes whose first eight are the same.
  bytes: 0.037,
  // ICU, abbreviated.
  locale: 0.03,
  // ICU where the first eight characters are the same. libc's locales, which are never abbreviated
  // (varstr_abbrev_convert()), and types without abbreviation (arrays, ranges, jsonb) were not measured: taken for it.
  full_locale: 0.1,
};
/** Of one more key where those before are equal: it is read out of the tuple first (comparetup_index_btree_tiebreak()). */
const NEXT: Readonly<Record<Comparison, number>> = {
  number: 0.035,
  abbreviated: 0.06,
  bytes: 0.065,
  locale: 0.135,
  full_locale: 0.135,
};
/** Equal texts are compared once more in full before the next key is. */
const EQUAL_TEXT = 0.03;
/** Bytes of an abbreviated key (Datum). */
const ABBREVIATED_BYTES = 8;
/** Entries come in order: presorted input is passed once (ST_SORT of sort_template.h). ANALYZE says exactly 1 then. */
const IN_ORDER = 0.9999;

const BY_BYTES = /(^|\.)"?(C|POSIX|ucs_basic|pg_c_utf8|pg_unicode_fast)"?$/;
const ABBREVIATED = /^(uuid|numeric|bytea|inet|cidr|macaddr|character\b|name\b)/;

/** Some comparisons of one kind. */
export interface Comparisons {
  count: number;
  microseconds: number;
  of: string;
}

/** One key of the index. */
export interface SortedKey {
  key: IndexDefinition['keys'][number];
  facts: KeyFacts;
  /** The column, or the expression as if it were one; undefined: nothing is known of it. */
  column: ColumnRow | undefined;
}

/** The rows come in the order of the index. */
export const isInOrder = ([first]: readonly SortedKey[]): boolean =>
  (first?.facts.correlation ?? 0) > IN_ORDER && first?.key.direction !== 'desc';

/**
 * @param by_bytes the database's own collation sorts by bytes.
 * @param locale_provider of the database: 'i' is ICU.
 */
export function comparisonsOf(
  keys: readonly SortedKey[],
  entries: number,
  database: { by_bytes: boolean; locale_provider: string | null },
): Comparisons[] {
  const found: Comparisons[] = [];
  const steps = Math.log2(Math.max(2, entries));
  let equal = entries;
  for (const [place, key] of keys.entries()) {
    const how = comparisonOf(key, database);
    if (place === 0) {
      // Presorted input is compared once an entry.
      const count = entries * (isInOrder(keys) ? 1 : steps);
      found.push({ count, microseconds: LEADING[how], of: WORDS[how] });
    } else if (equal > 1) {
      // Of the steps of the sort the last ones are among rows that are equal in all keys before.
      const [lead] = keys;
      const isText = lead !== undefined && comparisonOf(lead, database) !== 'number';
      const microseconds = NEXT[how] + (isText ? EQUAL_TEXT : 0);
      found.push({ count: entries * Math.log2(equal), microseconds, of: `${WORDS[how]}, key ${place + 1}` });
    }
    equal /= Math.max(1, key.facts.distinct);
  }
  return found;
}

const WORDS: Readonly<Record<Comparison, string>> = {
  number: 'numbers',
  abbreviated: 'abbreviated values',
  bytes: 'texts that begin alike',
  locale: "texts by a locale's rules",
  full_locale: "long values or texts that begin alike, by a locale's rules",
};

function comparisonOf(
  { key, column, facts }: SortedKey,
  database: { by_bytes: boolean; locale_provider: string | null },
): Comparison {
  if (column === undefined) return facts.align > 1 ? 'number' : 'full_locale';
  const { typlen, type, typcategory } = column;
  if (typlen > 0 && typlen <= ABBREVIATED_BYTES) return 'number';
  if (typcategory !== 'S') return ABBREVIATED.test(type) ? 'abbreviated' : 'full_locale';
  const collation = key.collation ?? column.collation;
  const byBytes =
    (collation === null ? database.by_bytes : BY_BYTES.test(collation)) || isPatternClass(key.opclass);
  const beginsAlike = commonStart(column) >= ABBREVIATED_BYTES;
  if (byBytes) return beginsAlike ? 'bytes' : 'abbreviated';
  const isIcu = collation === null ? database.locale_provider === 'i' : /-x-icu"?$/.test(collation);
  return isIcu && !beginsAlike ? 'locale' : 'full_locale';
}

const isPatternClass = (opclass: string | null) => opclass?.endsWith('_pattern_ops') === true;

/** Characters that all of the sampled values begin with. */
function commonStart({ stats }: ColumnRow): number {
  const bounds = elementsOf(stats?.histogram_bounds);
  const [first] = bounds;
  const last = bounds.at(-1);
  if (bounds.length < 3 || first === undefined || last === undefined) return 0;
  let length = 0;
  while (length < first.length && first[length] === last[length]) length += 1;
  return length;
}
