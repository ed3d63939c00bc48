/** Reading FROM: tables, views, WITH queries, sub-selects, functions and joins. */
import type { Alias, JoinExpr, Node, RangeVar } from '@pgsql/types';
import { type Analysis, addRelation } from './analysis.ts';
import { readCondition, readJoinUsing } from './condition.ts';
import { readExpression } from './expression.ts';
import { parseTree } from './parser.ts';
import {
  type CteMeaning,
  childScope,
  columnReference,
  columnsOfSource,
  type DerivedColumn,
  type OutputColumn,
  type Scope,
  type Source,
} from './scope.ts';
import { namesOf } from './tree.ts';
import type { CatalogTable, CatalogView } from './usage-catalog.ts';

function derivedSource(alias: Alias | undefined, fallback: string, columns: readonly OutputColumn[]): Source {
  const names = namesOf(alias?.colnames);
  const visible = new Map<string, DerivedColumn>();
  columns.forEach((column, index) => {
    const name = names[index] ?? column.name;
    if (!visible.has(name)) visible.set(name, { meanings: column.meanings, transparent: column.transparent });
  });
  return { kind: 'derived', alias: alias?.aliasname ?? fallback, columns: visible };
}

function opaqueSource(alias: string, names: readonly string[] | null): Source {
  return { kind: 'opaque', alias, names: names === null ? null : new Set(names), qualified_only: false };
}

function findCte(scope: Scope, name: string): CteMeaning | null {
  for (let level: Scope | null = scope; level !== null; level = level.parent) {
    const found = level.ctes.get(name);
    if (found !== undefined) return found;
  }
  return null;
}

/** A table as a source of its own in `scope`; returns its relation number. */
function addTable(analysis: Analysis, scope: Scope, table: CatalogTable, range: RangeVar): number {
  const alias = range.alias?.aliasname ?? range.relname ?? table.name;
  const relation = addRelation(analysis, table, alias);
  const renamed = namesOf(range.alias?.colnames);
  const names = new Map([...table.columns.keys()].map((column, index) => [renamed[index] ?? column, column]));
  scope.sources.push({
    kind: 'table',
    alias,
    // An alias hides the qualified name.
    schema: range.alias === undefined ? table.schema : null,
    relation,
    names,
  });
  return relation;
}

/** Resolves a RangeVar to a table and adds it, noting what is missing. Null: not a table of the snapshot. */
export function readTable(analysis: Analysis, scope: Scope, range: RangeVar): number | null {
  const { schemaname, relname = '' } = range;
  const found = analysis.catalog.resolve(schemaname, relname, analysis.search_path);
  if (found === null) {
    analysis.unresolved.add(`relation ${schemaname === undefined ? '' : `${schemaname}.`}${relname}`);
    scope.sources.push(opaqueSource(range.alias?.aliasname ?? relname, null));
    return null;
  }
  if (found.off_path) {
    const { schema } = 'table' in found ? found.table : found.view;
    analysis.unresolved.add(`relation ${relname} is not on the search path: taken as ${schema}.${relname}`);
    if (analysis.views.length === 0) analysis.off_path.push({ location: range.location ?? 0, schema });
  }
  if ('table' in found) return addTable(analysis, scope, found.table, range);
  scope.sources.push(viewSource(analysis, found.view, range));
  return null;
}

/** A view as the sub-select that it is. */
function viewSource(analysis: Analysis, view: CatalogView, range: RangeVar): Source {
  const alias = range.alias?.aliasname ?? view.name;
  const key = `${view.schema}.${view.name}`;
  const query = analysis.views.includes(key) ? undefined : parseTree(view.definition).stmts?.[0]?.stmt;
  if (query === undefined || !('SelectStmt' in query)) {
    analysis.unresolved.add(`view ${key}`);
    return opaqueSource(alias, null);
  }
  analysis.views.push(key);
  const columns = analysis.readers.readQuery(query, null, 'derived');
  analysis.views.pop();
  return derivedSource(range.alias, view.name, columns);
}

function readRange(analysis: Analysis, scope: Scope, range: RangeVar): void {
  const cte = range.schemaname === undefined ? findCte(scope, range.relname ?? '') : null;
  if (cte === null) {
    readTable(analysis, scope, range);
    return;
  }
  const name = range.relname ?? '';
  scope.sources.push(
    cte.columns === null
      ? opaqueSource(range.alias?.aliasname ?? name, null)
      : derivedSource(range.alias, name, cte.columns),
  );
}

function functionColumns(node: Extract<Node, { RangeFunction: unknown }>): string[] | null {
  const { alias, coldeflist } = node.RangeFunction;
  const named = namesOf(alias?.colnames);
  const defined = (coldeflist ?? []).flatMap((each) =>
    'ColumnDef' in each && each.ColumnDef.colname !== undefined ? [each.ColumnDef.colname] : [],
  );
  return named.length + defined.length > 0 ? [...named, ...defined] : null;
}

/** Reads one FROM item into the scope's sources. */
export function readFrom(analysis: Analysis, scope: Scope, item: Node): void {
  if ('RangeVar' in item) readRange(analysis, scope, item.RangeVar);
  else if ('JoinExpr' in item) readJoin(analysis, scope, item.JoinExpr);
  else if ('RangeSubselect' in item && item.RangeSubselect.subquery !== undefined) {
    const { subquery, lateral, alias } = item.RangeSubselect;
    // Without LATERAL a sub-select sees the levels around its query, not its neighbours.
    const outer = lateral === true ? scope : withoutSources(scope);
    const columns = analysis.readers.readQuery(subquery, outer, 'derived');
    scope.sources.push(derivedSource(alias, '', columns));
  } else if ('RangeFunction' in item) {
    for (const list of item.RangeFunction.functions ?? []) readExpression(analysis, scope, list);
    const alias = item.RangeFunction.alias?.aliasname ?? '';
    scope.sources.push(opaqueSource(alias, functionColumns(item)));
  } else if ('RangeTableSample' in item) {
    const { relation, args = [], repeatable } = item.RangeTableSample;
    for (const arg of repeatable === undefined ? args : [...args, repeatable])
      readExpression(analysis, scope, arg);
    if (relation !== undefined) readFrom(analysis, scope, relation);
  } else {
    // XMLTABLE, JSON_TABLE: rows out of an expression.
    readExpression(analysis, scope, item);
    const body = Object.values(item)[0] as { alias?: Alias };
    scope.sources.push(opaqueSource(body.alias?.aliasname ?? '', null));
  }
}

/** The scope's names but for its own FROM items. */
function withoutSources(scope: Scope): Scope {
  return { parent: scope.parent, sources: [], ctes: scope.ctes };
}

function visibleColumn(sources: readonly Source[], scope: Scope, name: string): Node | null {
  for (const source of sources) {
    if (columnsOfSource(source, scope).some((column) => column.name === name)) {
      return columnReference(source.alias, name);
    }
  }
  return null;
}

function readJoin(analysis: Analysis, scope: Scope, join: JoinExpr): void {
  const before = scope.sources.length;
  if (join.larg !== undefined) readFrom(analysis, scope, join.larg);
  const middle = scope.sources.length;
  if (join.rarg !== undefined) readFrom(analysis, scope, join.rarg);
  const left = scope.sources.slice(before, middle);
  const right = scope.sources.slice(middle);
  let shared = namesOf(join.usingClause);
  if (join.isNatural === true) {
    const names = new Set(
      right.flatMap((source) => columnsOfSource(source, scope).map((column) => column.name)),
    );
    const ours = left.flatMap((source) => columnsOfSource(source, scope).map((column) => column.name));
    shared = [...new Set(ours)].filter((name) => names.has(name));
  }
  for (const name of shared) {
    const a = visibleColumn(left, scope, name);
    const b = visibleColumn(right, scope, name);
    if (a !== null && b !== null) readJoinUsing(analysis, scope, a, b);
  }
  if (join.quals !== undefined) readCondition(analysis, scope, join.quals);
  if (join.alias === undefined) return;
  // `(a JOIN b …) AS j` hides a and b: j's columns stand for theirs.
  const hidden: Scope = { ...childScope(scope), sources: scope.sources.splice(before) };
  const columns = hidden.sources.flatMap((source) => columnsOfSource(source, hidden));
  scope.sources.push(derivedSource(join.alias, '', columns));
}
