/** One recommendation's newest generation, locked, and its steps by the domain's table. */
import {
  type Dismissal,
  evidenceOf,
  nextState,
  PgLuthierError,
  POLICY_ACTOR,
  type Preconditions,
  type Recommendation,
  type RecommendationEvent,
  type RecommendationState,
} from '../domain/index.ts';
import { refuseAgainstPerson } from './against-policy.ts';
import { recordApproval } from './approvals.ts';
import { appendAudit } from './audit.ts';
import type { DatabaseTransaction } from './database.ts';
import { notFound } from './errors.ts';
import { jsonText } from './json-text.ts';

export interface TransitionOptions {
  actor: string;
  /** The plan that the actor saw; another one now is a conflict. */
  expected_plan_hash?: string;
  reason?: string;
  /** Of `snooze`: when it is open again. */
  until?: Date;
  /** Of `approve`: what the target was like then. */
  preconditions?: Preconditions;
  details?: Record<string, unknown>;
}

export interface RecommendationRow {
  recommendation_id: string;
  generation: number;
  state: string;
  plan_hash: string;
  body: unknown;
  rule: string;
  dismissal: unknown;
  snoozed_until: string | null;
}

const columns = [
  'recommendation_id',
  'generation',
  'state',
  'plan_hash',
  'body',
  'rule',
  'dismissal',
  'snoozed_until',
] as const;

/** The newest generation of each recommendation of a target, locked until the transaction ends. */
export async function lockAllNewest(
  transaction: DatabaseTransaction,
  targetId: string,
): Promise<Map<string, RecommendationRow>> {
  const rows = await transaction
    .selectFrom('pgluthier.recommendation')
    .select(columns)
    .where('target_id', '=', targetId)
    .orderBy('recommendation_id')
    .orderBy('generation')
    .forUpdate()
    .execute();
  return new Map(rows.map((row) => [row.recommendation_id, row]));
}

/**
 * One recommendation's newest generation, locked: a second decision at the same time waits here, then sees the first.
 * @throws PgLuthierError `recommendation_not_found`.
 */
export async function lockNewest(
  transaction: DatabaseTransaction,
  targetId: string,
  id: string,
): Promise<RecommendationRow> {
  const newest = transaction
    .selectFrom('pgluthier.recommendation')
    .where('target_id', '=', targetId)
    .where('recommendation_id', '=', id)
    .orderBy('generation', 'desc')
    .limit(1);
  for (;;) {
    const row = await newest.select(columns).forUpdate().executeTakeFirst();
    if (!row) throw notFound('recommendation', id);
    // An analysis that held the lock may have begun a new generation meanwhile.
    const now = await newest.select('generation').executeTakeFirst();
    if (now?.generation === row.generation) return row;
  }
}

/**
 * One step of a locked row, with its audit row and, for an approval, its record.
 * @throws PgLuthierError `invalid_state_transition` (409), `recommendation_changed` (409); `person_decided` (409) where
 * the policy approves what a person decided against.
 */
export async function step(
  transaction: DatabaseTransaction,
  targetId: string,
  row: RecommendationRow,
  event: RecommendationEvent,
  options: TransitionOptions,
): Promise<RecommendationRow> {
  const { recommendation_id, generation, plan_hash } = row;
  const from = row.state as RecommendationState;
  const to = nextState(from, event);
  if (to === undefined) {
    throw new PgLuthierError({
      code: 'invalid_state_transition',
      status: 409,
      message: `This recommendation is ${from}; ${event.replaceAll('_', ' ')} is not possible from there.`,
      remedy: 'Read it again: somebody else may have decided meanwhile.',
      details: { state: from },
    });
  }
  if (options.expected_plan_hash !== undefined && options.expected_plan_hash !== plan_hash) {
    throw new PgLuthierError({
      code: 'recommendation_changed',
      status: 409,
      message: 'The plan of this recommendation is no longer the one with this hash.',
      remedy: 'Read it again and decide on what it says now.',
      details: { plan_hash },
    });
  }
  const body = row.body as Recommendation;
  if (event === 'approve' && options.actor === POLICY_ACTOR) {
    await refuseAgainstPerson(transaction, targetId, { recommendation_id, plan_hash, body });
  }
  const dismissal = to === 'dismissed' ? dismissalOf(row, options) : null;
  await transaction
    .updateTable('pgluthier.recommendation')
    .set({
      state: to,
      dismissal: dismissal === null ? null : jsonText(dismissal),
      snoozed_until: to === 'snoozed' ? untilOf(options) : null,
      scheduled_by: to === 'scheduled' ? options.actor : null,
    })
    .where('target_id', '=', targetId)
    .where('recommendation_id', '=', recommendation_id)
    .where('generation', '=', generation)
    .execute();
  if (event === 'approve') {
    await recordApproval(transaction, {
      target_id: targetId,
      recommendation_id,
      generation,
      plan_hash,
      actor: options.actor,
      preconditions: options.preconditions ? jsonText(options.preconditions) : null,
    });
  }
  await appendAudit(transaction, {
    actor: options.actor,
    action: `recommendation.${event}`,
    target_id: targetId,
    subject_id: recommendation_id,
    details: {
      from,
      to,
      generation,
      plan_hash,
      ...(options.reason === undefined ? {} : { reason: options.reason }),
      ...(options.until === undefined ? {} : { until: options.until.toISOString() }),
      // What spoke for it then: the policy is bound by this until that changes.
      ...(event === 'revoke_approval' ? { evidence: evidenceOf(body) } : {}),
      ...options.details,
    },
  });
  const snoozed_until = to === 'snoozed' ? untilOf(options).toISOString() : null;
  return { ...row, state: to, dismissal, snoozed_until };
}

function untilOf({ until }: TransitionOptions): Date {
  if (until === undefined) throw new Error('a snooze needs its end');
  return until;
}

/** With the evidence as its author saw it. */
function dismissalOf({ body }: RecommendationRow, { actor, reason }: TransitionOptions): Dismissal {
  return {
    actor,
    at: new Date().toISOString(),
    reason: reason ?? null,
    evidence: evidenceOf(body as Recommendation),
  };
}
