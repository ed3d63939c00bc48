/** The report: what `pgluthier analyze --json`, the API and the store hold of one analysis. Its zod schema is the OpenAPI schema. */
import { z } from 'zod';
import { limitSchema, recommendationSchema, rejectionSchema } from './recommendation.ts';
import { rejectionGroupSchema } from './rejection-groups.ts';
import { scorecardGrades, scorecardMetricIds } from './scorecard-metrics.ts';

export const windowHeaderSchema = z.object({
  /** ISO time on the target's clock; null when the workload came from files. */
  from: z.string().nullable(),
  to: z.string().nullable(),
  seconds: z.number().nullable(),
  /** Where the workload came from. `cumulative`: one snapshot's counters since their reset. */
  source: z.enum(['window', 'cumulative', 'files']),
});

export const reportSchema = z.object({
  target: z.object({
    id: z.string().nullable(),
    name: z.string(),
    database: z.string(),
    server_version: z.string(),
    server_version_num: z.number(),
    /** Name of a recognised managed service, or null. */
    managed_service: z.string().nullable(),
  }),
  window: windowHeaderSchema,
  summary: z.object({
    generated_at: z.string(),
    statements_seen: z.number(),
    statements_analysed: z.number(),
    /** Σ total_exec_time of the workload, ms. */
    database_time_ms: z.number(),
    /** Share of that time in statements that were really analysed, 0..1. */
    analysed_share_of_time: z.number(),
    /** Σ calls × plan cost of the analysed statements now, and with all index recommendations; null where nothing was simulated. */
    cost_before: z.number().nullable(),
    cost_after: z.number().nullable(),
    /** What no set of the candidates that were looked at can go below (to 1 %, the planner's own tolerance). */
    cost_floor: z.number().nullable().default(null),
    /**
     * The floor, and with it the gap, is an estimate: there was no time to ask about each statement with all candidates
     * (limit `floor_estimated`), or some are planned by genetic search (limit `genetic_search`).
     */
    cost_floor_is_estimate: z.boolean().default(false),
    /**
     * (cost_after − cost_floor) ÷ cost_after: the share of the plan cost left that a better choice among the candidates
     * that were looked at could save at most, if neither writes nor bytes nor a budget counted. Null where nothing was
     * simulated.
     */
    optimality_gap: z.number().nullable().default(null),
    /** Statements that were seen and not analysed, by reason, those of most time first. */
    not_analysed: z
      .array(
        z.object({
          /** Stable: utility, truncated, text_hidden, unparsable, no_sample, refused_by_planner, not_simulated, … */
          code: z.string(),
          reason: z.string(),
          statements: z.number(),
          /** Of the workload's time, 0..1 (of its calls where it came from files). */
          share_of_time: z.number(),
        }),
      )
      .default([]),
    what_if: z
      .object({
        engine: z.string(),
        server_version: z.string(),
        /** Plans that the planner was asked for. */
        questions: z.number(),
        /** Plan costs that followed from those without asking. */
        concluded: z.number().default(0),
      })
      .nullable(),
    recommendations_by_kind: z.record(z.string(), z.number()),
    /** The scorecard's grades in short (docs/scorecard.md); absent: statements of files were analysed, or an older version wrote it. */
    scorecard: z
      .object({
        overall: z.enum(scorecardGrades),
        grades: z.record(z.enum(scorecardGrades), z.number()),
        /** Values that are a warning or critical, the worst first. */
        wanting: z.array(
          z.object({
            id: z.enum(scorecardMetricIds),
            title: z.string(),
            value: z.number(),
            unit: z.string(),
            grade: z.enum(['warning', 'critical']),
            provisional: z.boolean(),
          }),
        ),
      })
      .optional(),
  }),
  recommendations: z.array(recommendationSchema),
  /** All of them, in the order of their groups: the most telling first. */
  rejections: z.array(rejectionSchema),
  /** The same to be read: by reason and table. Empty in reports of older versions. */
  rejection_groups: z.array(rejectionGroupSchema).default([]),
  limits: z.array(limitSchema),
});
export type Report = z.infer<typeof reportSchema>;
