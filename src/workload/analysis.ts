/** What is known of a statement while its tree is read: the state that the readers of levels and expressions share. */
import type { Node } from '@pgsql/types';
import type { StatementUsage, UsagePredicate, UsageRelation } from '../domain/index.ts';
import type { Hint } from './hint.ts';
import type { OutputColumn, Scope } from './scope.ts';
import type { CatalogTable, UsageCatalog } from './usage-catalog.ts';

/** A table's range-table entry while its statement is read. */
interface RelationUse {
  table: CatalogTable;
  alias: string;
  /** Null: all. */
  read: Set<string> | null;
  /** Of these, what is not only shown in the result; null: all. */
  used: Set<string> | null;
  written: Set<string>;
  is_written: boolean;
}

/** A column of a relation of the statement. */
export interface ColumnUse {
  relation: number;
  column: string;
}

/** An expression with its columns named as its table names them. */
export interface Expression {
  /** The tree with unqualified column names; derived tables' columns replaced by what they stand for. */
  node: Node;
  columns: ColumnUse[];
  /** Holds something that is no column of a known table: a function's row, an aggregate's result, a set. */
  opaque: boolean;
  parameter: boolean;
  sublink: boolean;
  /**
   * A column whose values it has: of a UNION's column the first branch's, of one that a LIMIT or a window hides the
   * column below. For values of parameters beside it, for no index can be on it.
   */
  like: Expression | null;
}

/** One place where a parameter stands. */
export interface ParameterUse {
  number: number;
  /** Byte offset in the statement's text. */
  location: number;
  hint: Hint;
}

/** A variable of the function that a statement ran in, in the place of a parameter. */
export interface Variable {
  name: string;
  /** Number that it gets as if it were `$n`. */
  number: number;
  /** Byte offsets of its mentions, and how many names each has (`p_id`, `new.id`). */
  locations: number[];
  parts: number;
}

/** An unqualified relation that only a schema off the search path has. */
interface OffPathName {
  location: number;
  schema: string;
}

/** Why a sub-select is read: what its outputs are for. */
export type QueryPurpose = 'top' | 'derived' | 'value' | 'exists';

/** How to read the parts that lead back to query levels: set once, so that readers need not import each other. */
interface Readers {
  readQuery(query: Node, parent: Scope | null, purpose: QueryPurpose, hints?: Hint[]): OutputColumn[];
}

/** The whole state of reading one statement. */
export interface Analysis {
  catalog: UsageCatalog;
  search_path: readonly string[];
  relations: RelationUse[];
  predicates: UsagePredicate[];
  orders: StatementUsage['orders'];
  groups: StatementUsage['groups'];
  has_limit: boolean;
  widest_from: number;
  unresolved: Set<string>;
  parameters: ParameterUse[];
  /** Names that are no columns, by name; null: such a name is unresolved and nothing else. */
  variables: Map<string, Variable> | null;
  off_path: OffPathName[];
  disjunctions: number;
  /** Columns referenced since the innermost sub-select began: tells whether it is correlated. */
  referenced: ColumnUse[];
  expressions: WeakMap<Node, Expression>;
  /** What is read now stands in the statement's result as it is: nothing is done with it here. */
  is_shown: boolean;
  /** Outputs of sub-selects within expressions. */
  outputs: WeakMap<Node, OutputColumn[]>;
  /** Views being expanded, outermost first: a guard against cycles; offsets inside of them are not the statement's. */
  views: string[];
  readers: Readers;
}

/** Notes a query level's FROM list. */
export function noteFrom(analysis: Analysis, items: number): void {
  analysis.widest_from = Math.max(analysis.widest_from, items);
}

/** Relations of an expression. */
export function relationsOf(expression: Expression): Set<number> {
  return new Set(expression.columns.map((column) => column.relation));
}

/** Adds a table to the statement; returns its number. */
export function addRelation(analysis: Analysis, table: CatalogTable, alias: string): number {
  analysis.relations.push({
    table,
    alias,
    read: new Set(),
    used: new Set(),
    written: new Set(),
    is_written: false,
  });
  return analysis.relations.length - 1;
}

/** Notes that a column is read. */
export function noteRead(analysis: Analysis, use: ColumnUse): void {
  analysis.relations[use.relation]?.read?.add(use.column);
  noteReadAgain(analysis, [use]);
}

/** Notes that columns that were read before are read in another place. */
export function noteReadAgain(analysis: Analysis, uses: readonly ColumnUse[]): void {
  if (!analysis.is_shown)
    for (const { relation, column } of uses) analysis.relations[relation]?.used?.add(column);
  analysis.referenced.push(...uses);
}

/**
 * Notes that all of a relation's columns are read.
 * @param isUsed as a row that something is done with; else each of them that is so is noted by itself.
 */
export function noteReadWhole(analysis: Analysis, relation: number, isUsed: boolean): void {
  const use = analysis.relations[relation];
  if (use === undefined) return;
  use.read = null;
  if (isUsed) use.used = null;
}

/** The relations as the domain has them. */
export function usageRelations(analysis: Analysis): UsageRelation[] {
  return analysis.relations.map((use) => ({
    table_oid: use.table.oid,
    schema: use.table.schema,
    table: use.table.name,
    alias: use.alias,
    columns_read:
      use.read === null ? null : [...use.table.columns.keys()].filter((name) => use.read?.has(name)),
    columns_used:
      use.used === null ? null : [...use.table.columns.keys()].filter((name) => use.used?.has(name)),
    columns_written: [...use.written],
    is_written: use.is_written,
  }));
}
