/** What an operator lets an index do. */
import type { Node } from '@pgsql/types';
import type { PredicateKind } from '../domain/index.ts';
import { constantText, lastName, withoutCasts } from './tree.ts';

export const RANGE: ReadonlySet<string> = new Set(['<', '<=', '>', '>=', '~<~', '~<=~', '~>~', '~>=~']);
/** jsonb, array, range, inet and geometric operators of GIN's and GiST's built-in operator classes. */
const CONTAINS: ReadonlySet<string> = new Set(
  '@> <@ ? ?| ?& @? && -|- << >> &< &> <<| |>> &<| |&> <<= >>= ~='.split(' '),
);
/** pg_trgm's similarity and word similarity. */
const SIMILARITY: ReadonlySet<string> = new Set(['%', '<%', '%>', '<<%', '%>>']);
/** Nearest-neighbour operators: core, pg_trgm, cube and pgvector. */
export const DISTANCE: ReadonlySet<string> = new Set(
  '<-> <#> <=> <+> <~> <%> <<-> <->> <<<-> <->>>'.split(' '),
);

const COMMUTATORS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    '=': '=',
    '<>': '<>',
    '<': '>',
    '>': '<',
    '<=': '>=',
    '>=': '<=',
    '@>': '<@',
    '<@': '@>',
    '&&': '&&',
    '-|-': '-|-',
    '<<': '>>',
    '>>': '<<',
    '<<=': '>>=',
    '>>=': '<<=',
    '@@': '@@',
    '%': '%',
    '<%': '%>',
    '%>': '<%',
    '<->': '<->',
    '<#>': '<#>',
    '<=>': '<=>',
    '~=': '~=',
  }),
);

/** The operator with its sides exchanged; null where there is none. */
export function commutator(operator: string): string | null {
  return COMMUTATORS.get(operator) ?? null;
}

/** Text of a string constant below casts; null for anything else. */
function patternText(node: Node | undefined): string | null {
  if (node === undefined) return null;
  const bare = withoutCasts(node);
  if ('A_Const' in bare && bare.A_Const.sval !== undefined) return constantText(bare.A_Const);
  // LIKE x ESCAPE y and SIMILAR TO x arrive as calls of like_escape and similar_to_escape.
  if ('FuncCall' in bare && lastName(bare.FuncCall.funcname) === 'like_escape') {
    return patternText(bare.FuncCall.args?.[0]);
  }
  return null;
}

/**
 * LIKE: a fixed beginning can be searched in a B-tree. A pattern that is not in the text (a parameter) may begin with
 * a wildcard: only a trigram index is sure to serve it, hence `like_infix`.
 */
export function likeKind(pattern: Node | undefined): PredicateKind {
  const text = patternText(pattern);
  return text !== null && text !== '' && !text.startsWith('%') && !text.startsWith('_')
    ? 'like_prefix'
    : 'like_infix';
}

/** `~`: as `likeKind`, for a pattern anchored at an ordinary character and without alternatives. */
function regexKind(pattern: Node | undefined): PredicateKind {
  const text = patternText(pattern);
  if (text === null || !text.startsWith('^') || text.includes('|')) return 'like_infix';
  const first = text.charAt(1);
  return first !== '' && !'.[(\\^$*+?{'.includes(first) ? 'like_prefix' : 'like_infix';
}

/**
 * Kind of `operand operator other`, the operand being on the left.
 * @param operandType format_type of a plain column; null for an expression.
 */
export function operatorKind(
  operator: string,
  other: Node | undefined,
  operandType: string | null,
): PredicateKind {
  if (operator === '=') return 'equality';
  if (RANGE.has(operator)) return 'range';
  if (operator === '@@') return operandType === 'jsonb' ? 'contains' : 'full_text';
  if (CONTAINS.has(operator)) return 'contains';
  if (DISTANCE.has(operator)) return 'distance';
  if (SIMILARITY.has(operator)) return 'like_infix';
  switch (operator) {
    case '~~':
      return likeKind(other);
    case '~':
      return regexKind(other);
    case '~~*':
    case '~*':
      return 'like_infix';
    case '^@':
      return 'like_prefix';
    default:
      return 'other';
  }
}
