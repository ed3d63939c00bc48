/** What is called for each row when an expression is evaluated. */
import type { Node } from '@pgsql/types';
import { parseTree } from './parser.ts';
import { lastName, walk, withoutCasts } from './tree.ts';

/** Calls of one expression, each once for each place where it stands. */
interface ExpressionCalls {
  /** Conditions that compare: `=`, `<`, IN, BETWEEN, LIKE, IS NULL. */
  comparisons: number;
  /** Functions, casts and all other operators. */
  others: number;
  /** Names of the functions, without their schemas. */
  functions: ReadonlySet<string>;
}

const COMPARING: ReadonlySet<string> = new Set(['=', '<>', '<', '>', '<=', '>=']);
const OTHERS: ReadonlySet<string> = new Set([
  'CoalesceExpr',
  'FuncCall',
  'MinMaxExpr',
  'SQLValueFunction',
  'TypeCast',
]);

/**
 * Casts of constants are none: they are made once. Conditions that are tied by AND or OR are counted as if all were
 * evaluated, an IN list is one.
 * @throws PgLuthierError `sql_syntax`.
 */
export function expressionCalls(expression: string): ExpressionCalls {
  const functions = new Set<string>();
  let [comparisons, others] = [0, 0];
  walk(parseTree(`SELECT (${expression})`), (node) => {
    const [kind = ''] = Object.keys(node);
    if (compares(node)) comparisons += 1;
    else if ('A_Expr' in node) others += 1;
    else if (OTHERS.has(kind) && !('A_Const' in withoutCasts(node))) others += 1;
    if ('FuncCall' in node) functions.add(lastName(node.FuncCall.funcname));
  });
  return { comparisons, others, functions };
}

function compares(node: Node): boolean {
  if ('NullTest' in node || 'BooleanTest' in node) return true;
  if (!('A_Expr' in node)) return false;
  const { kind, name } = node.A_Expr;
  return kind !== 'AEXPR_OP' || COMPARING.has(lastName(name));
}
