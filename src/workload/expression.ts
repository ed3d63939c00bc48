/** Reading expressions: columns resolved and unqualified, parameters noted with what surrounds them. */
import type { A_Expr, FuncCall, Node, SubLink } from '@pgsql/types';
import { GIVES_ITS_ARGUMENT, isAggregateCall } from './aggregates.ts';
import { type Analysis, type ColumnUse, type Expression, noteRead, noteReadAgain } from './analysis.ts';
import { type Hint, type ListPlace, NO_HINT } from './hint.ts';
import { columnsOfSource, noteStar, resolveColumn, type Scope, starSources } from './scope.ts';
import { holdsColumn, holdsParameter, isNode, lastName, namesOf } from './tree.ts';

/** What is gathered while one expression is read. */
interface Gathering {
  columns: ColumnUse[];
  opaque: boolean;
  parameter: boolean;
  sublink: boolean;
  like: Expression | null;
}

/** Variables are numbered behind any `$n` (at most 65,535). */
const FIRST_VARIABLE = 100_000;

/** A parameter of which only that it is given is asked. */
const GIVEN: Hint = { kind: 'cast', type: 'text', array: false, unit: false, outer: NO_HINT };

/** Reads an expression once; a second reading of the same node gives the first one's result. */
export function readExpression(
  analysis: Analysis,
  scope: Scope,
  node: Node,
  hint: Hint = NO_HINT,
): Expression {
  const known = analysis.expressions.get(node);
  if (known !== undefined) {
    // Read again from another place: the columns count as referenced there as well.
    noteReadAgain(analysis, known.columns);
    return known;
  }
  const gathering: Gathering = { columns: [], opaque: false, parameter: false, sublink: false, like: null };
  const rewritten = new ExpressionReader(analysis, scope, gathering).node(node, hint);
  const expression = { node: rewritten, ...gathering };
  analysis.expressions.set(node, expression);
  return expression;
}

/**
 * What a column stands for: several expressions where it is one of a UNION, each branch of which a condition or an order
 * on it holds for. Anything else stands for itself.
 */
export function readBranches(analysis: Analysis, scope: Scope, node: Node): Expression[] {
  if ('ColumnRef' in node) {
    const meaning = resolveColumn(scope, namesOf(node.ColumnRef.fields));
    if (meaning.kind === 'derived' && meaning.column.transparent) {
      const { meanings } = meaning.column;
      if (meanings.length > 0)
        return meanings.flatMap((each) => readBranches(analysis, each.scope, each.node));
    }
  }
  return [readExpression(analysis, scope, node)];
}

/** Type name as written, last part, e.g. `interval`, `timestamptz`. */
function castType(node: Extract<Node, { TypeCast: unknown }>): {
  type: string;
  array: boolean;
  unit: boolean;
} {
  const { typeName } = node.TypeCast;
  const type = lastName(typeName?.names);
  const unit = type === 'interval' && (typeName?.typmods?.length ?? 0) > 0;
  return { type, array: (typeName?.arrayBounds?.length ?? 0) > 0, unit };
}

/** The column whose values an expression has; null: it has values of its own. */
function likeOf(expression: Expression): Expression | null {
  const { node, columns, like } = expression;
  if ('ColumnRef' in node) return columns.length === 1 ? expression : like;
  const [first] = 'FuncCall' in node ? (node.FuncCall.args ?? []) : [];
  if (first === undefined || !('ColumnRef' in first) || !('FuncCall' in node)) return null;
  if (!GIVES_ITS_ARGUMENT.has(lastName(node.FuncCall.funcname))) return null;
  // Arguments are read before what stands in OVER and FILTER.
  return { ...expression, node: first, columns: columns.slice(0, 1) };
}

/** What statistics tell values of: an expression with a column, or what a derived column is like; null: nothing. */
function valued(expression: Expression): Expression | null {
  if (expression.columns.length > 0) return expression;
  return 'ColumnRef' in expression.node ? expression.like : null;
}

class ExpressionReader {
  private readonly analysis: Analysis;
  private readonly scope: Scope;
  private readonly into: Gathering;

  constructor(analysis: Analysis, scope: Scope, into: Gathering) {
    this.analysis = analysis;
    this.scope = scope;
    this.into = into;
  }

  node(node: Node, hint: Hint): Node {
    if ('ColumnRef' in node) return this.column(node, hint);
    if ('ParamRef' in node) {
      this.into.parameter = true;
      const { number = 0, location = 0 } = node.ParamRef;
      this.analysis.parameters.push({ number, location, hint });
      return node;
    }
    if ('SubLink' in node) return this.sublink(node.SubLink, node);
    if ('A_Expr' in node) return { A_Expr: this.operator(node.A_Expr, hint) };
    if ('FuncCall' in node) return { FuncCall: this.call(node.FuncCall, hint) };
    if ('TypeCast' in node && node.TypeCast.arg !== undefined) {
      const inner: Hint = { kind: 'cast', ...castType(node), outer: hint };
      return { TypeCast: { ...node.TypeCast, arg: this.node(node.TypeCast.arg, inner) } };
    }
    // `$1 IS NULL`: an optional condition; what was given is not NULL.
    if ('NullTest' in node && node.NullTest.arg !== undefined && 'ParamRef' in node.NullTest.arg) {
      return { NullTest: { ...node.NullTest, arg: this.node(node.NullTest.arg, GIVEN) } };
    }
    if ('CoalesceExpr' in node) {
      return {
        CoalesceExpr: { ...node.CoalesceExpr, args: this.alternatives(node.CoalesceExpr.args, hint) },
      };
    }
    if ('MinMaxExpr' in node) {
      return { MinMaxExpr: { ...node.MinMaxExpr, args: this.alternatives(node.MinMaxExpr.args, hint) } };
    }
    if ('CaseExpr' in node) return this.caseExpression(node, hint);
    if ('A_ArrayExpr' in node) {
      const elements = this.list(node.A_ArrayExpr.elements ?? [], hint, true);
      return { A_ArrayExpr: { ...node.A_ArrayExpr, elements } };
    }
    if ('List' in node) return { List: { items: this.list(node.List.items ?? [], hint, false) } };
    return this.parts(node, hint) as Node;
  }

  /** All other nodes: every node below is read with the same surroundings. */
  private parts(value: unknown, hint: Hint): unknown {
    if (Array.isArray(value)) return value.map((item) => this.part(item, hint));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.part(item, hint)]));
  }

  private part(value: unknown, hint: Hint): unknown {
    return isNode(value) && !('String' in value) ? this.node(value, hint) : this.parts(value, hint);
  }

  /**
   * A name that is no column, in a statement of a function: a variable, which is a parameter to the planner. Within
   * views there are none.
   */
  private variable(names: readonly string[], location: number, hint: Hint): boolean {
    const { variables, views } = this.analysis;
    if (variables === null || views.length > 0 || names.length > 2) return false;
    const name = names.join('.');
    const known = variables.get(name) ?? {
      name,
      number: FIRST_VARIABLE + variables.size,
      locations: [],
      parts: names.length,
    };
    known.locations.push(location);
    variables.set(name, known);
    this.into.parameter = true;
    this.analysis.parameters.push({ number: known.number, location, hint });
    return true;
  }

  private isVariable(node: Node): boolean {
    if (this.analysis.variables === null || !('ColumnRef' in node)) return false;
    return resolveColumn(this.scope, namesOf(node.ColumnRef.fields)).kind === 'unknown';
  }

  private column(node: Extract<Node, { ColumnRef: unknown }>, hint: Hint): Node {
    const fields = node.ColumnRef.fields ?? [];
    const names = namesOf(fields);
    const last = fields.at(-1);
    if (last !== undefined && 'A_Star' in last) {
      this.into.opaque = true;
      for (const source of starSources(this.scope, names)) {
        noteStar(this.analysis, source, true);
        if (source.kind !== 'derived') continue;
        for (const column of columnsOfSource(source, this.scope)) this.meanings(column.meanings);
      }
      return node;
    }
    const meaning = resolveColumn(this.scope, names);
    switch (meaning.kind) {
      case 'column': {
        const use = { relation: meaning.relation, column: meaning.column };
        noteRead(this.analysis, use);
        this.into.columns.push(use);
        return { ColumnRef: { fields: [{ String: { sval: meaning.column } }] } };
      }
      case 'derived': {
        const [only, ...more] = meaning.column.meanings;
        if (only === undefined || more.length > 0 || !meaning.column.transparent) {
          this.into.opaque = true;
          const inner = this.meanings(meaning.column.meanings);
          this.into.like ??= inner.map(likeOf).find((like) => like !== null) ?? null;
          return node;
        }
        const inner = readExpression(this.analysis, only.scope, only.node);
        this.into.columns.push(...inner.columns);
        this.into.opaque ||= inner.opaque;
        this.into.parameter ||= inner.parameter;
        this.into.sublink ||= inner.sublink;
        return inner.node;
      }
      case 'row':
        this.into.opaque = true;
        noteStar(this.analysis, meaning.source, true);
        for (const column of columnsOfSource(meaning.source, this.scope)) this.meanings(column.meanings);
        return node;
      case 'unknown':
        this.analysis.unresolved.add(`column ${names.join('.')}`);
        if (this.variable(names, node.ColumnRef.location ?? 0, hint)) return node;
        this.into.opaque = true;
        return node;
      case 'opaque':
        this.into.opaque = true;
        return node;
    }
  }

  private meanings(meanings: readonly { node: Node; scope: Scope }[]): Expression[] {
    return meanings.map(({ node, scope }) => readExpression(this.analysis, scope, node));
  }

  private sublink(sublink: SubLink, node: Node): Node {
    this.into.sublink = true;
    if (sublink.testexpr !== undefined) this.inner(sublink.testexpr, NO_HINT);
    if (sublink.subselect === undefined) return node;
    const outside = this.analysis.referenced;
    const firstInner = this.analysis.relations.length;
    this.analysis.referenced = [];
    const exists = sublink.subLinkType === 'EXISTS_SUBLINK';
    const outputs = this.analysis.readers.readQuery(
      sublink.subselect,
      this.scope,
      exists ? 'exists' : 'value',
    );
    this.analysis.outputs.set(sublink.subselect, outputs);
    const correlated = this.analysis.referenced.filter((use) => use.relation < firstInner);
    this.analysis.referenced = outside;
    this.analysis.referenced.push(...correlated);
    this.into.columns.push(...correlated);
    return node;
  }

  /** Reads the sides in the order that lets a side with parameters see the columns of the other one. */
  private operator(expr: A_Expr, hint: Hint): A_Expr {
    const { lexpr, rexpr, kind } = expr;
    const operator = lastName(expr.name);
    const pattern =
      kind === 'AEXPR_LIKE'
        ? 'like'
        : kind === 'AEXPR_ILIKE'
          ? 'ilike'
          : kind === 'AEXPR_SIMILAR'
            ? 'similar'
            : null;
    const quantified = kind === 'AEXPR_OP_ANY' || kind === 'AEXPR_OP_ALL';
    const bounds = kind?.endsWith('BETWEEN') === true || kind?.endsWith('BETWEEN_SYM') === true;
    const around = (operand: Expression | null, side: 'left' | 'right'): Hint => ({
      kind: 'operator',
      operator,
      operand: operand === null ? null : valued(operand),
      other: (side === 'left' ? rexpr : lexpr) ?? null,
      side,
      quantified,
      pattern,
      place: null,
      outer: hint,
    });
    const rowwise = this.rowwise(lexpr, rexpr, around);
    if (rowwise !== null) return { ...expr, ...rowwise };
    const leftFirst =
      lexpr !== undefined && (!holdsParameter(lexpr) || holdsColumn(lexpr)) && !this.isVariable(lexpr);
    let left: Expression | null = null;
    let right: Expression | null = null;
    if (leftFirst && lexpr !== undefined) left = this.inner(lexpr, around(null, 'left'));
    if (rexpr !== undefined) {
      if (bounds && 'List' in rexpr) {
        const items = (rexpr.List.items ?? []).map((item, index) => {
          const bound = around(left, 'right');
          return this.inner(
            item,
            bound.kind === 'operator' ? { ...bound, operator: index === 0 ? '>=' : '<=' } : bound,
          ).node;
        });
        return { ...expr, ...(left ? { lexpr: left.node } : {}), rexpr: { List: { items } } };
      }
      right = this.inner(rexpr, around(left, 'right'));
    }
    if (!leftFirst && lexpr !== undefined) left = this.inner(lexpr, around(right, 'left'));
    return { ...expr, ...(left ? { lexpr: left.node } : {}), ...(right ? { rexpr: right.node } : {}) };
  }

  /** `(a, b) > ($1, $2)` and `(a, b) IN (($1, $2), …)`: each parameter meets the column at its own place. */
  private rowwise(
    lexpr: Node | undefined,
    rexpr: Node | undefined,
    around: (operand: Expression | null, side: 'left' | 'right') => Hint,
  ): { lexpr: Node; rexpr: Node } | null {
    if (lexpr === undefined || rexpr === undefined || !('RowExpr' in lexpr)) return null;
    const columns = (lexpr.RowExpr.args ?? []).map((arg) => this.inner(arg, NO_HINT));
    const row = (node: Node, place: ListPlace | null): Node => {
      if (!('RowExpr' in node)) return this.node(node, NO_HINT);
      const args = (node.RowExpr.args ?? []).map((arg, index) => {
        const hint = around(columns[index] ?? null, 'right');
        return this.inner(arg, hint.kind === 'operator' ? { ...hint, place } : hint).node;
      });
      return { RowExpr: { ...node.RowExpr, args } };
    };
    const left: Node = { RowExpr: { ...lexpr.RowExpr, args: columns.map((column) => column.node) } };
    if (!('List' in rexpr)) return { lexpr: left, rexpr: row(rexpr, null) };
    const items = rexpr.List.items ?? [];
    return {
      lexpr: left,
      rexpr: {
        List: { items: items.map((item, index) => row(item, { index, count: items.length, array: false })) },
      },
    };
  }

  /** Reads a part as an expression of its own and adds what it holds. */
  private inner(node: Node, hint: Hint): Expression {
    const expression = readExpression(this.analysis, this.scope, node, hint);
    this.into.columns.push(...expression.columns);
    this.into.opaque ||= expression.opaque;
    this.into.parameter ||= expression.parameter;
    this.into.sublink ||= expression.sublink;
    return expression;
  }

  private list(items: Node[], hint: Hint, array: boolean): Node[] {
    return items.map((item, index) =>
      this.node(
        item,
        hint.kind === 'operator' ? { ...hint, place: { index, count: items.length, array } } : hint,
      ),
    );
  }

  /** First of the nodes that holds a column and no parameter, read. */
  private firstOperand(nodes: readonly Node[]): Expression | null {
    const found = nodes.find((node) => !holdsParameter(node) && holdsColumn(node));
    if (found === undefined) return null;
    const expression = readExpression(this.analysis, this.scope, found);
    return valued(expression);
  }

  private alternatives(args: Node[] | undefined, outer: Hint): Node[] {
    const operand = this.firstOperand(args ?? []);
    return (args ?? []).map((arg) => this.inner(arg, { kind: 'alternative', operand, outer }).node);
  }

  private call(call: FuncCall, outer: Hint): FuncCall {
    if (isAggregateCall(call)) this.into.opaque = true;
    const args = call.args ?? [];
    const operand = this.firstOperand(args);
    const name = lastName(call.funcname);
    const read = args.map(
      (arg, argument) =>
        this.inner(arg, { kind: 'function', name, argument, count: args.length, operand, outer }).node,
    );
    const { args: _args, ...rest } = call;
    // FILTER, ORDER BY and OVER of an aggregate: read for their columns and parameters.
    const others = this.parts(rest, NO_HINT) as FuncCall;
    return args.length > 0 ? { ...others, args: read } : others;
  }

  private caseExpression(node: Extract<Node, { CaseExpr: unknown }>, outer: Hint): Node {
    const { arg, args = [], defresult } = node.CaseExpr;
    const tested = arg === undefined ? null : this.inner(arg, NO_HINT);
    const results = args.flatMap((when) =>
      'CaseWhen' in when && when.CaseWhen.result !== undefined ? [when.CaseWhen.result] : [],
    );
    const operand = this.firstOperand(defresult === undefined ? results : [...results, defresult]);
    const result: Hint = { kind: 'alternative', operand, outer };
    const test: Hint =
      tested === null
        ? NO_HINT
        : {
            kind: 'operator',
            operator: '=',
            operand: valued(tested),
            other: tested.node,
            side: 'right',
            quantified: false,
            pattern: null,
            place: null,
            outer,
          };
    const whens = args.map((when): Node => {
      if (!('CaseWhen' in when)) return when;
      const { expr, result: value } = when.CaseWhen;
      return {
        CaseWhen: {
          ...when.CaseWhen,
          ...(expr ? { expr: this.inner(expr, test).node } : {}),
          ...(value ? { result: this.inner(value, result).node } : {}),
        },
      };
    });
    return {
      CaseExpr: {
        ...node.CaseExpr,
        ...(tested ? { arg: tested.node } : {}),
        args: whens,
        ...(defresult ? { defresult: this.inner(defresult, result).node } : {}),
      },
    };
  }
}
