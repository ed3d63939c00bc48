/** What conditions, orders and groups are about: columns and expressions that an index could hold. */
import type { Node } from '@pgsql/types';
import type { Operand } from '../domain/index.ts';
import { type Analysis, type Expression, relationsOf } from './analysis.ts';
import { deparseFaithfully } from './parser.ts';
import { lastName, walk } from './tree.ts';

/** varchar and text share their operators: such a cast changes nothing that an index cares for. */
const TEXT_TYPES: ReadonlySet<string> = new Set(['text', 'varchar']);

function isTextType(type: string | undefined): boolean {
  return type === 'text' || type?.startsWith('character varying') === true;
}

/** The expression without casts that are no operation (RelabelType in PostgreSQL's terms). */
function withoutRelabelling(analysis: Analysis, expression: Expression): Node {
  const { node } = expression;
  if (!('TypeCast' in node) || node.TypeCast.arg === undefined || !('ColumnRef' in node.TypeCast.arg))
    return node;
  const { typeName, arg } = node.TypeCast;
  const use = expression.columns[0];
  const type = use && analysis.relations[use.relation]?.table.columns.get(use.column)?.type;
  const plain = (typeName?.typmods?.length ?? 0) === 0 && (typeName?.arrayBounds?.length ?? 0) === 0;
  const target = lastName(typeName?.names);
  return plain && ((TEXT_TYPES.has(target) && isTextType(type)) || target === type) ? arg : node;
}

/**
 * What a condition or an order is about. An expression that holds a parameter (an erased constant, such as a JSON
 * key) has neither column nor expression: no index can be built on it.
 */
export function operandOf(analysis: Analysis, expression: Expression): Operand {
  const columns = [...new Set(expression.columns.map((use) => use.column))];
  const node = withoutRelabelling(analysis, expression);
  if ('ColumnRef' in node && columns.length === 1) {
    return { column: columns[0] ?? null, expression: null, columns };
  }
  return { column: null, expression: expression.parameter ? null : deparseFaithfully(node), columns };
}

/** The one relation of an expression that an index could hold; null for several, none or an opaque one. */
export function indexableRelation(expression: Expression): number | null {
  const relations = [...relationsOf(expression)];
  const [only] = relations;
  return relations.length === 1 && only !== undefined && !expression.opaque && !expression.sublink
    ? only
    : null;
}

/** A tree of constants, columns, operators and functions of columns: what a partial index's predicate may hold. */
export function isFixed(tree: Node): boolean {
  let fixed = true;
  walk(tree, (node) => {
    if ('ParamRef' in node || 'SubLink' in node || 'SQLValueFunction' in node) fixed = false;
    if ('FuncCall' in node && !JSON.stringify(node).includes('"ColumnRef"')) fixed = false;
    return fixed;
  });
  return fixed;
}
