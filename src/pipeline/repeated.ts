/**
 * A request that came twice: a client that lost the answer asks again, at this replica or at another one. What its first
 * request began is what it is told; nothing is begun a second time. A key of its own for each request is not needed: an
 * approval is of one plan, and by one approval one apply begins.
 */
import { PgLuthierError, type Recommendation } from '../domain/index.ts';
import type { Apply } from '../store/index.ts';
import { startApply } from './apply-approved.ts';
import { type StartedBatch, startRestartBatch } from './apply-batch.ts';
import { approveRecommendation } from './approve.ts';
import type { Services } from './services.ts';

/** States that an approval leads to while it is used. */
const AFTER_APPROVAL: ReadonlySet<string> = new Set(['approved', 'scheduled', 'applying', 'verifying']);
const OPEN_APPLY: ReadonlySet<string> = new Set(['queued', 'running', 'verifying']);

/**
 * `approveRecommendation`, but that a plan that the same actor has approved is approved already.
 * @throws PgLuthierError its own; `approved_by` tells whose approval stands where that is another's.
 */
export async function approveOnce(
  services: Services,
  ...[targetId, id, planHash, actor]: [targetId: string, id: string, planHash: string, actor: string]
): Promise<Recommendation> {
  const { store } = services;
  try {
    return await approveRecommendation(services, targetId, id, planHash, actor);
  } catch (error) {
    if (!isAbout(error, ['invalid_state_transition'])) throw error;
    const now = await store.recommendations.get(targetId, id);
    const [approval] = await store.approvals.list(targetId, { limit: 1, recommendation_id: id });
    if (!approval || !AFTER_APPROVAL.has(now.state)) throw error;
    if (approval.actor === actor && approval.plan_hash === planHash && now.plan_hash === planHash) return now;
    throw withDetails(error, { approved_by: approval.actor, approved_at: approval.approved_at });
  }
}

/**
 * `startApply`, but that an apply which the same actor began and which has not ended is the answer.
 * @throws PgLuthierError its own; `apply_in_progress` (409) where another began it; both with the `apply_id` of the last.
 */
export async function applyOnce(
  services: Services,
  ...[targetId, id, actor]: [targetId: string, id: string, actor: string]
): Promise<Apply> {
  try {
    return await startApply(services, targetId, id, actor);
  } catch (error) {
    if (!isAbout(error, ['invalid_state_transition', 'apply_in_progress'])) throw error;
    const applies = await services.store.applies.list(targetId, {});
    const last = applies.find(({ recommendation_id }) => recommendation_id === id);
    if (!last) throw error;
    const details = { apply_id: last.id, apply_state: last.state, started_by: last.actor };
    if (!OPEN_APPLY.has(last.state)) throw withDetails(error, details);
    if (last.actor === actor) return last;
    throw new PgLuthierError({
      code: 'apply_in_progress',
      status: 409,
      message: `${last.actor} began apply ${last.id} of it at ${last.created_at}.`,
      remedy: 'Follow that one.',
      details,
    });
  }
}

/**
 * `startRestartBatch`, but that the batch of this hash which the same actor began last, and which was not taken back, is
 * the answer.
 * @throws PgLuthierError its own; with `batch_id` where another began it or it has failed.
 */
export async function batchOnce(
  services: Services,
  ...[targetId, hash, actor]: [targetId: string, hash: string, actor: string]
): Promise<StartedBatch> {
  const { store } = services;
  try {
    return await startRestartBatch(services, targetId, hash, actor);
  } catch (error) {
    const codes = ['batch_empty', 'batch_changed', 'server_busy', 'invalid_state_transition'];
    if (!isAbout(error, codes)) throw error;
    const [batch] = await store.restartBatches.list(targetId, 1);
    if (batch?.batch_hash !== hash) throw error;
    if (batch.actor !== actor || (batch.state !== 'running' && batch.state !== 'written')) {
      throw withDetails(error, { batch_id: batch.id, batch_state: batch.state, started_by: batch.actor });
    }
    const applies = (await store.applies.list(targetId, {})).filter(({ batch_id }) => batch_id === batch.id);
    return { batch, applies };
  }
}

type Decision = 'revoke_approval' | 'dismiss' | 'reopen' | 'schedule' | 'unschedule';

/**
 * A decision of `approve.ts`, but that one which is the last thing that happened to the recommendation, by the same actor,
 * has been made already.
 */
export async function decideOnce(
  services: Services,
  given: { targetId: string; id: string; event: Decision; actor: string },
  decide: () => Promise<Recommendation>,
): Promise<Recommendation> {
  try {
    return await decide();
  } catch (error) {
    if (!isAbout(error, ['invalid_state_transition'])) throw error;
    const { targetId, id, event, actor } = given;
    const subject = { target_id: targetId, subject_id: id };
    const [last] = await services.store.audit.list({ ...subject, limit: 1 });
    if (last?.actor !== actor || last.action !== `recommendation.${event}`) throw error;
    return services.store.recommendations.get(targetId, id);
  }
}

const isAbout = (error: unknown, codes: readonly string[]): error is PgLuthierError =>
  error instanceof PgLuthierError && codes.includes(error.code);

function withDetails(error: PgLuthierError, details: Record<string, unknown>): PgLuthierError {
  const { code, status, message, remedy, blockers } = error;
  return new PgLuthierError({
    code,
    status,
    message,
    ...(remedy === undefined ? {} : { remedy }),
    ...(blockers === undefined ? {} : { blockers }),
    details: { ...error.details, ...details },
    cause: error,
  });
}
