/** Output columns of a target list: their names and what they stand for. */
import type { Node } from '@pgsql/types';
import type { Analysis } from './analysis.ts';
import { columnsOfSource, noteStar, type OutputColumn, type Scope, starSources } from './scope.ts';
import { lastName, namesOf } from './tree.ts';

/** Name that PostgreSQL gives an output column without AS (FigureColname). */
function outputName(target: Node): string {
  if ('ColumnRef' in target) return namesOf(target.ColumnRef.fields).at(-1) ?? '?column?';
  if ('FuncCall' in target) return lastName(target.FuncCall.funcname);
  if ('A_Indirection' in target) return namesOf(target.A_Indirection.indirection).at(-1) ?? '?column?';
  if ('CoalesceExpr' in target) return 'coalesce';
  if ('CaseExpr' in target) return 'case';
  if ('TypeCast' in target && target.TypeCast.arg !== undefined) {
    const inner = outputName(target.TypeCast.arg);
    return inner === '?column?' ? lastName(target.TypeCast.typeName?.names) : inner;
  }
  if ('CollateClause' in target && target.CollateClause.arg !== undefined) {
    return outputName(target.CollateClause.arg);
  }
  return '?column?';
}

/** Expands a target list into output columns, without reading their expressions. */
export function targetColumns(
  analysis: Analysis,
  scope: Scope,
  targets: readonly Node[],
  mark: boolean,
): OutputColumn[] {
  return targets.flatMap((target): OutputColumn[] => {
    if (!('ResTarget' in target) || target.ResTarget.val === undefined) return [];
    const { val, name } = target.ResTarget;
    const fields = 'ColumnRef' in val ? (val.ColumnRef.fields ?? []) : [];
    const last = fields.at(-1);
    if (last !== undefined && 'A_Star' in last) {
      return starSources(scope, namesOf(fields)).flatMap((source) => {
        if (mark) noteStar(analysis, source, false);
        return columnsOfSource(source, scope);
      });
    }
    return [{ name: name ?? outputName(val), transparent: true, meanings: [{ node: val, scope }] }];
  });
}
