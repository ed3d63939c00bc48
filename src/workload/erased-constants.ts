/** Constants within expressions that the server's normalisation erased: `meta->>$1`, `to_tsvector($1, body)`. */
import type { Node } from '@pgsql/types';
import type { Analysis, Expression } from './analysis.ts';
import type { Hint } from './hint.ts';
import { shapeOf, tryParse } from './parser.ts';
import { constantText, isNode, lastName, walk, withoutCasts } from './tree.ts';
import type { CatalogTable } from './usage-catalog.ts';

/** A constant with where it was found. */
export interface ErasedConstant {
  value: string;
  source: string;
}

/** The tree with casts taken off and every constant and parameter made alike, and what stood there, in order. */
function skeleton(node: Node): { shape: string; holes: Node[] } {
  const holes: Node[] = [];
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    if (typeof value !== 'object' || value === null) return value;
    if (isNode(value)) {
      const bare = withoutCasts(value);
      if ('A_Const' in bare || 'ParamRef' in bare) {
        holes.push(bare);
        return 'constant';
      }
      return Object.fromEntries(Object.entries(bare).map(([key, item]) => [key, strip(item)]));
    }
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, strip(item)]));
  };
  return { shape: shapeOf(strip(node)), holes };
}

/** Expressions that a table's indexes have as keys or within their predicates. */
function indexExpressions(table: CatalogTable): { node: Node; index: string }[] {
  return table.indexes.flatMap((index) =>
    index.keys.flatMap((key, position) => {
      if (index.key_attnums[position] !== 0) return [];
      const parsed = tryParse(`SELECT ${key}`);
      const statement = 'tree' in parsed ? parsed.tree.stmts?.[0]?.stmt : undefined;
      const target =
        statement !== undefined && 'SelectStmt' in statement
          ? statement.SelectStmt.targetList?.[0]
          : undefined;
      if (target === undefined || !('ResTarget' in target) || target.ResTarget.val === undefined) return [];
      return [{ node: target.ResTarget.val, index: index.name }];
    }),
  );
}

/** Operands with a parameter in them that parameters of the statement are compared with. */
function erasedOperands(analysis: Analysis): Expression[] {
  const operands = new Set<Expression>();
  for (const use of analysis.parameters) {
    for (let hint: Hint | null = use.hint; hint !== null; hint = 'outer' in hint ? hint.outer : null) {
      if ('operand' in hint && hint.operand?.parameter === true) operands.add(hint.operand);
    }
  }
  return [...operands];
}

/**
 * The constants that an index's expression of the same form has: whoever made the index knew them. Keyed by the
 * parameters' numbers.
 */
export function constantsOfIndexes(analysis: Analysis): Map<number, ErasedConstant> {
  const found = new Map<number, ErasedConstant>();
  for (const operand of erasedOperands(analysis)) {
    const relation = operand.columns[0]?.relation;
    const table = relation === undefined ? undefined : analysis.relations[relation]?.table;
    if (table === undefined) continue;
    const ours = skeleton(operand.node);
    for (const { node, index } of indexExpressions(table)) {
      const theirs = skeleton(node);
      if (theirs.shape !== ours.shape || theirs.holes.length !== ours.holes.length) continue;
      ours.holes.forEach((hole, position) => {
        const constant = theirs.holes[position];
        if (!('ParamRef' in hole) || constant === undefined || !('A_Const' in constant)) return;
        const value = constantText(constant.A_Const);
        const number = hole.ParamRef.number ?? 0;
        if (value !== null && !found.has(number))
          found.set(number, { value, source: `expression of index ${index}` });
      });
    }
  }
  return found;
}

/** The text search configuration that a table's indexes use, else the database's default. */
export function textSearchConfig(analysis: Analysis, table: CatalogTable | undefined): ErasedConstant {
  for (const { node, index } of table === undefined ? [] : indexExpressions(table)) {
    let config: string | null = null;
    walk(node, (each) => {
      if (!('FuncCall' in each) || lastName(each.FuncCall.funcname) !== 'to_tsvector') return;
      const first = each.FuncCall.args?.[0];
      const bare = first === undefined ? undefined : withoutCasts(first);
      if (each.FuncCall.args?.length === 2 && bare !== undefined && 'A_Const' in bare) {
        config = constantText(bare.A_Const);
      }
    });
    if (config !== null) return { value: config, source: `expression of index ${index}` };
  }
  return { value: analysis.catalog.text_search_config ?? 'simple', source: 'default_text_search_config' };
}
