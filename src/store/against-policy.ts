/** What a person decided against a change binds the target's policy, until the change is another one or a person says so. */
import { sql } from 'kysely';
import {
  type AdviceEvidence,
  evidenceChange,
  evidenceOf,
  PgLuthierError,
  type Recommendation,
  serviceActors,
} from '../domain/index.ts';
import type { Database, DatabaseTransaction } from './database.ts';

/** A person took its approval back, or cancelled its apply. */
export interface DecidedAgainst {
  actor: string;
  /** ISO time. */
  at: string;
  how: 'revoked' | 'cancelled';
}

/** Of one recommendation: the newest generation's plan, and the recommendation as it is now. */
export interface Judged {
  recommendation_id: string;
  plan_hash: string;
  body: Pick<Recommendation, 'severity' | 'gain' | 'affects' | 'estimate'>;
}

/** The last of a person's decisions on a recommendation that bind the policy or set it free. */
export function lastDecision(db: Database | DatabaseTransaction, targetId: string, recommendationId: string) {
  // Condition and expression are those of the index audit_decision_idx, to the letter.
  return db
    .selectFrom('pgluthier.audit')
    .select(['actor', 'at', 'action', 'details'])
    .where('target_id', '=', targetId)
    .where('actor', 'not in', [...serviceActors])
    .where(
      sql<string>`CASE action WHEN 'apply.cancel' THEN details ->> 'recommendation_id' ELSE subject_id END`,
      '=',
      recommendationId,
    )
    .where(
      sql<boolean>`action IN ('recommendation.approve', 'recommendation.reopen', 'recommendation.revoke_approval', 'apply.cancel')`,
    )
    .orderBy('audit_id', 'desc')
    .limit(1);
}

/**
 * A person's last word on it, where that is against it and still counts: the plan is the same, and what speaks for it has
 * not changed as much as would bring dismissed advice back. A person's approval or reopening ends it. The audit log is
 * read, which nobody changes, by the index audit_decision_idx.
 */
export async function decidedAgainst(
  db: Database | DatabaseTransaction,
  targetId: string,
  { recommendation_id, plan_hash, body }: Judged,
): Promise<DecidedAgainst | null> {
  const last = await lastDecision(db, targetId, recommendation_id).executeTakeFirst();
  const how =
    last?.action === 'recommendation.revoke_approval'
      ? 'revoked'
      : last?.action === 'apply.cancel'
        ? 'cancelled'
        : null;
  if (!last || how === null || last.details.plan_hash !== plan_hash) return null;
  const then = last.details.evidence as AdviceEvidence | undefined;
  if (then && evidenceChange(then, evidenceOf(body)) !== null) return null;
  return { actor: last.actor, at: last.at, how };
}

/** @throws PgLuthierError `person_decided` (409). */
export async function refuseAgainstPerson(
  transaction: DatabaseTransaction,
  targetId: string,
  judged: Judged,
): Promise<void> {
  const against = await decidedAgainst(transaction, targetId, judged);
  if (!against) return;
  throw new PgLuthierError({
    code: 'person_decided',
    status: 409,
    message: `${against.actor} ${against.how === 'revoked' ? 'took its approval back' : 'cancelled its apply'} at ${against.at}: the policy does not approve the same plan again.`,
    remedy: 'Approve it yourself, or dismiss and reopen it to leave it to the policy again.',
    details: { decided_by: against.actor, decided_at: against.at },
  });
}
