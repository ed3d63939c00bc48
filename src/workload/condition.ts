/** Conditions (WHERE, ON, USING) as predicates on single relations. */
import type { A_Expr, Node } from '@pgsql/types';
import type { PredicateKind, UsagePredicate } from '../domain/index.ts';
import { type Analysis, type Expression, relationsOf } from './analysis.ts';
import { readBranches, readExpression } from './expression.ts';
import { type Hint, NO_HINT } from './hint.ts';
import { listedConstants } from './listed-constants.ts';
import { indexableRelation, isFixed, operandOf } from './operand.ts';
import { commutator, likeKind, operatorKind } from './operators.ts';
import { deparseFaithfully } from './parser.ts';
import type { OutputColumn, Scope } from './scope.ts';
import { lastName } from './tree.ts';

/** The OR that a condition stands under. */
interface Place {
  disjunction: number | null;
  branch: number | null;
}

/** What a bare parameter is as a condition. */
const BOOLEAN: Hint = { kind: 'cast', type: 'bool', array: false, unit: false, outer: NO_HINT };

const TOP: Place = { disjunction: null, branch: null };

class ConditionReader {
  private readonly analysis: Analysis;
  private readonly scope: Scope;

  constructor(analysis: Analysis, scope: Scope) {
    this.analysis = analysis;
    this.scope = scope;
  }

  private read(node: Node): Expression {
    return readExpression(this.analysis, this.scope, node);
  }

  condition(node: Node, place: Place): void {
    if ('BoolExpr' in node) {
      const { boolop, args = [] } = node.BoolExpr;
      if (boolop === 'AND_EXPR') {
        for (const arg of args) this.condition(arg, place);
      } else if (boolop === 'OR_EXPR') {
        const disjunction = place.disjunction ?? ++this.analysis.disjunctions;
        const first = this.analysis.predicates.length;
        args.forEach((arg, index) => {
          this.condition(arg, { disjunction, branch: place.branch ?? index });
        });
        if (place.disjunction === null) this.factorOut(first, args.length);
      } else this.negation(node, args[0], place);
      return;
    }
    if ('ParamRef' in node) {
      readExpression(this.analysis, this.scope, node, BOOLEAN);
      return;
    }
    const whole = this.read(node);
    if ('A_Expr' in node) this.operator(node.A_Expr, whole, place);
    else if ('SubLink' in node) this.sublink(node, place);
    else if ('NullTest' in node && node.NullTest.arg !== undefined) {
      const isNull = node.NullTest.nulltesttype === 'IS_NULL';
      const kind = isNull ? 'is_null' : 'is_not_null';
      const operands = this.meanings(node.NullTest.arg);
      for (const operand of operands) {
        const test: Node = { NullTest: { ...node.NullTest, arg: operand.node } };
        const own = operands.length > 1 ? { ...operand, node: test } : whole;
        this.emit(operand, kind, isNull ? 'IS NULL' : 'IS NOT NULL', null, own, place);
      }
    } else if ('BooleanTest' in node && node.BooleanTest.arg !== undefined) {
      const test = node.BooleanTest.booltesttype;
      const kind =
        test === 'IS_TRUE' || test === 'IS_FALSE' ? 'equality' : test === 'IS_UNKNOWN' ? 'is_null' : 'other';
      this.emit(this.read(node.BooleanTest.arg), kind, '=', null, whole, place);
    } else if ('ColumnRef' in node) this.emit(whole, 'equality', '=', null, whole, place);
    else if ('FuncCall' in node && lastName(node.FuncCall.funcname) === 'starts_with') {
      const operand = node.FuncCall.args?.[0];
      if (operand !== undefined) this.emit(this.read(operand), 'like_prefix', '^@', null, whole, place);
    } else this.emit(whole, 'other', '', null, whole, place);
  }

  /**
   * What every arm of an OR demands holds without it: PostgreSQL takes such clauses out (find_duplicate_ors in
   * prepqual.c). Only clauses without parameters are sure to be the same.
   */
  private factorOut(first: number, arms: number): void {
    const { predicates } = this.analysis;
    const inArms = new Map<string, Set<number>>();
    const keyOf = ({ branch: _branch, disjunction: _disjunction, ...rest }: UsagePredicate) =>
      rest.literal === null && rest.joins === null ? null : JSON.stringify(rest);
    for (const predicate of predicates.slice(first)) {
      const key = keyOf(predicate);
      if (key === null) continue;
      inArms.set(key, (inArms.get(key) ?? new Set()).add(predicate.branch ?? 0));
    }
    const taken = new Set<string>();
    for (const predicate of predicates.splice(first)) {
      const key = keyOf(predicate);
      if (key === null || inArms.get(key)?.size !== arms) predicates.push(predicate);
      else if (!taken.has(key)) {
        taken.add(key);
        const { branch: _branch, ...rest } = predicate;
        predicates.push({ ...rest, disjunction: null, repeats: arms });
      }
    }
  }

  private negation(node: Node, arg: Node | undefined, place: Place): void {
    const whole = this.read(node);
    if (arg === undefined) return;
    if ('NullTest' in arg && arg.NullTest.arg !== undefined) {
      const isNull = arg.NullTest.nulltesttype === 'IS_NULL';
      const kind = isNull ? 'is_not_null' : 'is_null';
      this.emit(this.read(arg.NullTest.arg), kind, isNull ? 'IS NOT NULL' : 'IS NULL', null, whole, place);
    } else if ('ColumnRef' in arg) this.emit(this.read(arg), 'equality', '=', null, whole, place);
    else this.emit(whole, 'other', 'NOT', null, whole, place);
  }

  /** An operand's meanings: several where it is a column of a UNION, on each branch of which the condition holds. */
  private meanings(node: Node): Expression[] {
    return readBranches(this.analysis, this.scope, node);
  }

  private operator(expr: A_Expr, whole: Expression, place: Place): void {
    const { kind, lexpr, rexpr } = expr;
    const name = lastName(expr.name);
    if (lexpr === undefined || rexpr === undefined) {
      this.emit(whole, 'other', name, null, whole, place);
      return;
    }
    if ('RowExpr' in lexpr) {
      this.rows(lexpr, rexpr, kind, name, place);
      return;
    }
    if (kind === 'AEXPR_BETWEEN' || kind === 'AEXPR_BETWEEN_SYM') {
      const bounds = 'List' in rexpr ? (rexpr.List.items ?? []) : [];
      bounds.forEach((bound, index) => {
        const operator = index === 0 ? '>=' : '<=';
        for (const left of this.meanings(lexpr)) {
          const half = this.rebuilt(operator, left, this.read(bound));
          this.sides(left, this.read(bound), operator, 'range', null, half, place);
        }
      });
      return;
    }
    const lefts = this.meanings(lexpr);
    for (const left of lefts) {
      this.comparison(expr, left, this.read(rexpr), lefts.length > 1 ? null : whole, place);
    }
  }

  private comparison(
    expr: A_Expr,
    left: Expression,
    right: Expression,
    whole: Expression | null,
    place: Place,
  ): void {
    const { kind, lexpr, rexpr } = expr;
    const name = lastName(expr.name);
    switch (kind) {
      case 'AEXPR_IN':
        this.sides(left, right, ofList(kind, name), name === '=' ? 'in' : 'other', null, whole, place);
        return;
      case 'AEXPR_OP_ANY':
        this.sides(left, right, ofList(kind, name), name === '=' ? 'in' : 'other', null, whole, place);
        return;
      case 'AEXPR_OP_ALL':
        this.sides(left, right, ofList(kind, name), 'other', null, whole, place);
        return;
      case 'AEXPR_LIKE':
        this.sides(left, right, name, name === '~~' ? likeKind(rexpr) : 'other', null, whole, place);
        return;
      case 'AEXPR_ILIKE':
        this.sides(left, right, name, name === '~~*' ? 'like_infix' : 'other', null, whole, place);
        return;
      case 'AEXPR_SIMILAR':
        this.sides(left, right, name, name === '~' ? 'like_infix' : 'other', null, whole, place);
        return;
      case 'AEXPR_OP': {
        const swapped = commutator(name);
        const mirrored =
          swapped === null
            ? null
            : { operator: swapped, kind: operatorKind(swapped, lexpr, this.typeOf(right)) };
        this.sides(left, right, name, operatorKind(name, rexpr, this.typeOf(left)), mirrored, whole, place);
        return;
      }
      default:
        // IS DISTINCT FROM, NOT BETWEEN: nothing that an index is searched for.
        this.sides(left, right, name, 'other', null, whole, place);
    }
  }

  private rebuilt(operator: string, left: Expression, right: Expression): Expression {
    return {
      node: {
        A_Expr: {
          kind: 'AEXPR_OP',
          name: [{ String: { sval: operator } }],
          lexpr: left.node,
          rexpr: right.node,
        },
      },
      columns: [...left.columns, ...right.columns],
      opaque: left.opaque || right.opaque,
      parameter: left.parameter || right.parameter,
      sublink: left.sublink || right.sublink,
      like: null,
    };
  }

  private typeOf(expression: Expression): string | null {
    const use = expression.columns[0];
    if (!('ColumnRef' in expression.node) || use === undefined) return null;
    return this.analysis.relations[use.relation]?.table.columns.get(use.column)?.type ?? null;
  }

  /** Row comparisons: a condition on each place; an ordering one holds for the first place and narrows the next. */
  private rows(lexpr: Node, rexpr: Node, kind: A_Expr['kind'], operator: string, place: Place): void {
    const args = 'RowExpr' in lexpr ? (lexpr.RowExpr.args ?? []) : [];
    const values = 'RowExpr' in rexpr ? (rexpr.RowExpr.args ?? []) : [];
    args.forEach((arg, index) => {
      const column = this.read(arg);
      const value = values[index];
      if (kind === 'AEXPR_IN') {
        this.emit(column, operator === '=' ? 'in' : 'other', ofList(kind, operator), null, null, place);
      } else if (value !== undefined) {
        const other = this.read(value);
        const whole = operator === '=' ? this.rebuilt(operator, column, other) : null;
        const swapped = commutator(operator) ?? operator;
        const mirrored = { operator: swapped, kind: operatorKind(swapped, arg, this.typeOf(other)) };
        this.sides(
          column,
          other,
          operator,
          operatorKind(operator, value, this.typeOf(column)),
          mirrored,
          whole,
          place,
        );
      }
    });
  }

  /** A condition between two sides: on the left one, on the right one (a join, or a column on the right), or both. */
  private sides(
    left: Expression,
    right: Expression,
    operator: string,
    kind: PredicateKind,
    mirrored: { operator: string; kind: PredicateKind } | null,
    whole: Expression | null,
    place: Place,
  ): void {
    const leftRelations = relationsOf(left);
    const rightRelations = relationsOf(right);
    const shared = [...leftRelations].some((relation) => rightRelations.has(relation));
    if (shared) {
      if (whole !== null) this.emit(whole, 'other', operator, null, whole, place);
      return;
    }
    if (leftRelations.size > 0) this.emit(left, kind, operator, right, whole, place);
    if (rightRelations.size > 0) {
      this.emit(right, mirrored?.kind ?? 'other', mirrored?.operator ?? operator, left, whole, place);
    }
  }

  private sublink(node: Node, place: Place): void {
    if (!('SubLink' in node)) return;
    const { subLinkType, testexpr, operName, subselect } = node.SubLink;
    if (subLinkType !== 'ANY_SUBLINK' || testexpr === undefined || subselect === undefined) return;
    const operator = operName === undefined ? '=' : lastName(operName);
    const tested = 'RowExpr' in testexpr ? (testexpr.RowExpr.args ?? []) : [testexpr];
    const outputs = this.analysis.outputs.get(subselect) ?? [];
    tested.forEach((each, index) => {
      const left = this.read(each);
      const right = this.output(outputs[index]);
      const swapped = commutator(operator) ?? operator;
      const mirrored = { operator: swapped, kind: operatorKind(swapped, each, null) };
      this.sides(left, right, operator, operatorKind(operator, undefined, null), mirrored, null, place);
    });
  }

  private output(column: OutputColumn | undefined): Expression {
    const [only, ...more] = column?.meanings ?? [];
    if (column === undefined || only === undefined || more.length > 0 || !column.transparent) {
      return {
        node: { A_Const: { isnull: true } },
        columns: [],
        opaque: true,
        parameter: false,
        sublink: false,
        like: null,
      };
    }
    return readExpression(this.analysis, only.scope, only.node);
  }

  /** Adds the predicate if its operand is of one relation. */
  private emit(
    operand: Expression,
    kind: PredicateKind,
    operator: string,
    other: Expression | null,
    whole: Expression | null,
    place: Place,
  ): void {
    const relation = indexableRelation(operand);
    if (relation === null) return;
    // A correlated sub-select is worked out for each row: nothing to look up in an index.
    const perRow = other?.sublink && other.columns.length > 0;
    const joined = perRow ? null : (other?.columns.find((use) => use.relation !== relation) ?? null);
    const alone = whole !== null && !whole.opaque && !whole.parameter && !whole.sublink && joined === null;
    const predicate: UsagePredicate = {
      ...operandOf(this.analysis, operand),
      relation,
      kind: perRow ? 'other' : kind,
      operator,
      joins: joined === null ? null : { relation: joined.relation, column: joined.column },
      literal: alone && isFixed(whole.node) ? deparseFaithfully(whole.node) : null,
      disjunction: place.disjunction,
    };
    const values = predicate.literal !== null && kind === 'in' && other ? listedConstants(other.node) : null;
    if (values !== null) predicate.values = values;
    if (this.analysis.views.length > 0) predicate.of_view = true;
    if (place.branch !== null) predicate.branch = place.branch;
    this.analysis.predicates.push(predicate);
  }

  /** `USING (name)` and NATURAL JOIN: an equality of both sides' columns. */
  using(left: Node, right: Node): void {
    const a = this.read(left);
    const b = this.read(right);
    this.sides(a, b, '=', 'equality', { operator: '=', kind: 'equality' }, null, TOP);
  }
}

/** Reads a WHERE or ON clause. */
export function readCondition(analysis: Analysis, scope: Scope, node: Node): void {
  new ConditionReader(analysis, scope).condition(node, TOP);
}

/** Reads the equality of two columns that USING or NATURAL stands for. */
export function readJoinUsing(analysis: Analysis, scope: Scope, left: Node, right: Node): void {
  new ConditionReader(analysis, scope).using(left, right);
}

/** `<>` of a list, by its own name: what it keeps, and whether it is null where the column is, differs from that of one value. */
function ofList(kind: A_Expr['kind'], operator: string): string {
  if (operator !== '<>') return operator;
  if (kind === 'AEXPR_IN') return 'NOT IN';
  return kind === 'AEXPR_OP_ALL' ? '<> ALL' : '<> ANY';
}
