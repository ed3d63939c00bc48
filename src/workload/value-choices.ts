/** SQL literals out of an operand's values for comparisons and lists. */
import { quoteLiteral } from '../domain/index.ts';
import { formatArrayText } from './array-text.ts';
import { type Choice, type Chosen, even, NO_STATISTICS } from './choice.ts';
import type { OperatorHint } from './hint.ts';
import type { OperandValues } from './operand-values.ts';
import { fragmentChoices, patternChoices } from './pattern-choices.ts';
import { endsNearNow, quantile } from './quantiles.ts';
import { equalityValues, knownValues, orderedValues, type WeightedValue } from './value-pool.ts';

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
