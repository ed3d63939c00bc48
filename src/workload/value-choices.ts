/** SQL literals out of an operand's values: for comparisons, patterns, containment, distance. */
import { quoteLiteral } from '../domain/index.ts';
import { arrayValues, formatArrayText } from './array-text.ts';
import type { OperatorHint } from './hint.ts';
import type { OperandValues } from './operand-values.ts';
import { plainValue, plainValueOfType } from './type-family.ts';
import { equalityValues, knownValues, orderedValues, quantile } from './value-pool.ts';

/** One possible text for a parameter. */
export interface Choice {
  sql: string;
  /** Share among the parameter's choices. */
  weight: number;
  /** Share of the table's rows that an equality with it selects; null: not known. */
  frequency: number | null;
}

type Chosen = { choices: Choice[]; source: string };

/** Literals of equal weight. */
export function even(literals: readonly string[]): Choice[] {
  return literals.map((sql) => ({ sql, weight: 1 / literals.length, frequency: null }));
}

/** How a comparison stands to its surroundings. */
export interface ComparisonPlace {
  takenAt: string;
  bound: 'low' | 'high' | null;
  /** The operand is bounded from both sides by parameters. */
  band: boolean;
  squashed: boolean;
  rowsPerCall: number | null;
  enumLabels: readonly string[];
}

const NO_STATISTICS = 'no statistics: a plain value of the type';

function fallback(values: OperandValues, place: ComparisonPlace): string {
  const own = values.plain ? plainValueOfType(values.column.type, place.takenAt) : null;
  const plain = place.enumLabels[0] ?? plainValue(values.family, place.takenAt) ?? own;
  // '1' is taken by most types; NULL would make the condition, and so the whole plan, empty.
  return plain ?? '1';
}

/**
 * Shares of the rows that a one-sided range selects: recent times are what is asked for, other ranges are wider. An
 * assumption, shown as such; the first is taken for the most frequent.
 */
function selectivities(values: OperandValues): number[] {
  return values.family === 'timestamp' || values.family === 'date' ? [0.01, 0.1, 0.5] : [0.1, 0.33, 0.66];
}
const RANGE_WEIGHTS = [0.5, 0.3, 0.2];

function rangeChoices(values: OperandValues, place: ComparisonPlace): Chosen | null {
  const numeric = values.family === 'integer' || values.family === 'number';
  const ordered = orderedValues(values.pool, numeric);
  if (new Set(ordered).size < 2) return null;
  const recent = values.family === 'timestamp' || values.family === 'date';
  const shares = selectivities(values);
  const last = ordered.length - 1;
  const chosen = shares.map((share) => {
    if (!place.band) return quantile(ordered, place.bound === 'low' ? 1 - share : share);
    // Both bounds come from the same band, so that low < high: at the newest end for times, else in the middle.
    const width = Math.max(1, Math.round(share * last));
    let low = recent ? last - width : Math.floor((last - width) / 2);
    let high = low + width;
    while (ordered[high] === ordered[low] && high < last) high++;
    while (ordered[high] === ordered[low] && low > 0) low--;
    return ordered[place.bound === 'low' ? low : high] ?? null;
  });
  const choices = chosen.flatMap((value, index) =>
    value === null ? [] : [{ sql: quoteLiteral(value), weight: RANGE_WEIGHTS[index] ?? 0, frequency: null }],
  );
  const percent = shares.map((share) => `${Math.round(share * 100)}%`).join(', ');
  const where = place.band ? 'a band of' : 'quantiles that select';
  return { choices, source: `${where} ${percent} of the rows (pg_stats)` };
}

/** Letters and digits at the beginning of a value: what a pattern can hold without escapes. */
function fragment(value: string, length: number): string {
  const word = value.split(/[^\p{L}\p{N}]+/u).find((each) => each !== '') ?? '';
  return [...word].slice(0, length).join('');
}

/** Pieces of values without anything that a pattern would read as its own. */
export function fragmentChoices(values: OperandValues): Chosen {
  const known = knownValues(values.pool).filter((value) => fragment(value, 3).length >= 2);
  const pieces = new Set([
    fragment(known[0] ?? 'abc', 4),
    fragment(known[Math.floor(known.length / 2)] ?? 'abc', 5),
  ]);
  const source = known.length === 0 ? NO_STATISTICS : 'pieces of common and other values (pg_stats)';
  return { choices: even([...pieces].map(quoteLiteral)), source };
}

function patternChoices(hint: OperatorHint, values: OperandValues): Chosen {
  const known = knownValues(values.pool).filter((value) => fragment(value, 3).length >= 2);
  const source =
    known.length === 0 ? NO_STATISTICS : 'pieces of common and other values (pg_stats); prefix and infix';
  const first = fragment(known[0] ?? 'abc', 4);
  const other = fragment(known[Math.floor(known.length / 2)] ?? 'abc', 5);
  if (
    hint.pattern === 'like' ||
    hint.pattern === 'ilike' ||
    hint.operator === '~~' ||
    hint.operator === '~~*'
  ) {
    return { choices: even([quoteLiteral(`${first}%`), quoteLiteral(`%${other}%`)]), source };
  }
  if (hint.pattern === 'similar') return { choices: even([quoteLiteral(`%${other}%`)]), source };
  if (hint.operator === '^@') return { choices: even([quoteLiteral(first)]), source };
  return { choices: even([quoteLiteral(`^${first}`), quoteLiteral(other)]), source };
}

const PATTERNS: ReadonlySet<string> = new Set(['~~', '!~~', '~~*', '!~~*', '~', '!~', '~*', '!~*', '^@']);

/** Distinct values for a list: the common ones, and the others. */
function listChoices(hint: OperatorHint, values: OperandValues, place: ComparisonPlace): Chosen | null {
  const known = knownValues(values.pool);
  if (known.length === 0) return null;
  const unique = values.pool.n_distinct === -1;
  // Of a unique column's list every element finds one row: the rows per call are the list's length.
  const observed = unique && place.rowsPerCall !== null ? Math.round(place.rowsPerCall) : 3;
  const length = Math.min(Math.max(observed, 2), 100, known.length);
  const starts = values.pool.common.length > 0 && known.length > length ? [0, known.length - length] : [0];
  const at = (index: number) => known[index % known.length] ?? '';
  const source = 'distinct common and other values (pg_stats)';
  // Untyped elements would make ARRAY['1'] a text[].
  const type = hint.quantified && values.plain ? `::${values.column.type}` : '';
  const element = (value: string) => `${quoteLiteral(value)}${type}`;
  if (hint.place !== null && !place.squashed) {
    const { index } = hint.place;
    return { choices: even(starts.map((start) => element(at(start + index)))), source };
  }
  const lists = starts.map((start) => Array.from({ length }, (_, index) => at(start + index)));
  if (place.squashed) {
    return { choices: even(lists.map((list) => list.map(element).join(', '))), source };
  }
  return { choices: even(lists.map((list) => quoteLiteral(formatArrayText(list)))), source };
}

/** Literals for `operand operator $n`, whatever the operator. */
export function comparisonChoices(hint: OperatorHint, values: OperandValues, place: ComparisonPlace): Chosen {
  if (hint.pattern !== null || PATTERNS.has(hint.operator)) return patternChoices(hint, values);
  const inList = hint.place !== null || place.squashed || (hint.quantified && hint.side === 'right');
  if (inList) {
    const list = listChoices(hint, values, place);
    if (list !== null) return list;
    const plain = fallback(values, place);
    const scalar = hint.place !== null || place.squashed;
    return {
      choices: even([quoteLiteral(scalar ? plain : formatArrayText([plain]))]),
      source: NO_STATISTICS,
    };
  }
  if (place.bound !== null) {
    const range = rangeChoices(values, place);
    if (range !== null) return range;
  }
  const chosen = equalityValues(values.pool, values.rows);
  if (chosen.length === 0) {
    return { choices: even([quoteLiteral(fallback(values, place))]), source: NO_STATISTICS };
  }
  return {
    choices: chosen.map(({ value, weight, frequency }) => ({ sql: quoteLiteral(value), weight, frequency })),
    source: 'common, middling and rare values (pg_stats)',
  };
}

/** Words of texts, the most frequent first. */
function words(values: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const value of values) {
    for (const word of value.split(/[^\p{L}\p{N}]+/u)) {
      if ([...word].length > 2) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([word]) => word);
}

function textSearchChoices(values: OperandValues): Chosen {
  const lexemes = values.pool.elements.map((each) => each.value).filter((each) => words([each])[0] === each);
  const found = lexemes.length > 0 ? lexemes : words(knownValues(values.pool));
  const source =
    lexemes.length > 0
      ? 'most and least common lexemes (pg_stats)'
      : found.length > 0
        ? 'words of values (pg_stats)'
        : NO_STATISTICS;
  const ends = [...new Set([found[0] ?? 'word', found.at(-1) ?? 'word'])];
  return { choices: even(ends.map(quoteLiteral)), source };
}

function rangeLiteral(type: string, takenAt: string): string {
  const day = new Date(Date.parse(takenAt) - 86_400_000).toISOString();
  if (type.includes('date')) return `[${day.slice(0, 10)},${takenAt.slice(0, 10)})`;
  return type.includes('ts') ? `["${day}","${takenAt}")` : '[1,10)';
}

/** Literals for `@>`, `&&`, `@@`, `= ANY (column)`: elements, lexemes, ranges. Null: an ordinary comparison. */
export function containsChoices(hint: OperatorHint, values: OperandValues, takenAt: string): Chosen | null {
  if (hint.operator === '@@') return textSearchChoices(values);
  if (values.family === 'range') {
    const [first] = values.pool.common;
    if (first !== undefined)
      return { choices: even([quoteLiteral(first.value)]), source: 'most common value (pg_stats)' };
    return {
      choices: even([quoteLiteral(rangeLiteral(values.column.type, takenAt))]),
      source: NO_STATISTICS,
    };
  }
  if (values.family !== 'array') return null;
  const inArray = hint.place !== null;
  const elementWanted = inArray || (hint.quantified && hint.side === 'left');
  if (!elementWanted && !['@>', '<@', '&&'].includes(hint.operator)) return null;
  let elements = values.pool.elements.map((each) => each.value);
  if (elements.length === 0) {
    elements = values.pool.common.flatMap((each) =>
      each.value.startsWith('{') ? arrayValues(each.value) : [],
    );
  }
  const picked = [...new Set([elements[0] ?? '1', elements.at(-1) ?? '1'])];
  // Untyped elements would make ARRAY['a'] a text[].
  const type = inArray && values.plain ? `::${values.column.type.replace('[]', '')}` : '';
  const literals = picked.map(
    (each) => `${quoteLiteral(elementWanted ? each : formatArrayText([each]))}${type}`,
  );
  const source = elements.length > 0 ? 'most and least common elements (pg_stats)' : NO_STATISTICS;
  return { choices: even(literals), source };
}

/** Literals for nearest-neighbour searches. */
export function distanceChoices(values: OperandValues): Chosen {
  const [first] = knownValues(values.pool);
  if (first !== undefined) return { choices: even([quoteLiteral(first)]), source: 'a value (pg_stats)' };
  if (values.family === 'vector') {
    const open = values.column.type.indexOf('(');
    const dimensions = open < 0 ? 1 : Number.parseInt(values.column.type.slice(open + 1), 10);
    const zeros = Array.from({ length: dimensions }, (_, index) => (index === 0 ? 1 : 0));
    return { choices: even([quoteLiteral(`[${zeros.join(',')}]`)]), source: NO_STATISTICS };
  }
  const geometric = values.family === 'other';
  return { choices: even([geometric ? "'(0,0)'" : quoteLiteral('x')]), source: NO_STATISTICS };
}
