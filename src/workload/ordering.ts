/** ORDER BY: which relation's columns a result is wanted in the order of. */
import type { Node, SortBy } from '@pgsql/types';
import type { UsageOrder } from '../domain/index.ts';
import type { Analysis, Expression } from './analysis.ts';
import { readBranches, readExpression } from './expression.ts';
import { indexableRelation, operandOf } from './operand.ts';
import { DISTANCE } from './operators.ts';
import type { OutputColumn, Scope } from './scope.ts';
import { lastName, stringOf } from './tree.ts';

/**
 * A position in the target list or the name of an output stands for the output; all else for itself. Several where that
 * is a column of a UNION: PostgreSQL merges what its branches give in this order (MergeAppend).
 */
function orderedExpressions(
  analysis: Analysis,
  scope: Scope,
  node: Node,
  outputs: readonly OutputColumn[] | null,
): Expression[] {
  let output: OutputColumn | undefined;
  if (outputs !== null && 'A_Const' in node && node.A_Const.ival !== undefined) {
    output = outputs[(node.A_Const.ival.ival ?? 0) - 1];
  } else if (outputs !== null && 'ColumnRef' in node && node.ColumnRef.fields?.length === 1) {
    // In ORDER BY an output's name comes before an input column of that name.
    const name = stringOf(node.ColumnRef.fields[0]);
    output = outputs.find((each) => each.name === name);
  }
  if (output === undefined || output.meanings.length === 0) return readBranches(analysis, scope, node);
  return output.meanings.flatMap((meaning) => readBranches(analysis, meaning.scope, meaning.node));
}

function directionOf(sort: SortBy): 'asc' | 'desc' {
  const using = lastName(sort.useOp);
  return sort.sortby_dir === 'SORTBY_DESC' || using === '>' ? 'desc' : 'asc';
}

function nullsOf(sort: SortBy): 'first' | 'last' | null {
  if (sort.sortby_nulls === 'SORTBY_NULLS_FIRST') return 'first';
  return sort.sortby_nulls === 'SORTBY_NULLS_LAST' ? 'last' : null;
}

/** An item of ORDER BY and what it stands for. */
interface SortItem {
  sort: SortBy;
  node: Node;
  expressions: Expression[];
}

/**
 * Adds the leading items that are of one relation as an order, or a nearest-neighbour search as a `distance`
 * predicate; of a UNION's columns for each branch. Returns whether the level has such an order.
 * @param outputs The level's outputs; null where items cannot be names of outputs (windows, aggregates).
 */
export function readOrdering(
  analysis: Analysis,
  scope: Scope,
  items: readonly Node[],
  outputs: readonly OutputColumn[] | null,
): boolean {
  const sorts = items.flatMap((item): SortItem[] => {
    if (!('SortBy' in item) || item.SortBy.node === undefined) return [];
    const { node } = item.SortBy;
    return [{ sort: item.SortBy, node, expressions: orderedExpressions(analysis, scope, node, outputs) }];
  });
  const branches = Math.max(1, ...sorts.map(({ expressions }) => expressions.length));
  const found = Array.from({ length: branches }, (_, branch) =>
    readBranchOrder(analysis, scope, sorts, branch),
  );
  return found.includes(true);
}

function readBranchOrder(
  analysis: Analysis,
  scope: Scope,
  sorts: readonly SortItem[],
  branch: number,
): boolean {
  const orders: UsageOrder[] = [];
  for (const { sort, node: item, expressions } of sorts) {
    const expression = expressions[branch] ?? expressions[0];
    if (expression === undefined) break;
    const relation = indexableRelation(expression);
    const { node } = expression;
    if ('A_Expr' in node && DISTANCE.has(lastName(node.A_Expr.name)) && orders.length === 0) {
      return readDistance(analysis, scope, item, lastName(node.A_Expr.name));
    }
    // A constant orders nothing; a parameter stands for one.
    if (expression.columns.length === 0 && !expression.opaque && !expression.sublink) continue;
    if (relation === null || (orders[0] !== undefined && orders[0].relation !== relation)) break;
    const operand = operandOf(analysis, expression);
    if (operand.column === null && operand.expression === null) break;
    orders.push({ ...operand, relation, direction: directionOf(sort), nulls: nullsOf(sort) });
  }
  if (orders.length > 0) analysis.orders.push(orders);
  return orders.length > 0;
}

/** `ORDER BY embedding <-> $1`: the side that is a table's, as a predicate. */
function readDistance(analysis: Analysis, scope: Scope, node: Node, operator: string): boolean {
  if (!('A_Expr' in node)) return false;
  for (const side of [node.A_Expr.lexpr, node.A_Expr.rexpr]) {
    if (side === undefined) continue;
    const operand = readExpression(analysis, scope, side);
    const relation = indexableRelation(operand);
    if (relation === null) continue;
    analysis.predicates.push({
      ...operandOf(analysis, operand),
      relation,
      kind: 'distance',
      operator,
      joins: null,
      literal: null,
      disjunction: null,
    });
    return true;
  }
  return false;
}
