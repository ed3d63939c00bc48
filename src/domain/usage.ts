/** How a statement uses the columns of tables: what the parse tree says, resolved against a snapshot's catalog. */

/** What a condition lets an index do. */
export type PredicateKind =
  /** = with a constant, parameter or another relation's column */
  | 'equality'
  /** IN (…), = ANY (…) */
  | 'in'
  | 'range'
  | 'is_null'
  | 'is_not_null'
  /** LIKE 'abc%' */
  | 'like_prefix'
  /** LIKE '%abc%', ~, ILIKE: trigram */
  | 'like_infix'
  /** @@ on a tsvector */
  | 'full_text'
  /** @>, ?, ?|, ?&, @?, @@ on jsonb; @>, && on arrays; && and friends on ranges */
  | 'contains'
  /** <->, <#>, <=> in ORDER BY */
  | 'distance'
  /** <> , NOT IN and all else: not served by an index, may be a partial predicate */
  | 'other';

/** A column, or an expression over one table's columns, that a condition or an order is about. */
export interface Operand {
  /** Column name; null for an expression. */
  column: string | null;
  /**
   * Deparsed SQL with the table's own, unqualified column names, e.g. `lower(email)`; null for a plain column. Both
   * are null for an expression with a parameter in it (`meta->>$1`): no index can hold it; the usage of the sampled
   * statement has the constant.
   */
  expression: string | null;
  /** Columns in it. */
  columns: string[];
}

export interface UsagePredicate extends Operand {
  relation: number;
  kind: PredicateKind;
  /** The operator's own name, e.g. `>=`, `@>`, `@@`; of a list `NOT IN`, `<> ALL`, `<> ANY`. */
  operator: string;
  /** Other side is a column of another relation of this statement: a join condition. */
  joins: { relation: number; column: string } | null;
  /** The whole condition deparsed with unqualified column names, when it holds only this table's columns and constants written in the statement (so a partial index could have it); null when a parameter is in it. */
  literal: string | null;
  /** Of a list of constants (kind `in`) with a `literal`: each of them, as pg_stats writes values. Absent: not a list, or a null in it. */
  values?: string[];
  /** It stands in the definition of a view: its constants are the same at every call. */
  of_view?: true;
  /** Under an OR: the OR's number within the statement; null: a top-level conjunct. */
  disjunction: number | null;
  /** A conjunct that every arm of an OR demands: in how many it stands. Absent: in one place. */
  repeats?: number;
  /** Which arm of that OR, from 0: predicates of one arm hold together. Absent outside of an OR. */
  branch?: number;
}

export interface UsageOrder extends Operand {
  relation: number;
  direction: 'asc' | 'desc';
  nulls: 'first' | 'last' | null;
}

/** One range-table entry that is a table of the snapshot. */
export interface UsageRelation {
  table_oid: number;
  schema: string;
  table: string;
  alias: string;
  /** All columns that the statement reads of it; null: all (`SELECT *`, whole-row). */
  columns_read: string[] | null;
  /**
   * Of the columns read, those that something is done with: a condition, a join, an order, a group, a computation. The
   * others only stand in the result as they are. Null: all.
   */
  columns_used: string[] | null;
  /** Columns that an UPDATE/MERGE sets; empty otherwise. */
  columns_written: string[];
  /** Target of INSERT, UPDATE, DELETE, MERGE. */
  is_written: boolean;
}

export interface StatementUsage {
  relations: UsageRelation[];
  predicates: UsagePredicate[];
  /** ORDER BY of a query level whose leading items are of one relation, one list a level. */
  orders: UsageOrder[][];
  /** GROUP BY, DISTINCT and window partitions: sets of operands of one relation. */
  groups: { relation: number; operands: Operand[] }[];
  /** A LIMIT or FETCH FIRST stands at a level with an order. */
  has_limit: boolean;
  /** Items of the longest FROM list of a query level, views' levels and the written table with them. */
  widest_from: number;
  /** What of the statement could not be resolved, for the record. */
  unresolved: string[];
}
