/** A person's decisions: approve, dismiss, reopen, take an approval back. */
import { createHash } from 'node:crypto';
import { APPLICABLE_KINDS, PgLuthierError, type Recommendation } from '../domain/index.ts';
import type { Services } from './services.ts';

/** Binds an approval to the plan that its author saw: another hash means that the advice changed meanwhile. */
export async function approveRecommendation(
  services: Services,
  targetId: string,
  recommendationId: string,
  planHash: string,
  actor: string,
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
  return services.store.recommendations.transition(targetId, recommendationId, 'approve', {
    actor,
    expected_plan_hash: planHash,
  });
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
