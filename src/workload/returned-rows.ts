/** What a statement returned, as evidence of how many rows its conditions let through, or of how many groups there are. */
import type { Node, SelectStmt } from '@pgsql/types';
import type { WorkloadQuery } from '../domain/index.ts';
import { holdsAggregate } from './aggregates.ts';
import { observedRows } from './observed-rows.ts';
import { loadGrammar, tryParse } from './parser.ts';
import { walk } from './tree.ts';

interface ReturnedRows {
  /**
   * conditions: rows that passed the conditions of its tables, at most, for nothing in it makes rows out of one row but
   * joins. groups: distinct combinations of its GROUP BY in the whole of one table, exactly.
   */
  of: 'conditions' | 'groups';
  per_call: number;
}

/** Null where the rows tell neither, or it never ran. */
export async function returnedRows(query: WorkloadQuery): Promise<ReturnedRows | null> {
  await loadGrammar();
  const parsed = tryParse(query.query);
  const statement = 'tree' in parsed ? parsed.tree.stmts?.[0]?.stmt : undefined;
  if (statement === undefined || !('SelectStmt' in statement) || query.calls <= 0) return null;
  const select = statement.SelectStmt;
  if (!isFlat(select)) return null;
  const conditions = observedRows(statement, query);
  if (conditions !== null) return { of: 'conditions', per_call: conditions };
  return isWholeGrouping(select) ? { of: 'groups', per_call: query.rows / query.calls } : null;
}

/** Tables and their joins only, and no function that could return several rows for one. */
function isFlat(select: SelectStmt): boolean {
  if (select.withClause !== undefined || (select.op !== undefined && select.op !== 'SETOP_NONE'))
    return false;
  let flat = (select.fromClause ?? []).every(isTableOrJoin);
  walk(select.targetList ?? [], (node) => {
    if ('FuncCall' in node && !holdsAggregate(node)) flat = false;
    return flat;
  });
  return flat;
}

function isTableOrJoin(node: Node): boolean {
  if ('RangeVar' in node) return true;
  if (!('JoinExpr' in node)) return false;
  const { larg, rarg, jointype } = node.JoinExpr;
  const kept = jointype === undefined || jointype === 'JOIN_INNER';
  return kept && larg !== undefined && rarg !== undefined && isTableOrJoin(larg) && isTableOrJoin(rarg);
}

function isWholeGrouping(select: SelectStmt): boolean {
  const [only, ...others] = select.fromClause ?? [];
  return (
    only !== undefined &&
    'RangeVar' in only &&
    others.length === 0 &&
    select.whereClause === undefined &&
    select.havingClause === undefined &&
    select.limitCount === undefined &&
    select.limitOffset === undefined &&
    select.distinctClause === undefined &&
    (select.groupClause?.length ?? 0) >= 2 &&
    (select.groupClause ?? []).every((key) => 'ColumnRef' in key)
  );
}

/** Whether a SELECT of tables brings back rows themselves, and at most one a call; with a LIMIT or without. */
export async function returnsOneRow(query: WorkloadQuery): Promise<boolean> {
  await loadGrammar();
  const parsed = tryParse(query.query);
  const statement = 'tree' in parsed ? parsed.tree.stmts?.[0]?.stmt : undefined;
  if (statement === undefined || !('SelectStmt' in statement) || query.calls <= 0) return false;
  const { SelectStmt: select } = statement;
  const plain = (select.groupClause?.length ?? 0) === 0 && !holdsAggregate(select.targetList ?? []);
  return plain && isFlat(select) && query.rows <= query.calls;
}
