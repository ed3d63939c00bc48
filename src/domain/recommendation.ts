/** Recommendations, their evidence, and what was rejected. Shapes are the report's, the store's and the API's alike. */
import { z } from 'zod';
import { changeSchema } from './change.ts';
import { recommendationStates } from './lifecycle.ts';
import { planComparisonSchema } from './plan-tree.ts';

/** measured: seen on the target. simulated: by a real planner on the target's statistics. estimated: a formula. */
export const evidenceLevelSchema = z.enum(['measured', 'simulated', 'estimated']);

export const severitySchema = z.enum(['critical', 'high', 'medium', 'low', 'info']);
export type Severity = z.infer<typeof severitySchema>;

/** One fact behind a recommendation: a number with its unit and where it was read. */
export const evidenceSchema = z.object({
  /** What the number is, e.g. `idx_scan over the window`. */
  name: z.string(),
  value: z.union([z.number(), z.string(), z.boolean(), z.null()]),
  /** bytes, ms, rows, cost (planner cost units), share (0..1), calls, …; null for a text. */
  unit: z.string().nullable().default(null),
  /** View, formula or engine it comes from, e.g. `pg_stat_user_indexes.idx_scan`, `twin EXPLAIN`. */
  source: z.string(),
  level: evidenceLevelSchema,
  /** A formula with its inputs named, where the value was computed. */
  formula: z.string().nullable().default(null),
});
export type Evidence = z.infer<typeof evidenceSchema>;

/** A statement that the change makes faster or slower, by the planner's reckoning. */
export const affectedStatementSchema = z.object({
  query_id: z.string(),
  query: z.string(),
  calls: z.number(),
  /** Calls at the window's rate; null where no time is known (files, counters without a reset's time). */
  calls_per_day: z.number().nullable().optional(),
  /** Share of all analysed database time in the window, 0..1. */
  share_of_time: z.number(),
  /** Planner cost units, weighted over the parameter samples. */
  cost_before: z.number(),
  cost_after: z.number(),
  /**
   * Plans of the sample of its parameters that changes most, now and with everything that is recommended. Their
   * conditions hold that sample's values. Of the statements that gain most only.
   */
  plan_change: planComparisonSchema.optional(),
  /** What stood in the place of its parameters when it was planned. Of the statements that gain most only. */
  parameters: z
    .array(
      z.object({
        number: z.number(),
        /** `schema.table.column` that it meets; null: none that could be told. */
        column: z.string().nullable(),
        /** SQL literals, one a sample; long ones are cut. */
        values: z.array(z.string()),
        source: z.string(),
        /** How far a range reaches, or the kind of a pattern, was erased and nothing tells it: what is saved rests on a guess. */
        guessed: z.boolean().optional(),
      }),
    )
    .optional(),
});
export type AffectedStatement = z.infer<typeof affectedStatementSchema>;

export const estimateSchema = z.object({
  /** Σ calls × plan cost over the affected statements (planner cost units); null where no planner was asked. */
  cost_before: z.number().nullable().default(null),
  cost_after: z.number().nullable().default(null),
  /** Disk the change takes (+) or frees (−), bytes. */
  size_bytes: z.number().nullable().default(null),
  /** Planner-cost-unit equivalent of the extra work that writes do in the window; null where it does not apply. */
  write_overhead: z.number().nullable().default(null),
  /** Seconds that it takes to carry out, by a formula that stands in the evidence; null: not estimated. */
  build_seconds: z.number().nullable().optional(),
});

/** What a change saves by itself, beside nothing else that is recommended: comparable from night to night. */
const gainSchema = z.object({
  /** Share of the analysed workload's plan cost × calls, before writes, 0..1. */
  saved_share: z.number(),
  /** The statements that it is saved in, with their parts of it. */
  statements: z.array(z.object({ query_id: z.string(), saved_share: z.number() })),
});

export const riskSchema = z.object({
  /** Strongest lock that the apply takes and what it blocks, in words. */
  locks: z.string(),
  restart: z.boolean(),
  reload: z.boolean().default(false),
  /** What can go wrong, for a person. */
  notes: z.array(z.string()).default([]),
});

/**
 * The setting that a recommendation proposes, also where a person must set it: the owner's dialect is rendered from it.
 */
export const proposedSettingSchema = z.object({
  name: z.string(),
  /** As ALTER SYSTEM takes it: `64MB`. */
  value: z.string(),
  /** The same as a bare number in pg_settings' own unit, as clouds' parameters take it; words stay. */
  bare_value: z.string(),
  restart: z.boolean(),
  /** Whose sessions it is for; null: all roles'. */
  role: z.string().nullable(),
  /** In which database; null or absent: in all. Neither a role nor a database: the server's. */
  database: z.string().nullable().optional(),
});
export type ProposedSetting = z.infer<typeof proposedSettingSchema>;

/** What a rule hands over: no id, no state, no SQL yet. */
export const draftSchema = z.object({
  /** Rule id, e.g. `index/missing`. */
  rule: z.string(),
  change: changeSchema,
  /**
   * Stable identity of *what is proposed about which object*, without numbers that drift: the same advice on the
   * next night has the same key. E.g. `index.create public.tasks btree(status,created_at desc)`.
   */
  key: z.string(),
  title: z.string(),
  /** Two or three sentences for a DBA: what is wrong, what the change does, what would change this advice. */
  rationale: z.string(),
  severity: severitySchema,
  evidence_level: evidenceLevelSchema,
  /** 0..1: how sure the rule is that the change helps. */
  confidence: z.number().min(0).max(1),
  estimate: estimateSchema,
  /** Absent: its rule tells no such thing. */
  gain: gainSchema.optional(),
  affects: z.array(affectedStatementSchema),
  /** Absent: it proposes no setting. */
  setting: proposedSettingSchema.optional(),
  evidence: z.array(evidenceSchema).min(1),
  /**
   * What a person runs or writes instead of the service, by dialect: the statements of a finding, a parameter group, a
   * manifest, a file. Absent: there is none.
   */
  by_hand: z.array(z.object({ dialect: z.string(), text: z.string() })).optional(),
  risk: riskSchema,
});
export type RecommendationDraft = z.infer<typeof draftSchema>;

export const recommendationStateSchema = z.enum(recommendationStates);

/** A draft with its identity, its SQL and where it stands. */
export const recommendationSchema = draftSchema.extend({
  /** Stable per target: derived from `key`. */
  id: z.string(),
  /** SHA-256 over target, rule and key. */
  fingerprint: z.string(),
  kind: z.string(),
  /** SQL as it would run, one statement an entry. Empty for a finding. */
  statements: z.array(z.string()),
  rollback: z.array(z.string()),
  /** SHA-256 of change, statements and rollback: what an approval is bound to. */
  plan_hash: z.string(),
  state: recommendationStateSchema,
  /** While it is snoozed: when it is open again. */
  snoozed_until: z.string().optional(),
  /** The apply that it takes back, because that one was measured to harm. Absent: it takes nothing back. */
  reverts: z.object({ apply_id: z.string(), recommendation_id: z.string() }).optional(),
});
export type Recommendation = z.infer<typeof recommendationSchema>;

/** How near an index came to being recommended. Shares are of the plan cost × calls of the workload now. */
export const nearnessSchema = z.object({
  /** What it would take on disk, by the size model. */
  size_bytes: z.number(),
  /** What it saves as the only new index; null: it was not asked about by itself. */
  saves_alone: z.number().nullable(),
  /** What it saves beside the recommended indexes; null: it would take the place of one of them. */
  saves_beside: z.number().nullable(),
  /** What it must save there: its writes, the price of its bytes, and what any index must earn; null as before. */
  must_save: z.number().nullable(),
  /** Of `must_save`, what the writes pay for it in the window. */
  writes: z.number(),
  /** The recommended index in whose place it would come, as a candidate is written; null: none, it would join them. */
  instead_of: z.string().nullable(),
  /**
   * By how much it was not taken: `must_save` − `saves_beside`; in the place of another, what the workload and the
   * indexes would cost more. 0 and less: it paid by the known plans, and something else stood in its way.
   */
  short_by: z.number(),
  /** Statements with a plan that reads it, as far as the planner showed one. */
  query_ids: z.array(z.string()),
});
export type Nearness = z.infer<typeof nearnessSchema>;

/** Why a candidate was not recommended: kept and shown. */
export const rejectionSchema = z.object({
  rule: z.string(),
  /** What was considered, e.g. an index definition or a setting. */
  candidate: z.string(),
  /** Stable word for the kind of reason, e.g. `covered_by_existing`, `no_gain`, `backs_constraint`, `statistics_too_young`. */
  code: z.string(),
  reason: z.string(),
  /** The table that it is about, as SQL names it; absent: it is about no table, or its rule does not say. */
  table: z.string().optional(),
  /** Absent: it is no index, or it was not weighed by plans. */
  nearness: nearnessSchema.optional(),
  /** Key that the recommendation would have had: by it advice that stands learns why it is not proposed any more. */
  key: z.string().optional(),
});
export type Rejection = z.infer<typeof rejectionSchema>;

/** Something that could not be seen or analysed, and why. Never an error of the whole. */
export const limitSchema = z.object({
  /** Noun or stage: `statements`, `host`, `twin`, `workload`, … */
  scope: z.string(),
  code: z.string(),
  message: z.string(),
  /** What the operator can do, e.g. the GRANT; null if nothing. */
  remedy: z.string().nullable().default(null),
});
export type Limit = z.infer<typeof limitSchema>;
