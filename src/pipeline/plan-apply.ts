/** The dry run: exactly what an apply would send now, and everything that would keep it from beginning. */
import {
  type ApplyStep,
  buildPlan,
  type Drift,
  preconditionDrift,
  preflight,
  readPreconditions,
  stepsNow,
} from '../apply/index.ts';
import {
  APPLICABLE_KINDS,
  type ApplyPlan,
  type Blocker,
  needsRestart,
  PgLuthierError,
  type Preconditions,
  type Recommendation,
} from '../domain/index.ts';
import { gatesOfTarget, gatesWithoutTarget, type Refusal } from './apply-gates.ts';
import { shownBlockers } from './blocker-text.ts';
import type { Services } from './services.ts';
import { targetDsn, withReadSession } from './target-session.ts';

export interface PlannedApply {
  target_id: string;
  recommendation_id: string;
  state: Recommendation['state'];
  plan_hash: string;
  /** In order; of an index tree that was built in part, what is missing. */
  steps: ApplyStep[];
  rollback: string[];
  /** Seconds by the recommendation's estimate; null: not estimated. */
  expected_seconds: number | null;
  /** Disk that it needs while it runs, bytes; null: not known. */
  disk_bytes: number | null;
  needs_restart: boolean;
  /** The target as it is now, and as it was when the plan was approved. */
  preconditions: Preconditions;
  approved_preconditions: Preconditions | null;
  /** Why it is no longer what was proposed. */
  drift: Drift[];
  /** Sessions that it would wait for. */
  blockers: Blocker[];
  /** Why it may not begin now although it could. */
  refusals: Refusal[];
  /** It would begin, were it approved. */
  would_start: boolean;
}

/** What is known of the target for one plan; asked once by the dry run and once by the start. */
export async function inspect(
  services: Services,
  targetId: string,
  recommendation: Recommendation,
  plan: ApplyPlan,
  actor: string,
) {
  const { store } = services;
  const policy = await store.applyPolicies.get(targetId);
  const options = { targetId, policy, recommendation, actor };
  const own = await gatesWithoutTarget(services, options);
  const [approval] = await store.approvals.list(targetId, { limit: 1, recommendation_id: recommendation.id });
  const then = approval?.plan_hash === plan.plan_hash ? approval.preconditions : null;
  const dsn = await targetDsn(services, targetId);
  return withReadSession(dsn, 'preflight', async (session) => {
    const { drift, blockers } = await preflight(session, plan);
    const now = await readPreconditions(session, plan.change);
    const { refusals, disk_bytes } = await gatesOfTarget(services, session, options);
    return {
      dsn,
      policy,
      drift: [...drift, ...(then ? preconditionDrift(plan.change, then, now) : [])],
      blockers: await shownBlockers(policy.blocker_queries, blockers),
      refusals: [...own, ...refusals],
      disk_bytes,
      preconditions: now,
      approved_preconditions: then,
      steps: drift.length > 0 ? [] : await stepsNow(session, plan),
    };
  });
}

/**
 * Reads only.
 * @throws PgLuthierError `not_applicable` (422) for a finding.
 */
export async function planApply(
  services: Services,
  targetId: string,
  recommendationId: string,
  actor: string,
): Promise<PlannedApply> {
  const recommendation = await services.store.recommendations.get(targetId, recommendationId);
  if (!APPLICABLE_KINDS.has(recommendation.change.kind)) {
    throw new PgLuthierError({
      code: 'not_applicable',
      status: 422,
      message: `A ${recommendation.kind} is nothing that PgLuthier applies; there is no plan.`,
      remedy: 'Do what it says by hand, or dismiss it with a reason.',
    });
  }
  const plan = buildPlan(recommendation.change);
  const {
    dsn: _dsn,
    policy: _policy,
    ...seen
  } = await inspect(services, targetId, recommendation, plan, actor);
  return {
    target_id: targetId,
    recommendation_id: recommendationId,
    state: recommendation.state,
    plan_hash: plan.plan_hash,
    rollback: plan.rollback,
    expected_seconds: recommendation.estimate.build_seconds ?? null,
    needs_restart: needsRestart(plan.change),
    ...seen,
    would_start: seen.drift.length === 0 && seen.blockers.length === 0 && seen.refusals.length === 0,
  };
}
