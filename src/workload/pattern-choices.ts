/** Patterns and pieces of values: LIKE, regular expressions, similarity. */
import { quoteLiteral } from '../domain/index.ts';
import { type Chosen, even, NO_STATISTICS } from './choice.ts';
import type { OperatorHint } from './hint.ts';
import type { OperandValues } from './operand-values.ts';
import { knownValues } from './value-pool.ts';

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

/** Literals for LIKE, ILIKE, SIMILAR TO, `~` and `^@`. */
export function patternChoices(hint: OperatorHint, values: OperandValues): Chosen {
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
    // A prefix or an infix: different indexes serve them, and the text does not tell which it was.
    return {
      choices: even([quoteLiteral(`${first}%`), quoteLiteral(`%${other}%`)]),
      source,
      guessed: true,
    };
  }
  if (hint.pattern === 'similar') return { choices: even([quoteLiteral(`%${other}%`)]), source };
  if (hint.operator === '^@') return { choices: even([quoteLiteral(first)]), source };
  return { choices: even([quoteLiteral(`^${first}`), quoteLiteral(other)]), source, guessed: true };
}
