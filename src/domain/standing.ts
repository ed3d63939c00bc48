/**
 * Advice that stands from earlier nights, and when what a person set aside may come back: what a rule must know so that
 * advice does not flap.
 */
import { z } from 'zod';
import type { Change } from './change.ts';
import type { RecommendationState } from './lifecycle.ts';
import { type Recommendation, severitySchema } from './recommendation.ts';

/** What spoke for a recommendation when it was dismissed. */
export const adviceEvidenceSchema = z.object({
  severity: severitySchema,
  /** Share of the workload's plan cost that it saved by itself, 0..1; null: its rule tells no such thing. */
  saved_share: z.number().nullable(),
  /** The statements that it helped, each with its part of that share. */
  statements: z.array(z.object({ query_id: z.string(), saved_share: z.number() })),
  /** Calls of the affected statements in the window. */
  calls: z.number(),
  /** Planner cost units, as in the recommendation's estimate. */
  cost_before: z.number().nullable(),
  cost_after: z.number().nullable(),
  size_bytes: z.number().nullable(),
});
export type AdviceEvidence = z.infer<typeof adviceEvidenceSchema>;

/** Who set a recommendation aside, when, why, and on what evidence. */
export const dismissalSchema = z.object({
  actor: z.string(),
  /** ISO time. */
  at: z.string(),
  reason: z.string().nullable(),
  evidence: adviceEvidenceSchema,
});
export type Dismissal = z.infer<typeof dismissalSchema>;

/** One recommendation of an earlier analysis, as the rule that made it is told of it. */
export interface StandingAdvice {
  id: string;
  rule: string;
  key: string;
  state: RecommendationState;
  change: Change;
  /** Null unless it is dismissed. */
  dismissal: Dismissal | null;
}

/** Approved, or on its way: an analysis counts it as done. */
const COMMITTED: ReadonlySet<RecommendationState> = new Set([
  'approved',
  'scheduled',
  'applying',
  'verifying',
  'needs_attention',
]);
export const isCommitted = ({ state }: Pick<StandingAdvice, 'state'>) => COMMITTED.has(state);

/** Times the share that it saved when it was dismissed from which on it is worth a second look. */
export const REOPENS_AT_TIMES = 2;
/** Share of what it saves now that must come from other statements than then. */
export const REOPENS_AT_NEW_STATEMENTS = 0.5;

/** What speaks for a recommendation now, to be kept with its dismissal. */
export function evidenceOf(
  recommendation: Pick<Recommendation, 'severity' | 'gain' | 'affects' | 'estimate'>,
): AdviceEvidence {
  const { severity, gain, affects, estimate } = recommendation;
  return {
    severity,
    saved_share: gain?.saved_share ?? null,
    statements: gain?.statements ?? [],
    calls: affects.reduce((sum, { calls }) => sum + calls, 0),
    cost_before: estimate.cost_before,
    cost_after: estimate.cost_after,
    size_bytes: estimate.size_bytes,
  };
}

/**
 * Whether the evidence of dismissed advice changed so much that it comes back, in words; null: it stays away. It comes
 * back where it saves twice the share of the workload, or where more than half of what it saves is in statements that
 * it did not help then; advice without such a share comes back where it is more severe.
 */
export function evidenceChange(
  then: AdviceEvidence,
  now: Pick<AdviceEvidence, 'severity' | 'saved_share' | 'statements'>,
): string | null {
  if (then.saved_share === null || now.saved_share === null) {
    const rank = (severity: AdviceEvidence['severity']) => severitySchema.options.indexOf(severity);
    return rank(now.severity) < rank(then.severity)
      ? `its severity is ${now.severity}, and was ${then.severity} when it was dismissed`
      : null;
  }
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  if (now.saved_share >= REOPENS_AT_TIMES * then.saved_share && now.saved_share > 0) {
    return `it saves ${percent(now.saved_share)} of the workload's cost, and ${percent(then.saved_share)} when it was dismissed`;
  }
  const known = new Set(then.statements.map(({ query_id }) => query_id));
  const others = now.statements.filter(({ query_id }) => !known.has(query_id));
  const fresh = others.reduce((sum, { saved_share }) => sum + saved_share, 0);
  return fresh > REOPENS_AT_NEW_STATEMENTS * now.saved_share
    ? `${percent(fresh / now.saved_share)} of what it saves is in ${others.length} statement(s) that it did not help when it was dismissed`
    : null;
}
