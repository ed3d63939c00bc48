/** A person's decisions: approve, dismiss, reopen, take an approval back. */
import { createHash } from 'node:crypto';
import { readPreconditions } from '../apply/index.ts';
import { APPLICABLE_KINDS, PgLuthierError, type Recommendation } from '../domain/index.ts';
import { gatesWithoutTarget, refusalError } from './apply-gates.ts';
import type { Services } from './services.ts';
import { targetDsn, withReadSession } from './target-session.ts';

const LONGEST_SNOOZE_MS = 366 * 86_400_000;

/** Binds an approval to the plan that its author saw: another hash means that the advice changed meanwhile. */
export async function approveRecommendation(
  services: Services,
  targetId: string,
  recommendationId: string,
  planHash: string,
  actor: string,
  reason?: string,
): Promise<Recommendation> {
  const recommendation = await services.store.recommendations.get(targetId, recommendationId);
  if (!APPLICABLE_KINDS.has(recommendation.change.kind)) {
    throw new PgLuthierError({
      code: 'not_applicable',
      status: 422,
      message: `A ${recommendation.kind} is nothing that PgLuthier applies; there is nothing to approve.`,
      remedy: 'Do what it says by hand, or dismiss it with a reason.',
    });
  }
  // What the plan takes for granted is frozen with the decision: another table, major or size voids it later.
  const dsn = await targetDsn(services, targetId);
  const preconditions = await withReadSession(dsn, 'preflight', (session) =>
    readPreconditions(session, recommendation.change),
  );
  return services.store.recommendations.transition(targetId, recommendationId, 'approve', {
    actor,
    expected_plan_hash: planHash,
    preconditions,
    ...(reason === undefined ? {} : { reason }),
  });
}

/** Sets it aside until a time; then it is open again. @throws PgLuthierError `snooze_invalid` (422) for a time that is over or a year away. */
export async function snoozeRecommendation(
  services: Services,
  targetId: string,
  recommendationId: string,
  until: Date,
  actor: string,
): Promise<Recommendation> {
  const ahead = until.getTime() - services.now().getTime();
  if (!(ahead > 0 && ahead <= LONGEST_SNOOZE_MS)) {
    throw new PgLuthierError({
      code: 'snooze_invalid',
      status: 422,
      message: 'A snooze ends in the future, within a year.',
      remedy: 'Give a later time, or dismiss it with a reason.',
    });
  }
  return services.store.recommendations.transition(targetId, recommendationId, 'snooze', { actor, until });
}

/** An approved one is applied when the next window opens. */
export async function scheduleRecommendation(
  services: Services,
  targetId: string,
  recommendationId: string,
  actor: string,
): Promise<Recommendation> {
  const policy = await services.store.applyPolicies.get(targetId);
  if (policy.windows.length === 0) {
    throw new PgLuthierError({
      code: 'no_window',
      status: 409,
      message: 'The policy of this target has no maintenance window to wait for.',
      remedy: 'Give it one, or apply this now.',
    });
  }
  const recommendation = await services.store.recommendations.get(targetId, recommendationId);
  const refusals = await gatesWithoutTarget(services, { targetId, policy, recommendation, actor });
  const refused = refusalError(refusals.filter(({ code }) => code === 'four_eyes'));
  if (refused) throw refused;
  return services.store.recommendations.transition(targetId, recommendationId, 'schedule', { actor });
}

/** Takes it off the schedule; its approval stays. */
export async function unscheduleRecommendation(
  services: Services,
  targetId: string,
  recommendationId: string,
  actor: string,
): Promise<Recommendation> {
  return services.store.recommendations.transition(targetId, recommendationId, 'unschedule', { actor });
}

/** Sets a recommendation aside, with the reason that its author gives. */
export async function dismissRecommendation(
  services: Services,
  targetId: string,
  recommendationId: string,
  reason: string,
  actor: string,
): Promise<Recommendation> {
  return services.store.recommendations.transition(targetId, recommendationId, 'dismiss', { actor, reason });
}

/** Puts a dismissed, superseded or failed recommendation back on the table. */
export async function reopenRecommendation(
  services: Services,
  targetId: string,
  recommendationId: string,
  actor: string,
): Promise<Recommendation> {
  return services.store.recommendations.transition(targetId, recommendationId, 'reopen', { actor });
}

/** Takes an approval back before its apply starts. */
export async function revokeApproval(
  services: Services,
  targetId: string,
  recommendationId: string,
  actor: string,
): Promise<Recommendation> {
  return services.store.recommendations.transition(targetId, recommendationId, 'revoke_approval', { actor });
}

/** How the audit log names the bearer of a token: never by the token. */
export function actorOfToken(token: string): string {
  return `token:${createHash('sha256').update(token).digest('hex').slice(0, 8)}`;
}
