/**
 * A plan of PostgreSQL's planner for people: EXPLAIN's tree without what only machines need, and what changed from one
 * plan of a statement to another. Texts of conditions are as EXPLAIN gives them, constants included.
 */
import { z } from 'zod';

/** A property of a node that has no field of its own, by EXPLAIN's name: `Index Cond`, `Filter`, `Sort Key`, … */
const planDetailSchema = z.object({ name: z.string(), text: z.string() });
export type PlanDetail = z.infer<typeof planDetailSchema>;

/** One node with what is below it. A field that does not apply is absent. */
export const planTreeSchema = z
  .object({
    /** EXPLAIN's `Node Type`, whatever it is. */
    node_type: z.string(),
    /** Its place below its parent: Outer, Inner, Member, Subquery, InitPlan, SubPlan. */
    relationship: z.string().optional(),
    /** E.g. `InitPlan 1 (returns $0)`, `CTE recent`. */
    subplan_name: z.string().optional(),
    /** Insert, Update, Delete or Merge of a ModifyTable. */
    operation: z.string().optional(),
    /** Plain, Sorted, Hashed or Mixed: of an Aggregate or a SetOp. */
    strategy: z.string().optional(),
    /** Partial or Finalize: an aggregate in two steps. */
    partial_mode: z.string().optional(),
    /** Of a SetOp, e.g. `Except All`. */
    command: z.string().optional(),
    /** Inner, Left, Right, Full, Semi, Anti, …: of a join. */
    join_type: z.string().optional(),
    /** Schema of the relation, where it is known. */
    schema: z.string().optional(),
    /** Table, partition, materialised view or foreign table that is read or written. */
    relation: z.string().optional(),
    /** Function, CTE or tuplestore that is read; provider of a Custom Scan. */
    source: z.string().optional(),
    /** How the plan calls it, where that is not its name. */
    alias: z.string().optional(),
    index: z.string().optional(),
    /** Absent: forward. */
    scan_direction: z.enum(['backward', 'no movement']).optional(),
    /** Shares its work with other processes. */
    parallel: z.boolean().optional(),
    asynchronous: z.boolean().optional(),
    /** A setting such as enable_seqscan forbids it, and there was no other way (since 18). */
    disabled: z.boolean().optional(),
    workers_planned: z.number().optional(),
    /** Partitions that are left out when the statement starts. */
    subplans_removed: z.number().optional(),
    /** Tables that a ModifyTable writes, where they are several. */
    targets: z.array(z.object({ relation: z.string(), alias: z.string().optional() })).optional(),
    /** Planner cost units, until the first row and for all. */
    startup_cost: z.number(),
    total_cost: z.number(),
    /** Rows that the planner expects, per execution and worker. */
    rows: z.number(),
    /** Bytes of a row. */
    width: z.number(),
    details: z.array(planDetailSchema),
    /** So many more siblings (partitions, mostly) are alike and were left out. */
    alike: z.number().optional(),
    /** So many nodes below were left out. */
    left_out: z.number().optional(),
    get children() {
      return z.array(planTreeSchema);
    },
  })
  .meta({ id: 'PlanTree' });
export type PlanTree = z.infer<typeof planTreeSchema>;

export const planChangeKinds = [
  'access',
  'condition',
  'join',
  'sort',
  'aggregate',
  'parallel',
  'node',
  'rows',
  'cost',
] as const;

/** One thing that is different, in words that a DBA reads in EXPLAIN. */
export const planChangeSchema = z.object({
  kind: z.enum(planChangeKinds),
  /** What it is about: a relation or its alias, the relations of a join, a sort key; null: the whole plan. */
  subject: z.string().nullable(),
  /** Null: it was not there. */
  before: z.string().nullable(),
  /** Null: it is gone. */
  after: z.string().nullable(),
  /** The whole in a line, e.g. `orders: Seq Scan → Index Scan using orders_customer_id_idx`. */
  text: z.string(),
});
export type PlanChange = z.infer<typeof planChangeSchema>;

/** Plans of one statement (of one sample of its parameters) as it is now and with everything that is recommended. */
export const planComparisonSchema = z.object({
  before: planTreeSchema,
  after: planTreeSchema,
  /** Accesses, joins, sorts, aggregates, parallel work, other nodes, rows, then the cost of all; empty: the same plan. */
  changes: z.array(planChangeSchema),
});
export type PlanComparison = z.infer<typeof planComparisonSchema>;
