/** The scorecard of a target: values, grades and the checklist; and how one compares with another. */
import { z } from 'zod';
import { evidenceSchema, limitSchema } from './recommendation.ts';
import { windowHeaderSchema } from './report.ts';
import { scorecardGrades, scorecardMetricIds } from './scorecard-metrics.ts';

const gradeSchema = z.enum(scorecardGrades);

export const scorecardMetricSchema = z.object({
  id: z.enum(scorecardMetricIds),
  title: z.string(),
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  /** Null: not seen, or not enough of it; `note` and a limit say why. */
  value: z.number().nullable(),
  /** Where the value is worked out from a mean and a variance: what it cannot be below or above whatever the shape. */
  low: z.number().nullable(),
  high: z.number().nullable(),
  /** measured: counted or read. estimated: derived, by the formula in the evidence. */
  level: z.enum(['measured', 'estimated']),
  grade: gradeSchema,
  /** The whole of low..high has the same grade. */
  certain: z.boolean(),
  /** It rests on less than a day, or on a single moment. */
  provisional: z.boolean(),
  /** What the value covers, seconds; null: one moment, or since a reset whose time is not known. */
  covers_seconds: z.number().nullable(),
  /** Null: this metric is not graded. */
  thresholds: z.object({ target: z.number(), acceptable: z.number(), critical: z.number() }).nullable(),
  /** Where the thresholds come from. */
  thresholds_source: z.string(),
  evidence: z.array(evidenceSchema),
  /** What to mind, in a sentence; null: nothing. */
  note: z.string().nullable(),
});
export type ScorecardMetric = z.infer<typeof scorecardMetricSchema>;

export const checklistSections = [
  'database',
  'application',
  'caching',
  'resources',
  'testing',
  'monitoring',
  'operations',
] as const;

export const checklistItemSchema = z.object({
  id: z.string(),
  section: z.enum(checklistSections),
  question: z.string(),
  /** Whose question it is. */
  from: z.enum(['guide', 'ours']),
  /** `unknown`: it cannot be seen from here, or not yet. Never a guess. */
  answer: z.enum(['yes', 'no', 'unknown']),
  because: z.string(),
  evidence: z.array(evidenceSchema),
  /** What to do where it is not a yes; null: nothing to be done here. */
  remedy: z.string().nullable(),
});
export type ChecklistItem = z.infer<typeof checklistItemSchema>;

export const scorecardSchema = z.object({
  format_version: z.literal(1),
  target: z.object({
    id: z.string().nullable(),
    name: z.string(),
    database: z.string(),
    server_version: z.string(),
    server_version_num: z.number(),
    database_size_bytes: z.number().nullable(),
  }),
  window: windowHeaderSchema,
  generated_at: z.string(),
  /** The worst grade among the graded metrics; `unknown` where none could be graded. */
  overall: gradeSchema,
  /** Metrics of each grade. */
  grades: z.record(gradeSchema, z.number()),
  metrics: z.array(scorecardMetricSchema),
  checklist: z.array(checklistItemSchema),
  limits: z.array(limitSchema),
});
export type Scorecard = z.infer<typeof scorecardSchema>;

export const metricComparisonSchema = z.object({
  id: z.enum(scorecardMetricIds),
  title: z.string(),
  unit: z.string(),
  before: z.number().nullable(),
  now: z.number().nullable(),
  /** now − before, in the unit. */
  change: z.number().nullable(),
  /** change ÷ before; null where before is 0 or unknown. */
  relative: z.number().nullable(),
  /** Both by the thresholds that are in force now. */
  grade_before: gradeSchema,
  grade_now: gradeSchema,
  /** `changed`: it moved, and which way is better is not said. */
  verdict: z.enum(['better', 'same', 'worse', 'changed', 'unknown']),
  /** For derived values: what both can be at all does not overlap. */
  certain: z.boolean(),
});
export type MetricComparison = z.infer<typeof metricComparisonSchema>;

export const scorecardComparisonSchema = z.object({
  baseline: z.object({
    name: z.string(),
    generated_at: z.string(),
    server_version: z.string(),
    window: windowHeaderSchema,
  }),
  metrics: z.array(metricComparisonSchema),
  /** Questions whose answer is another one now. */
  checklist: z.array(
    z.object({
      id: z.string(),
      question: z.string(),
      before: z.enum(['yes', 'no', 'unknown']),
      now: z.enum(['yes', 'no', 'unknown']),
    }),
  ),
  /** What makes the two hard to compare. */
  caveats: z.array(z.string()),
});
export type ScorecardComparison = z.infer<typeof scorecardComparisonSchema>;

/** A scorecard that was kept under a name, to compare later ones with. */
export const scorecardBaselineSchema = z.object({
  name: z.string(),
  saved_at: z.string(),
  actor: z.string(),
  scorecard: scorecardSchema,
});
export type ScorecardBaseline = z.infer<typeof scorecardBaselineSchema>;
