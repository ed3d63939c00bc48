/** What is called for each row when an expression is evaluated. */
import { parseTree } from './parser.ts';
import { lastName, walk, withoutCasts } from './tree.ts';

/** Calls of one expression: operators, casts and functions, each once for each place where it stands. */
export interface ExpressionCalls {
  count: number;
  /** Names of the functions, without their schemas. */
  functions: ReadonlySet<string>;
}

const CALLS: ReadonlySet<string> = new Set([
  'A_Expr',
  'CoalesceExpr',
  'FuncCall',
  'MinMaxExpr',
  'NullTest',
  'SQLValueFunction',
  'TypeCast',
]);

/**
 * Casts of constants are none: they are made once. Conditions that are tied by AND or OR are counted as if all were evaluated, an IN list is one call.
 * @throws PgLuthierError `sql_syntax`.
 */
export function expressionCalls(expression: string): ExpressionCalls {
  const functions = new Set<string>();
  let count = 0;
  walk(parseTree(`SELECT (${expression})`), (node) => {
    const [kind = ''] = Object.keys(node);
    if (CALLS.has(kind) && !('A_Const' in withoutCasts(node))) count += 1;
    if ('FuncCall' in node) functions.add(lastName(node.FuncCall.funcname));
  });
  return { count, functions };
}
