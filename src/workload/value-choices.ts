/** SQL literals out of an operand's values: for comparisons, patterns, containment, distance. */
import { quoteLiteral } from '../domain/index.ts';
import { type ArrayElement, formatArrayText, parseArrayText } from './array-text.ts';
import type { OperatorHint } from './hint.ts';
import type { OperandValues } from './operand-values.ts';
import { endsNearNow, quantile } from './quantiles.ts';
import { equalityValues, knownValues, orderedValues, type WeightedValue } from './value-pool.ts';

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
  /** Rows per call, where this comparison alone decides them; null otherwise. */
  observedRows: number | null;
}

const NO_STATISTICS = 'no statistics: a plain value of the type';

/** Types whose untyped literals an operator takes for another type's. */
function castOf({ column, type }: OperandValues): string {
  if (type === null || type !== column.type) return '';
  return column.typtype === 'c' || type.startsWith('reg') ? `::${type}` : '';
}

function literalOf(values: OperandValues, text: string): string {
  return `${quoteLiteral(text)}${castOf(values)}`;
}

/**
 * Shares of the rows that a range selects: recent times are what is asked for where rows are appended, other ranges
 * are wider. An assumption, shown as such; the first is taken for the most frequent.
 */
function assumedShares(recent: boolean): number[] {
  return recent ? [0.01, 0.1, 0.5] : [0.1, 0.33, 0.66];
}
const RANGE_WEIGHTS = [0.5, 0.3, 0.2];

/** Value that bounds `share` of the rows, at the newest end or in the middle for a band. */
function boundAt(
  ordered: readonly string[],
  share: number,
  { bound, band }: ComparisonPlace,
  recent: boolean,
  values: OperandValues,
): string | null {
  const { family } = values;
  if (!band) return quantile(ordered, bound === 'low' ? 1 - share : share, family);
  const last = ordered.length - 1;
  const continuous = values.pool.bounds.length > 1;
  if (continuous && share < 1 / last) {
    const begin = recent ? 1 - share : (1 - share) / 2;
    const ends = [quantile(ordered, begin, family), quantile(ordered, begin + share, family)] as const;
    if (ends[0] !== ends[1]) return ends[bound === 'low' ? 0 : 1];
  }
  // Both bounds come from the same band, so that low < high.
  const width = Math.max(1, Math.round(share * last));
  let low = recent ? last - width : Math.floor((last - width) / 2);
  let high = low + width;
  while (ordered[high] === ordered[low] && high < last) high++;
  while (ordered[high] === ordered[low] && low > 0) low--;
  return ordered[bound === 'low' ? low : high] ?? null;
}

function rangeChoices(values: OperandValues, place: ComparisonPlace): Chosen | null {
  const numeric = values.family === 'integer' || values.family === 'number';
  const ordered = orderedValues(values.pool, numeric);
  if (new Set(ordered).size < 2) return null;
  const time = values.family === 'timestamp' || values.family === 'date';
  const recent = time && endsNearNow(ordered, place.takenAt);
  const observed =
    place.observedRows !== null && values.rows > 0
      ? Math.min(1, Math.max(1, place.observedRows) / values.rows)
      : null;
  const shares = observed === null ? assumedShares(recent) : [observed];
  const choices = shares.flatMap((share, index): Choice[] => {
    const value = boundAt(ordered, share, place, recent, values);
    const weight = observed === null ? (RANGE_WEIGHTS[index] ?? 0) : 1;
    return value === null ? [] : [{ sql: literalOf(values, value), weight, frequency: null }];
  });
  const percent = shares.map((share) => `${Number((share * 100).toPrecision(2))}%`).join(', ');
  const where = place.band ? 'a band of' : 'quantiles that select';
  const why = observed === null ? '' : ', the observed rows per call';
  return { choices, source: `${where} ${percent} of the rows (pg_stats)${why}` };
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

/** Elements of a list: of a unique column each finds one row, of others its share of them. */
function listLength(values: OperandValues, place: ComparisonPlace): number | null {
  const { pool, rows } = values;
  if (place.observedRows === null) return null;
  const distinct = pool.n_distinct > 0 ? pool.n_distinct : -pool.n_distinct * Math.max(rows, 1);
  const each = distinct > 0 && rows > 0 ? rows / distinct : 1;
  return Math.max(1, Math.round(place.observedRows / Math.max(1, each)));
}

/** Distinct values for a list: the common ones, and the others. */
function listChoices(hint: OperatorHint, values: OperandValues, place: ComparisonPlace): Chosen | null {
  const known = knownValues(values.pool);
  if (known.length === 0) return null;
  const observed = listLength(values, place);
  const length = Math.min(Math.max(observed ?? 3, observed === null ? 2 : 1), 100, known.length);
  const starts = values.pool.common.length > 0 && known.length > length ? [0, known.length - length] : [0];
  const at = (index: number) => known[index % known.length] ?? '';
  const source = `distinct common and other values (pg_stats)${observed === null ? '' : '; as many as the observed rows per call tell'}`;
  // Untyped elements would make ARRAY['1'] a text[].
  const typed = hint.quantified && values.plain;
  const element = (value: string) =>
    typed ? `${quoteLiteral(value)}::${values.column.type}` : literalOf(values, value);
  if (hint.place !== null && !place.squashed) {
    const { index } = hint.place;
    return { choices: even(starts.map((start) => element(at(start + index)))), source };
  }
  const lists = starts.map((start) => Array.from({ length }, (_, index) => at(start + index)));
  if (place.squashed) {
    return { choices: even(lists.map((list) => list.map(element).join(', '))), source };
  }
  return { choices: even(lists.map((list) => arrayLiteral(values, list))), source };
}

function arrayLiteral(values: OperandValues, elements: readonly string[]): string {
  const cast = castOf(values);
  return `${quoteLiteral(formatArrayText(elements))}${cast === '' ? '' : `${cast}[]`}`;
}

/** ltree's own pattern types: a label is a valid one of each. */
function labelChoices(hint: OperatorHint, values: OperandValues): Chosen {
  const label = knownValues(values.pool)[0]?.split('.')[0] || 'a';
  const text = hint.operator.endsWith('?') ? formatArrayText([label]) : label;
  return { choices: even([quoteLiteral(text)]), source: 'a label of the tree' };
}

/** Keys of hstore. */
function hstoreChoices(hint: OperatorHint, values: OperandValues): Chosen {
  const key = knownValues(values.pool)[0]?.split('"')[1] || 'key';
  const text = hint.operator === '?' || hint.operator === '->' ? key : formatArrayText([key]);
  return { choices: even([quoteLiteral(text)]), source: 'a key (pg_stats)' };
}

/** Rare values of times that grow with the clock are recent ones. */
function equals(values: OperandValues, takenAt: string): WeightedValue[] {
  const { pool } = values;
  const time = values.family === 'timestamp' || values.family === 'date';
  const recent = time && pool.bounds.length > 1 && endsNearNow(pool.bounds, takenAt);
  const bounds = recent ? pool.bounds.slice(-Math.max(2, Math.ceil(pool.bounds.length / 50))) : pool.bounds;
  return equalityValues({ ...pool, bounds }, values.rows);
}

/** Literals for `operand operator $n`, whatever the operator. */
export function comparisonChoices(hint: OperatorHint, values: OperandValues, place: ComparisonPlace): Chosen {
  const textual = values.family === 'text' || values.family === 'other';
  if (
    values.type?.split('.').at(-1) === 'ltree' &&
    ['~', '^~', '@', '^@', '?', '^?'].includes(hint.operator)
  ) {
    return labelChoices(hint, values);
  }
  if (values.type?.split('.').at(-1) === 'hstore' && ['?', '?|', '?&', '->'].includes(hint.operator)) {
    return hstoreChoices(hint, values);
  }
  if (values.type === 'path' && hint.operator === '@>') {
    return { choices: even(["'(0,0)'"]), source: 'a point' };
  }
  if (hint.pattern !== null || (textual && PATTERNS.has(hint.operator))) return patternChoices(hint, values);
  // pg_trgm: a similar word.
  if (textual && ['%', '<%', '%>', '<<%', '%>>'].includes(hint.operator)) return fragmentChoices(values);
  const inList = hint.place !== null || place.squashed || (hint.quantified && hint.side === 'right');
  if (inList) {
    const list = listChoices(hint, values, place);
    if (list !== null) return list;
    const scalar = hint.place !== null || place.squashed;
    const typed = hint.quantified && values.plain && scalar ? `::${values.column.type}` : '';
    const text = scalar ? literalOf(values, values.fallback) : arrayLiteral(values, [values.fallback]);
    return {
      choices: even([typed === '' ? text : `${quoteLiteral(values.fallback)}${typed}`]),
      source: NO_STATISTICS,
    };
  }
  if (place.bound !== null) {
    const range = rangeChoices(values, place);
    if (range !== null) return range;
  }
  const chosen = equals(values, place.takenAt);
  if (chosen.length === 0) {
    return { choices: even([literalOf(values, values.fallback)]), source: NO_STATISTICS };
  }
  return {
    choices: chosen.map(({ value, weight, frequency }) => ({
      sql: literalOf(values, value),
      weight,
      frequency,
    })),
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

const RANGE_BUILTIN: ReadonlySet<string> = new Set(
  'int4range int8range numrange daterange tsrange tstzrange int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange'.split(
    ' ',
  ),
);

function rangeLiteral(values: OperandValues, takenAt: string): string {
  const type = values.type ?? '';
  if (!RANGE_BUILTIN.has(type)) return values.fallback;
  const day = new Date(Date.parse(takenAt) - 86_400_000).toISOString();
  const range = type.startsWith('date')
    ? `[${day.slice(0, 10)},${takenAt.slice(0, 10)})`
    : type.startsWith('ts')
      ? `["${day}","${takenAt}")`
      : '[1,10)';
  return values.family === 'multirange' ? `{${range}}` : range;
}

const CONTAINMENT: ReadonlySet<string> = new Set('@> <@ && << >> &< &> -|-'.split(' '));

/** Literals for `@>`, `&&`, `@@`, `= ANY (column)`: elements, lexemes, ranges. Null: an ordinary comparison. */
export function containsChoices(
  hint: OperatorHint,
  values: OperandValues,
  takenAt: string,
  elementFallback: string | null = '1',
): Chosen | null {
  if (hint.operator === '@@' || hint.operator === '@@@') return textSearchChoices(values);
  // A list of whole values.
  if (hint.place !== null && !hint.place.array) return null;
  if (values.family === 'range' || values.family === 'multirange') {
    if (hint.quantified || !CONTAINMENT.has(hint.operator)) return null;
    const [first] = values.pool.common;
    if (first !== undefined)
      return { choices: even([quoteLiteral(first.value)]), source: 'most common value (pg_stats)' };
    return { choices: even([quoteLiteral(rangeLiteral(values, takenAt))]), source: NO_STATISTICS };
  }
  if (values.family !== 'array') return null;
  const inArray = hint.place !== null;
  const elementWanted = inArray || (hint.quantified && hint.side === 'left');
  if (!elementWanted && !['@>', '<@', '&&'].includes(hint.operator)) return null;
  const { type } = values.column;
  const delimiter = type.startsWith('box') ? ';' : ',';
  let elements = values.pool.elements.map((each) => each.value);
  if (elements.length === 0) {
    elements = values.pool.common.flatMap((each) =>
      each.value.startsWith('{') ? flatElements(each.value, delimiter) : [],
    );
  }
  // Untyped elements would make ARRAY['a'] a text[].
  const cast = inArray && values.plain ? `::${type.replaceAll('[]', '')}` : '';
  if (elements.length === 0 && elementFallback === null) {
    // A domain with checks: no value is sure to pass them.
    return { choices: even([elementWanted ? `NULL${cast}` : "'{}'"]), source: NO_STATISTICS };
  }
  const plain = elementFallback ?? '1';
  const picked = [...new Set([elements[0] ?? plain, elements.at(-1) ?? plain])];
  const literals = picked.map(
    (each) => `${quoteLiteral(elementWanted ? each : formatArrayText([each], delimiter))}${cast}`,
  );
  const source = elements.length > 0 ? 'most and least common elements (pg_stats)' : NO_STATISTICS;
  return { choices: even(literals), source };
}

/** Scalars of an array's text, sub-arrays opened. */
function flatElements(text: string, delimiter: string): string[] {
  const open = (elements: readonly ArrayElement[]): string[] =>
    elements.flatMap((each) => (each === null ? [] : Array.isArray(each) ? open(each) : [each]));
  return open(parseArrayText(text, delimiter));
}

/** Literals for nearest-neighbour searches. */
export function distanceChoices(values: OperandValues): Chosen {
  const [first] = knownValues(values.pool);
  if (first !== undefined) return { choices: even([quoteLiteral(first)]), source: 'a value (pg_stats)' };
  return { choices: even([quoteLiteral(values.fallback)]), source: NO_STATISTICS };
}
