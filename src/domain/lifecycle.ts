/**
 * The life of a recommendation, as one table: the store's constraint (a test compares them), the API's refusals and
 * docs/apply.md derive from it.
 */

/** What each state means, for people. */
export const recommendationStateMeanings = {
  open: 'proposed; nobody has decided',
  snoozed: 'set aside until a time, then open again',
  dismissed: 'set aside with a reason; comes back only when its evidence changes',
  superseded: 'no longer proposed by the newest analysis',
  expired: 'open or approved for longer than the policy allows; what spoke for it is too old to act on',
  approved: 'a person, or the policy, agreed to exactly the plan with this hash',
  scheduled: 'waits for the next maintenance window, then it is applied',
  applying: 'its statements run',
  verifying: 'applied; what it gained is being measured',
  succeeded: 'applied and measured to help',
  inconclusive: 'applied; what was measured does not tell whether it helped',
  failed: 'not applied, or measured to harm; the apply says which',
  needs_attention: 'stopped where only a person may decide; the apply says what was left',
} as const;

export type RecommendationState = keyof typeof recommendationStateMeanings;
export const recommendationStates = Object.keys(recommendationStateMeanings) as [
  RecommendationState,
  ...RecommendationState[],
];

/** What happens to a recommendation; the word that the audit log keeps. */
export type RecommendationEvent =
  | 'snooze'
  | 'wake'
  | 'dismiss'
  | 'reopen'
  | 'supersede'
  | 'expire'
  | 'approve'
  | 'revoke_approval'
  | 'void_approval'
  | 'schedule'
  | 'unschedule'
  | 'start_apply'
  | 'applied'
  | 'applied_by_hand'
  | 'apply_failed'
  | 'need_attention'
  | 'window_closed'
  | 'verified'
  | 'verified_inconclusive'
  | 'verify_failed';

/** From state → event → to state. What is not listed is refused with `invalid_state_transition`. */
export const recommendationTransitions: Readonly<
  Record<RecommendationState, Partial<Record<RecommendationEvent, RecommendationState>>>
> = {
  open: {
    approve: 'approved',
    snooze: 'snoozed',
    dismiss: 'dismissed',
    supersede: 'superseded',
    expire: 'expired',
    applied_by_hand: 'verifying',
  },
  snoozed: {
    wake: 'open',
    dismiss: 'dismissed',
    supersede: 'superseded',
    applied_by_hand: 'verifying',
  },
  dismissed: { reopen: 'open' },
  superseded: { reopen: 'open' },
  expired: { reopen: 'open', dismiss: 'dismissed' },
  approved: {
    schedule: 'scheduled',
    start_apply: 'applying',
    dismiss: 'dismissed',
    revoke_approval: 'open',
    void_approval: 'open',
    supersede: 'superseded',
    expire: 'expired',
    applied_by_hand: 'verifying',
  },
  scheduled: {
    start_apply: 'applying',
    unschedule: 'approved',
    dismiss: 'dismissed',
    revoke_approval: 'open',
    void_approval: 'open',
    supersede: 'superseded',
    expire: 'expired',
    applied_by_hand: 'verifying',
  },
  applying: {
    applied: 'verifying',
    apply_failed: 'failed',
    need_attention: 'needs_attention',
    window_closed: 'scheduled',
  },
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

/** States from which this event is possible. */
export function statesBefore(event: RecommendationEvent): RecommendationState[] {
  return recommendationStates.filter((state) => recommendationTransitions[state][event] !== undefined);
}

/** The state that `event` leads to, or undefined where the table does not allow it. */
export function nextState(
  from: RecommendationState,
  event: RecommendationEvent,
): RecommendationState | undefined {
  return recommendationTransitions[from][event];
}

/** The two tables of docs/apply.md, as Markdown; a test compares them with the file. */
export function lifecycleMarkdown(): string {
  const rows = recommendationStates.map((state) => {
    const steps = Object.entries(recommendationTransitions[state]).map(([event, to]) => `${event} → ${to}`);
    return `| \`${state}\` | ${recommendationStateMeanings[state]} | ${steps.join(', ') || '–'} |`;
  });
  return ['| state | meaning | what may happen |', '|---|---|---|', ...rows].join('\n');
}
