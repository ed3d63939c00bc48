/** How a statement uses the columns of tables: the public reading of a parse tree. */
import type { InsertStmt, MergeStmt, Node, ReturningClause, UpdateStmt } from '@pgsql/types';
import type { StatementUsage } from '../domain/index.ts';
import { type Analysis, noteFrom, type QueryPurpose, usageRelations } from './analysis.ts';
import { readCondition } from './condition.ts';
import { readExpression } from './expression.ts';
import { readFrom, readTable } from './from-clause.ts';
import { type Hint, NO_HINT } from './hint.ts';
import { loadGrammar, parseTree } from './parser.ts';
import { readSelect } from './query-level.ts';
import { childScope, type OutputColumn, type Scope } from './scope.ts';
import { targetColumns } from './target-list.ts';
import type { UsageCatalog } from './usage-catalog.ts';
import { readWith } from './with-clause.ts';

type Dml = InsertStmt | UpdateStmt | MergeStmt;

class StatementReader {
  private readonly analysis: Analysis;

  constructor(analysis: Analysis) {
    this.analysis = analysis;
  }

  /** Any statement that can stand at the top, in WITH or in parentheses. */
  query(query: Node, parent: Scope | null, purpose: QueryPurpose, hints: Hint[] = []): OutputColumn[] {
    const scope = childScope(parent);
    const { analysis } = this;
    if ('SelectStmt' in query) return readSelect(analysis, scope, query.SelectStmt, purpose, hints);
    if ('InsertStmt' in query) return this.insert(scope, query.InsertStmt);
    if ('UpdateStmt' in query) {
      const { relation, fromClause, whereClause, targetList, returningClause } = query.UpdateStmt;
      const target = this.target(scope, query.UpdateStmt, relation);
      noteFrom(analysis, 1 + (fromClause?.length ?? 0));
      for (const item of fromClause ?? []) readFrom(analysis, scope, item);
      this.assignments(scope, target, targetList ?? []);
      if (whereClause !== undefined) readCondition(analysis, scope, whereClause);
      return this.returning(scope, returningClause);
    }
    if ('DeleteStmt' in query) {
      const { relation, usingClause, whereClause, returningClause } = query.DeleteStmt;
      this.target(scope, query.DeleteStmt, relation);
      noteFrom(analysis, 1 + (usingClause?.length ?? 0));
      for (const item of usingClause ?? []) readFrom(analysis, scope, item);
      if (whereClause !== undefined) readCondition(analysis, scope, whereClause);
      return this.returning(scope, returningClause);
    }
    if ('MergeStmt' in query) return this.merge(scope, query.MergeStmt);
    analysis.unresolved.add(`statement of kind ${Object.keys(query)[0] ?? 'unknown'}`);
    return [];
  }

  private target(scope: Scope, statement: Pick<Dml, 'withClause'>, relation: Dml['relation']): number | null {
    readWith(this.analysis, scope, statement.withClause, statement);
    if (relation === undefined) return null;
    const target = readTable(this.analysis, scope, relation);
    const use = target === null ? undefined : this.analysis.relations[target];
    if (use !== undefined) use.is_written = true;
    return target;
  }

  private returning(scope: Scope, clause: ReturningClause | undefined): OutputColumn[] {
    const outputs = targetColumns(this.analysis, scope, clause?.exprs ?? [], true);
    for (const { meanings } of outputs) {
      for (const { node, scope: inner } of meanings) readExpression(this.analysis, inner, node);
    }
    // What a data-modifying WITH query returns is computed there and then: nothing can be pushed into it.
    return outputs.map((output) => ({ ...output, transparent: false }));
  }

  private assign(target: number | null, column: string): Hint {
    return target === null ? NO_HINT : { kind: 'assign', relation: target, column };
  }

  private assignments(scope: Scope, target: number | null, list: readonly Node[]): void {
    const use = target === null ? undefined : this.analysis.relations[target];
    for (const item of list) {
      if (!('ResTarget' in item)) continue;
      const { name = '', val } = item.ResTarget;
      use?.written.add(name);
      if (val === undefined) continue;
      if (!('MultiAssignRef' in val)) {
        readExpression(this.analysis, scope, val, this.assign(target, name));
        continue;
      }
      // `SET (a, b) = …`: the tree repeats the source for each column, and once is enough unless it is a row.
      const { source, colno = 1 } = val.MultiAssignRef;
      if (source !== undefined && 'RowExpr' in source) {
        const value = source.RowExpr.args?.[colno - 1];
        if (value !== undefined) readExpression(this.analysis, scope, value, this.assign(target, name));
      } else if (source !== undefined && colno === 1) readExpression(this.analysis, scope, source);
    }
  }

  private insert(scope: Scope, statement: InsertStmt): OutputColumn[] {
    const target = this.target(scope, statement, statement.relation);
    const table = target === null ? undefined : this.analysis.relations[target]?.table;
    const named = (statement.cols ?? []).flatMap((node) =>
      'ResTarget' in node && node.ResTarget.name !== undefined ? [node.ResTarget.name] : [],
    );
    const columns = named.length > 0 ? named : [...(table?.columns.keys() ?? [])];
    const hints = columns.map((column) => this.assign(target, column));
    if (statement.selectStmt !== undefined) {
      // The query sees WITH of the statement, but not the target table.
      const outer: Scope = { parent: scope.parent, sources: [], ctes: scope.ctes };
      this.query(statement.selectStmt, outer, 'value', hints);
    }
    const conflict = statement.onConflictClause;
    if (conflict !== undefined) {
      scope.sources.push({ kind: 'opaque', alias: 'excluded', names: null, qualified_only: true });
      this.assignments(scope, target, conflict.targetList ?? []);
      if (conflict.whereClause !== undefined) readExpression(this.analysis, scope, conflict.whereClause);
      if (conflict.infer?.whereClause !== undefined) {
        readExpression(this.analysis, scope, conflict.infer.whereClause);
      }
    }
    return this.returning(scope, statement.returningClause);
  }

  private merge(scope: Scope, statement: MergeStmt): OutputColumn[] {
    const target = this.target(scope, statement, statement.relation);
    if (statement.sourceRelation !== undefined) readFrom(this.analysis, scope, statement.sourceRelation);
    if (statement.joinCondition !== undefined) readCondition(this.analysis, scope, statement.joinCondition);
    for (const node of statement.mergeWhenClauses ?? []) {
      if (!('MergeWhenClause' in node)) continue;
      const { commandType, condition, targetList = [], values = [] } = node.MergeWhenClause;
      if (condition !== undefined) readExpression(this.analysis, scope, condition);
      if (commandType === 'CMD_UPDATE') this.assignments(scope, target, targetList);
      values.forEach((value, index) => {
        const column = targetList[index];
        const name = column !== undefined && 'ResTarget' in column ? column.ResTarget.name : undefined;
        readExpression(this.analysis, scope, value, name === undefined ? NO_HINT : this.assign(target, name));
      });
    }
    return this.returning(scope, statement.returningClause);
  }
}

/** Reads one statement's tree. Needs `loadGrammar()` first. */
export function analyseStatement(
  statement: Node,
  catalog: UsageCatalog,
  searchPath: readonly string[] = catalog.search_path,
  variables: Analysis['variables'] = null,
): Analysis {
  const analysis: Analysis = {
    catalog,
    search_path: searchPath,
    relations: [],
    predicates: [],
    orders: [],
    groups: [],
    has_limit: false,
    widest_from: 0,
    unresolved: new Set(),
    parameters: [],
    variables,
    off_path: [],
    disjunctions: 0,
    referenced: [],
    expressions: new WeakMap(),
    is_shown: false,
    outputs: new WeakMap(),
    views: [],
    readers: {
      readQuery: (query, parent, purpose, hints) => reader.query(query, parent, purpose, hints),
    },
  };
  const reader = new StatementReader(analysis);
  reader.query(statement, null, 'top');
  return analysis;
}

/**
 * How one statement uses tables' columns, resolved against a snapshot's catalog. A predicate or order on an
 * expression with a parameter in it (an erased constant) has neither `column` nor `expression`: ask again for the
 * sampled statement, which has the constant.
 * @param searchPath Schemas for unqualified names; the catalog's own when absent.
 * @throws PgLuthierError `sql_syntax`.
 */
export async function statementUsage(
  sql: string,
  catalog: UsageCatalog,
  searchPath?: readonly string[],
): Promise<StatementUsage> {
  await loadGrammar();
  const statement = parseTree(sql).stmts?.[0]?.stmt;
  if (statement === undefined) {
    return {
      relations: [],
      predicates: [],
      orders: [],
      groups: [],
      has_limit: false,
      widest_from: 0,
      unresolved: ['no statement'],
    };
  }
  const analysis = analyseStatement(statement, catalog, searchPath);
  return {
    relations: usageRelations(analysis),
    predicates: analysis.predicates,
    orders: analysis.orders,
    groups: analysis.groups,
    has_limit: analysis.has_limit,
    widest_from: analysis.widest_from,
    unresolved: [...analysis.unresolved],
  };
}
