/**
 * The WhatIf port: a planner that answers "what would this statement cost if …". Engines live in whatif/; advisors
 * only see this.
 */
import type { IndexDefinition } from './change.ts';
import type { PgLuthierError } from './errors.ts';
import type { Limit } from './recommendation.ts';
import type { ColumnRow } from './snapshot.ts';

/** How large an index would be: by the size model (advise/index/size-model.ts) or as measured. */
export interface IndexSize {
  /** Pages of the main fork. */
  pages: number;
  tuples: number;
  /** B-tree levels above the leaves (pg's "level": 0 is a single leaf-root page). Null: not a B-tree. */
  tree_height: number | null;
}

/** A statement as a planner can take it: complete, with every parameter replaced by a sampled literal. */
export interface PlannableStatement {
  /** Unique per text: `query_id` plus the sample's number. */
  id: string;
  query_id: string;
  sql: string;
  /** Role that runs it: its settings and search_path are in force where the engine knows them. Absent: nobody's. */
  role?: string | null;
  /** Weight of this sample among its statement's samples; they sum to 1. */
  weight: number;
}

/** What is different from the target as it is. */
export interface Configuration {
  /** Handles from `addIndex` that exist in this configuration. */
  created: readonly string[];
  /** Existing indexes (`schema.name`, unquoted) that do not. */
  hidden: readonly string[];
  /** Planner settings, as SET takes them. */
  settings?: Readonly<Record<string, string>>;
}

export interface PlanCost {
  statement_id: string;
  /** Total cost of the plan in planner cost units; null: it could not be planned, and `error` says why. */
  cost: number | null;
  /** Rows that the top node expects. */
  rows: number | null;
  /** Indexes in the plan: handles for created ones, `schema.name` for existing ones. */
  indexes: string[];
  error: string | null;
}

export interface WhatIf {
  readonly engine: 'twin' | 'hypopg';
  readonly server_version: string;
  /** Plans asked for so far. */
  readonly questions: number;
  /** Objects that could not be rebuilt, another major than the target's, … */
  readonly limits: readonly Limit[];
  /**
   * Makes an index known and returns its handle; it exists only in configurations that name it.
   * @throws PgLuthierError `candidate_refused` when the engine cannot build this definition.
   */
  addIndex(definition: IndexDefinition, size: IndexSize): Promise<string>;
  /** The same for many at once, which is faster; for one that is refused its error stands in its place. */
  addIndexes(
    wanted: readonly { definition: IndexDefinition; size: IndexSize }[],
  ): Promise<(string | PgLuthierError)[]>;
  /**
   * An expression over a table as if it were its column, with statistics derived from those of the column that it
   * reads: what the size of an index over it depends on. Null where nothing can be told; absent: the engine cannot.
   */
  describeExpression?(schema: string, table: string, expression: string): Promise<ColumnRow | null>;
  /** One cost a statement, in the order given. A statement that cannot be planned has cost null; it never throws for it. */
  costs(configuration: Configuration, statements: readonly PlannableStatement[]): Promise<PlanCost[]>;
  /** EXPLAIN (FORMAT JSON) of one statement, as PostgreSQL gave it. */
  explain(configuration: Configuration, statement: PlannableStatement): Promise<unknown>;
  close(): Promise<void>;
}
