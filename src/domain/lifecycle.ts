/**
 * The life of a recommendation, as one table: the store's constraint, the API's refusals and the docs derive from it.
 */

export const recommendationStates = [
  'open',
  'dismissed',
  'superseded',
  'approved',
  'applying',
  'verifying',
  'succeeded',
  'inconclusive',
  'failed',
  'needs_attention',
] as const;
export type RecommendationState = (typeof recommendationStates)[number];

/** What happens to a recommendation; the word that the audit log keeps. */
export type RecommendationEvent =
  | 'dismiss'
  | 'reopen'
  | 'supersede'
  | 'approve'
  | 'revoke_approval'
  | 'start_apply'
  | 'applied'
  | 'apply_failed'
  | 'need_attention'
  | 'verified'
  | 'verified_inconclusive'
  | 'verify_failed';

/** From state → event → to state. What is not listed is refused with `invalid_state_transition`. */
export const recommendationTransitions: Readonly<
  Record<RecommendationState, Partial<Record<RecommendationEvent, RecommendationState>>>
> = {
  open: { approve: 'approved', dismiss: 'dismissed', supersede: 'superseded' },
  dismissed: { reopen: 'open' },
  superseded: { reopen: 'open' },
  approved: {
    start_apply: 'applying',
    dismiss: 'dismissed',
    revoke_approval: 'open',
    supersede: 'superseded',
  },
  applying: { applied: 'verifying', apply_failed: 'failed', need_attention: 'needs_attention' },
  verifying: {
    verified: 'succeeded',
    verified_inconclusive: 'inconclusive',
    verify_failed: 'failed',
    need_attention: 'needs_attention',
  },
  succeeded: {},
  inconclusive: {},
  failed: { reopen: 'open', dismiss: 'dismissed' },
  needs_attention: { reopen: 'open', dismiss: 'dismissed', apply_failed: 'failed' },
};

/** The state that `event` leads to, or undefined where the table does not allow it. */
export function nextState(
  from: RecommendationState,
  event: RecommendationEvent,
): RecommendationState | undefined {
  return recommendationTransitions[from][event];
}
