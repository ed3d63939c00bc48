/** Elements, lexemes, ranges and points for containment, text search and nearest neighbours. */
import { quoteLiteral } from '../domain/index.ts';
import { type ArrayElement, formatArrayText, parseArrayText } from './array-text.ts';
import { type Chosen, even, NO_STATISTICS } from './choice.ts';
import type { OperatorHint } from './hint.ts';
import type { OperandValues } from './operand-values.ts';
import { knownValues } from './value-pool.ts';

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
