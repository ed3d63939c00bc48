/** Reading query levels: FROM, WHERE, the target list, GROUP BY, ORDER BY, LIMIT, WITH, set operations. */
import type { Node, SelectStmt } from '@pgsql/types';
import { holdsAggregate } from './aggregates.ts';
import { type Analysis, type Expression, noteFrom, type QueryPurpose, relationsOf } from './analysis.ts';
import { readCondition } from './condition.ts';
import { readExpression } from './expression.ts';
import { readFrom } from './from-clause.ts';
import { type Hint, NO_HINT } from './hint.ts';
import { operandOf } from './operand.ts';
import { readOrdering } from './ordering.ts';
import { shapeOf } from './parser.ts';
import { childScope, columnsOfSource, type OutputColumn, type Scope } from './scope.ts';
import { targetColumns } from './target-list.ts';
import { holdsParameter, lastName, stringOf, walk } from './tree.ts';
import { readWith } from './with-clause.ts';

class LevelReader {
  private readonly analysis: Analysis;
  private readonly scope: Scope;
  private readonly select: SelectStmt;

  constructor(analysis: Analysis, scope: Scope, select: SelectStmt) {
    this.analysis = analysis;
    this.scope = scope;
    this.select = select;
  }

  private read(node: Node, hint: Hint = NO_HINT): Expression {
    return readExpression(this.analysis, this.scope, node, hint);
  }

  level(purpose: QueryPurpose, hints: readonly Hint[]): OutputColumn[] {
    const { select, scope, analysis } = this;
    noteFrom(analysis, select.fromClause?.length ?? 0);
    for (const item of select.fromClause ?? []) readFrom(analysis, scope, item);
    if (select.whereClause !== undefined) readCondition(analysis, scope, select.whereClause);
    const outputs = targetColumns(analysis, scope, select.targetList ?? [], isEager(purpose));
    this.groups(outputs);
    // What EXISTS selects is never computed.
    if (purpose !== 'exists') this.targets(outputs, hints, purpose);
    else
      for (const target of select.targetList ?? [])
        if (holdsParameter(target)) this.targets(outputs, hints, purpose);
    if (select.havingClause !== undefined) this.read(select.havingClause);
    this.distinct(outputs);
    this.windows();
    this.limits();
    const ordered = readOrdering(analysis, scope, select.sortClause ?? [], outputs);
    this.extremes(ordered);
    if (ordered && select.limitCount !== undefined) analysis.has_limit = true;
    return this.judge(outputs);
  }

  /** Reads outputs: all of them, or (in a derived table) those that are more than a column's name. */
  private targets(outputs: readonly OutputColumn[], hints: readonly Hint[], purpose: QueryPurpose): void {
    const { analysis } = this;
    outputs.forEach((output, index) => {
      for (const { node, scope } of output.meanings) {
        const isName = 'ColumnRef' in node;
        if (isEager(purpose) || (scope === this.scope && !isName)) {
          // The statement's own result; DISTINCT and the like read its columns once more.
          analysis.is_shown = purpose === 'top' && isName;
          readExpression(analysis, scope, node, hints[index] ?? NO_HINT);
          analysis.is_shown = false;
        }
      }
    });
  }

  /** Which outputs let a condition from outside through. */
  private judge(outputs: OutputColumn[]): OutputColumn[] {
    const { select } = this;
    const limited = select.limitCount !== undefined || select.limitOffset !== undefined;
    const grouped = (select.groupClause?.length ?? 0) > 0;
    const aggregated = grouped || (select.targetList ?? []).some((target) => holdsAggregate(target));
    const keys = new Set((select.groupClause ?? []).map((item) => shapeOf(this.groupItem(item, outputs))));
    return outputs.map((output) => ({
      ...output,
      transparent:
        output.transparent &&
        !limited &&
        (!aggregated || (grouped && output.meanings.every(({ node }) => keys.has(shapeOf(node))))),
    }));
  }

  /** GROUP BY: a position, an input column, or else an output's name. */
  private groupItem(item: Node, outputs: readonly OutputColumn[]): Node {
    const position = 'A_Const' in item ? item.A_Const.ival?.ival : undefined;
    if (position !== undefined) return outputs[position - 1]?.meanings[0]?.node ?? item;
    if ('ColumnRef' in item && item.ColumnRef.fields?.length === 1) {
      const name = stringOf(item.ColumnRef.fields[0]);
      const input = this.scope.sources.some((source) =>
        columnsOfSource(source, this.scope).some((column) => column.name === name),
      );
      const output = outputs.find((each) => each.name === name);
      if (!input && output !== undefined) return output.meanings[0]?.node ?? item;
    }
    return item;
  }

  private groups(outputs: readonly OutputColumn[]): void {
    const items = (this.select.groupClause ?? []).flatMap((item) =>
      'GroupingSet' in item ? (item.GroupingSet.content ?? []) : [item],
    );
    this.addGroup(items.map((item) => this.read(this.groupItem(item, outputs))));
  }

  private addGroup(expressions: readonly Expression[]): void {
    addGroup(this.analysis, expressions);
  }

  private distinct(outputs: readonly OutputColumn[]): void {
    const clause = this.select.distinctClause;
    if (clause === undefined) return;
    // Plain DISTINCT is a list with one empty node.
    const on = clause.filter((node) => Object.keys(node).length > 0);
    if (on.length > 0) this.addGroup(on.map((item) => this.read(this.groupItem(item, outputs))));
    else {
      this.addGroup(
        outputs.flatMap(({ meanings }) =>
          meanings.map(({ node, scope }) => readExpression(this.analysis, scope, node)),
        ),
      );
    }
  }

  private windows(): void {
    const windows: { partitionClause?: Node[]; orderClause?: Node[] }[] = [];
    for (const node of this.select.windowClause ?? []) {
      if (!('WindowDef' in node)) continue;
      windows.push(node.WindowDef);
      for (const offset of [node.WindowDef.startOffset, node.WindowDef.endOffset]) {
        if (offset !== undefined) this.read(offset);
      }
    }
    walk([this.select.targetList ?? [], this.select.sortClause ?? []], (node) => {
      if ('SubLink' in node) return false;
      if ('FuncCall' in node && node.FuncCall.over !== undefined) windows.push(node.FuncCall.over);
      return true;
    });
    for (const { partitionClause = [], orderClause = [] } of windows) {
      this.addGroup(partitionClause.map((item) => this.read(item)));
      const partition = partitionClause.map((node): Node => ({ SortBy: { node, sortby_dir: 'SORTBY_ASC' } }));
      readOrdering(this.analysis, this.scope, [...partition, ...orderClause], null);
    }
  }

  private limits(): void {
    const { limitCount, limitOffset } = this.select;
    if (limitCount !== undefined) this.read(limitCount, { kind: 'limit' });
    if (limitOffset !== undefined) this.read(limitOffset, { kind: 'offset' });
  }

  /** `SELECT min(x) FROM t` is planned as ORDER BY x LIMIT 1 (planagg.c) when min and max are all there is. */
  private extremes(ordered: boolean): void {
    const { select } = this;
    if (ordered || (select.groupClause?.length ?? 0) > 0 || select.havingClause !== undefined) return;
    if (select.fromClause?.length !== 1) return;
    const calls = (select.targetList ?? []).map((target) =>
      'ResTarget' in target && target.ResTarget.val !== undefined && 'FuncCall' in target.ResTarget.val
        ? target.ResTarget.val.FuncCall
        : null,
    );
    const plain = calls.every(
      (call) =>
        call !== null &&
        ['min', 'max'].includes(lastName(call.funcname)) &&
        call.over === undefined &&
        call.agg_filter === undefined &&
        call.args?.length === 1,
    );
    if (calls.length === 0 || !plain) return;
    for (const call of calls) {
      const node = call?.args?.[0];
      if (node === undefined) continue;
      const direction = lastName(call?.funcname) === 'min' ? 'SORTBY_ASC' : 'SORTBY_DESC';
      const sort: Node = { SortBy: { node, sortby_dir: direction } };
      if (readOrdering(this.analysis, this.scope, [sort], null)) this.analysis.has_limit = true;
    }
  }
}

/** Whether all outputs are computed, and not only those that are asked for. */
const isEager = (purpose: QueryPurpose): boolean => purpose === 'top' || purpose === 'value';

/** Adds a set of operands if all of them are of one relation. */
function addGroup(analysis: Analysis, expressions: readonly Expression[]): void {
  const relations = new Set(expressions.flatMap((each) => [...relationsOf(each)]));
  const [relation, ...more] = relations;
  if (relation === undefined || more.length > 0) return;
  if (expressions.some((each) => each.opaque || each.sublink || each.parameter)) return;
  analysis.groups.push({ relation, operands: expressions.map((each) => operandOf(analysis, each)) });
}

/** UNION, INTERSECT, EXCEPT: both branches, whose columns stand for one another by position. */
function readSetOperation(
  analysis: Analysis,
  scope: Scope,
  select: SelectStmt,
  purpose: QueryPurpose,
  hints: readonly Hint[],
): OutputColumn[] {
  const branch = (arm: SelectStmt | undefined): OutputColumn[] =>
    arm === undefined ? [] : readSelect(analysis, childScope(scope), arm, purpose, hints);
  const left = branch(select.larg);
  const right = branch(select.rarg);
  const keepsAll = select.op === 'SETOP_UNION' && select.all === true;
  // Its branches are sorted, hashed or merged by all that they return, or put into one order.
  if (purpose === 'top' || !keepsAll) {
    for (const { meanings } of [...left, ...right])
      for (const meaning of meanings) readExpression(analysis, meaning.scope, meaning.node);
  }
  if (select.limitCount !== undefined) readExpression(analysis, scope, select.limitCount, { kind: 'limit' });
  if (select.limitOffset !== undefined)
    readExpression(analysis, scope, select.limitOffset, { kind: 'offset' });
  const limited = select.limitCount !== undefined || select.limitOffset !== undefined;
  const outputs = left.map((column, index) => ({
    name: column.name,
    transparent: column.transparent && (right[index]?.transparent ?? false),
    meanings: [...column.meanings, ...(right[index]?.meanings ?? [])],
  }));
  // All rows of all branches, in one order: each branch may give its own in that order (MergeAppend).
  if (keepsAll) {
    const through = outputs.every(({ transparent }) => transparent) ? (select.sortClause ?? []) : [];
    if (readOrdering(analysis, childScope(scope), through, outputs) && select.limitCount !== undefined) {
      analysis.has_limit = true;
    }
  }
  return outputs.map((output) => ({ ...output, transparent: output.transparent && !limited }));
}

/** Reads a SELECT, a VALUES list or a set operation whose names live in `scope`. */
export function readSelect(
  analysis: Analysis,
  scope: Scope,
  select: SelectStmt,
  purpose: QueryPurpose,
  hints: readonly Hint[] = [],
): OutputColumn[] {
  readWith(analysis, scope, select.withClause, select);
  if (select.valuesLists !== undefined) {
    let width = 0;
    for (const list of select.valuesLists) {
      const items = 'List' in list ? (list.List.items ?? []) : [];
      width = Math.max(width, items.length);
      items.forEach((item, index) => {
        readExpression(analysis, scope, item, hints[index] ?? NO_HINT);
      });
    }
    return Array.from({ length: width }, (_, index) => ({
      name: `column${index + 1}`,
      transparent: false,
      meanings: [],
    }));
  }
  if (select.op !== undefined && select.op !== 'SETOP_NONE') {
    return readSetOperation(analysis, scope, select, purpose, hints);
  }
  return new LevelReader(analysis, scope, select).level(purpose, hints);
}
