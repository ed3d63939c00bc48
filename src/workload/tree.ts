/** Walking PostgreSQL's parse tree, and the few readings of nodes that everything here shares. */
import type { A_Const, Node, ParseResult } from '@pgsql/types';

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Nodes are `{ Kind: {…} }`: one key that begins with a capital letter. */
export function isNode(value: unknown): value is Node {
  if (!isObject(value) || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  const first = keys.length === 1 ? keys[0]?.charCodeAt(0) : undefined;
  return first !== undefined && first >= 65 && first <= 90;
}

/**
 * Calls `visit` for each node, parents first, in the order of the tree; a visitor that returns false keeps the walk
 * out of that node.
 */
export function walk(root: ParseResult | Node | Node[] | unknown, visit: (node: Node) => unknown): void {
  if (Array.isArray(root)) {
    for (const item of root) walk(item, visit);
    return;
  }
  if (!isObject(root)) return;
  if (isNode(root) && visit(root) === false) return;
  for (const value of Object.values(root)) walk(value, visit);
}

/** String of a `String` node; undefined for any other. */
export function stringOf(node: Node | undefined): string | undefined {
  return node !== undefined && 'String' in node ? (node.String.sval ?? '') : undefined;
}

/** Names of a list of `String` nodes, e.g. of an operator or a function, without the others. */
export function namesOf(nodes: Node[] | undefined): string[] {
  return (nodes ?? []).map(stringOf).filter((name) => name !== undefined);
}

/** Last part of a possibly qualified name. */
export function lastName(nodes: Node[] | undefined): string {
  return namesOf(nodes).at(-1) ?? '';
}

/** Value of a constant as text; null for SQL's NULL. */
export function constantText(constant: A_Const): string | null {
  if (constant.isnull === true) return null;
  if (constant.sval !== undefined) return constant.sval.sval ?? '';
  if (constant.ival !== undefined) return String(constant.ival.ival ?? 0);
  if (constant.fval !== undefined) return constant.fval.fval ?? '0';
  if (constant.boolval !== undefined) return constant.boolval.boolval === true ? 't' : 'f';
  if (constant.bsval !== undefined) return constant.bsval.bsval ?? '';
  return '';
}

/** A node below its casts and collations. */
export function withoutCasts(node: Node): Node {
  if ('TypeCast' in node && node.TypeCast.arg !== undefined) return withoutCasts(node.TypeCast.arg);
  if ('CollateClause' in node && node.CollateClause.arg !== undefined) {
    return withoutCasts(node.CollateClause.arg);
  }
  return node;
}

/** Tells whether a parameter stands anywhere in a tree, sublinks included. */
export function holdsParameter(node: unknown): boolean {
  let found = false;
  walk(node, (each) => {
    if ('ParamRef' in each) found = true;
    return !found;
  });
  return found;
}

/** Tells whether a column (not only `*`) stands anywhere in a tree. */
export function holdsColumn(tree: unknown): boolean {
  let found = false;
  walk(tree, (node) => {
    if ('ColumnRef' in node && stringOf(node.ColumnRef.fields?.at(-1)) !== undefined) found = true;
    return !found;
  });
  return found;
}
