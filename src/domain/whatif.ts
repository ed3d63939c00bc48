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
  /** What a GIN index's metapage says once it was vacuumed or built, by which it is costed. Absent: not GIN. */
  gin?: GinShape;
  /** Of GIN: rows in the lists of all entries together, which is what a build puts in. Absent: not GIN. */
  postings?: number;
}

/** GinMetaPageData's counts (ginblock.h). */
export interface GinShape {
  entry_pages: number;
  /** Pages of posting trees. */
  data_pages: number;
  entries: number;
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
  /**
   * Share of its calls in which a LIMIT does not end an ordered scan early, as the blocks that they read show: the cost
   * is that of the plan and this share of what reading on costs. Absent: nothing is known.
   */
  read_on?: number;
  /** How many times more likely than of others it is that the rows which it wants lie last in an order. Absent: 1. */
  late_rows?: number;
}

/** CREATE STATISTICS: of two and more columns and expressions of a table, or of one expression. */
export interface StatisticsDefinition {
  schema: string;
  table: string;
  columns: readonly string[];
  expressions: readonly string[];
}

/**
 * What ANALYZE would find, which a planner without data cannot know: measured on the target, fitted to observed rows, or
 * assumed. Columns and expressions are numbered from 0, columns first. What is absent would not be kept.
 */
export interface StatisticsContents {
  /** Distinct combinations of two and more of them. */
  n_distinct?: readonly { of: readonly number[]; distinct: number }[];
  /** How far some determine another, 0..1. */
  dependencies?: readonly { from: readonly number[]; to: number; degree: number }[];
  /** Common combinations in their text form (null: NULL), each with its frequency, and that if all were independent. */
  common_values?: {
    values: readonly (readonly (string | null)[])[];
    frequencies: readonly number[];
    base_frequencies: readonly number[];
  };
}

/** What is different from the target as it is. */
export interface Configuration {
  /** Handles from `addIndex` that exist in this configuration. */
  created: readonly string[];
  /** Existing indexes (`schema.name`, unquoted) that do not. */
  hidden: readonly string[];
  /** Planner settings, as SET takes them. */
  settings?: Readonly<Record<string, string>>;
  /** Handles from `addStatistics` and `lowerStatisticsTarget` that are in force. */
  statistics?: readonly string[];
}

/** Statements under one configuration. */
export interface Question {
  configuration: Configuration;
  statements: readonly PlannableStatement[];
}

export interface PlanCost {
  statement_id: string;
  /**
   * Total cost of the plan in planner cost units, with what the sample's `read_on` adds; null: it could not be planned,
   * and `error` says why.
   */
  cost: number | null;
  /** The same by the planner alone: of plans that it can have it takes the one for which this is least. */
  planner_cost: number | null;
  /** Rows that the top node expects. */
  rows: number | null;
  /** Indexes in the plan: handles for created ones, `schema.name` for existing ones. */
  indexes: string[];
  /**
   * Planner cost units that the plan would cost more where the rows that a LIMIT wants come last: it reads rows in an
   * index's order or the table's own and filters them, as often as it is run, and the planner takes for granted that
   * those that pass lie evenly among the others. At worst all that do not pass come before them; times the sample's
   * `late_rows`, and without what `read_on` counts already. 0: no such plan.
   */
  early_end_risk: number;
  /** Planner cost units that such plans would cost more if no LIMIT ended their scans: read to the last row. */
  early_end_rest: number;
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
  /**
   * Makes extended statistics known, with what they would hold; expressions get statistics derived from those of the
   * column that they read. They are in force where a configuration names the handle. Absent: the engine cannot.
   * @throws PgLuthierError `statistics_refused`.
   */
  addStatistics?(definition: StatisticsDefinition, contents: StatisticsContents): Promise<string>;
  /**
   * A column's statistics as ANALYZE would keep them under a lower target: fewer common values, fewer bounds. Absent:
   * the engine cannot.
   * @throws PgLuthierError `statistics_target_not_simulated`: a higher one needs values that nobody has read;
   * `statistics_refused`.
   */
  lowerStatisticsTarget?(
    column: { schema: string; table: string; column: string },
    target: number,
  ): Promise<string>;
  /** One cost a statement, in the order given. A statement that cannot be planned has cost null; it never throws for it. */
  costs(configuration: Configuration, statements: readonly PlannableStatement[]): Promise<PlanCost[]>;
  /** `costs` of several configurations, in the order given: faster where they differ little. */
  costsOfEach(questions: readonly Question[]): Promise<PlanCost[][]>;
  /** EXPLAIN (FORMAT JSON) of one statement, as PostgreSQL gave it. */
  explain(configuration: Configuration, statement: PlannableStatement): Promise<unknown>;
  close(): Promise<void>;
}
