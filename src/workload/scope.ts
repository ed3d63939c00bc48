/** What names mean at a query level. */
import type { Node } from '@pgsql/types';
import { type Analysis, noteReadWhole } from './analysis.ts';

/** What a derived table's column stands for: an expression of its inner scope, one for each branch of a UNION. */
export interface DerivedColumn {
  meanings: { node: Node; scope: Scope }[];
  /** A condition on it can be checked inside: not so below LIMIT, aggregates, windows, materialised CTEs. */
  transparent: boolean;
}

/** A query's result column. */
export interface OutputColumn extends DerivedColumn {
  name: string;
}

/** A FROM item. */
export type Source =
  | {
      kind: 'table';
      alias: string;
      schema: string | null;
      relation: number;
      /** Visible name → the table's column. */
      names: Map<string, string>;
    }
  | { kind: 'derived'; alias: string; columns: Map<string, DerivedColumn> }
  /** A function, VALUES, a system catalog: `names` null when its columns are not known. */
  | { kind: 'opaque'; alias: string; names: Set<string> | null; qualified_only: boolean };

/** A WITH query as references to it see it. */
export interface CteMeaning {
  /** Null while a recursive query refers to itself, or for a query whose columns cannot be told. */
  columns: OutputColumn[] | null;
}

/** One query level. */
export interface Scope {
  parent: Scope | null;
  sources: Source[];
  ctes: Map<string, CteMeaning>;
}

/** A scope below `parent`. */
export function childScope(parent: Scope | null): Scope {
  return { parent, sources: [], ctes: new Map() };
}

/** What a column reference means. */
export type ColumnMeaning =
  | { kind: 'column'; relation: number; column: string }
  | { kind: 'derived'; column: DerivedColumn }
  | { kind: 'row'; source: Source }
  /** A column of something that is not analysed, or a system column. */
  | { kind: 'opaque' }
  | { kind: 'unknown' };

/** Columns that every table has: https://www.postgresql.org/docs/18/ddl-system-columns.html */
const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid']);

function inSource(source: Source, name: string): ColumnMeaning | null {
  switch (source.kind) {
    case 'table': {
      const column = source.names.get(name);
      if (column !== undefined) return { kind: 'column', relation: source.relation, column };
      return SYSTEM_COLUMNS.has(name) ? { kind: 'opaque' } : null;
    }
    case 'derived': {
      const column = source.columns.get(name);
      return column === undefined ? null : { kind: 'derived', column };
    }
    case 'opaque':
      return source.names?.has(name) === true ? { kind: 'opaque' } : null;
  }
}

function findSource(scope: Scope, alias: string, schema: string | null): Source | null {
  for (let level: Scope | null = scope; level !== null; level = level.parent) {
    const found = level.sources.find(
      (source) =>
        source.alias === alias && (schema === null || (source.kind === 'table' && source.schema === schema)),
    );
    if (found !== undefined) return found;
  }
  return null;
}

function resolveBare(scope: Scope, name: string): ColumnMeaning {
  let unknownColumns = false;
  for (let level: Scope | null = scope; level !== null; level = level.parent) {
    for (const source of level.sources) {
      if (source.kind === 'opaque' && source.qualified_only) continue;
      const found = inSource(source, name);
      if (found !== null) return found;
      if (source.kind === 'opaque' && source.names === null) unknownColumns = true;
    }
    const row = level.sources.find((source) => source.alias === name);
    if (row !== undefined) return { kind: 'row', source: row };
  }
  return { kind: unknownColumns ? 'opaque' : 'unknown' };
}

/** Resolves `column`, `alias.column`, `schema.table.column` or a whole-row `alias`, from the innermost level outwards. */
export function resolveColumn(scope: Scope, fields: readonly string[]): ColumnMeaning {
  const name = fields.at(-1) ?? '';
  const alias = fields.at(-2);
  if (alias === undefined) return resolveBare(scope, name);
  const source = findSource(scope, alias, fields.at(-3) ?? null);
  if (source === null) return { kind: 'unknown' };
  const found = inSource(source, name);
  if (found !== null) return found;
  return { kind: source.kind === 'opaque' ? 'opaque' : 'unknown' };
}

/** Sources that `*` or `alias.*` covers. */
export function starSources(scope: Scope, qualifier: readonly string[]): Source[] {
  const alias = qualifier.at(-1);
  if (alias === undefined) {
    return scope.sources.filter((source) => source.kind !== 'opaque' || !source.qualified_only);
  }
  const source = findSource(scope, alias, qualifier.at(-2) ?? null);
  return source === null ? [] : [source];
}

/** The output columns that a source has. */
export function columnsOfSource(source: Source, scope: Scope): OutputColumn[] {
  switch (source.kind) {
    case 'table':
      return [...source.names.keys()].map((name) => ({
        name,
        transparent: true,
        meanings: [{ node: columnReference(source.alias, name), scope }],
      }));
    case 'derived':
      return [...source.columns].map(([name, column]) => ({ name, ...column }));
    case 'opaque':
      return [...(source.names ?? [])].map((name) => ({ name, transparent: false, meanings: [] }));
  }
}

/**
 * Marks a table source as read whole; other sources have their columns marked one by one.
 * @param isUsed as of `noteReadWhole`.
 */
export function noteStar(analysis: Analysis, source: Source, isUsed: boolean): void {
  if (source.kind === 'table') noteReadWhole(analysis, source.relation, isUsed);
}

/** A ColumnRef node. */
export function columnReference(...names: string[]): Node {
  return { ColumnRef: { fields: names.map((sval) => ({ String: { sval } })) } };
}
