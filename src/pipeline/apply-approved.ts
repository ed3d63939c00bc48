/** Runs an approved plan on its target, with a snapshot before and after so that it can be verified. */
import { buildPlan, executePlan, preflight } from '../apply/index.ts';
import { type ApplyOutcome, PgLuthierError } from '../domain/index.ts';
import type { Apply } from '../store/index.ts';
import { openTarget } from '../target/index.ts';
import { collectTarget } from './collect-target.ts';
import type { Services } from './services.ts';
import { targetDsn, withReadSession } from './target-session.ts';

/**
 * Checks the plan against the target as it is now, records the apply, and answers; the change itself goes on in the
 * background and is followed through the apply's resource.
 * @throws PgLuthierError `target_drifted` (409) when the target is no longer what was approved, `apply_blocked` (409)
 * with the blockers named when somebody is in the way, `invalid_state_transition` when it was not approved.
 */
export async function startApply(
  services: Services,
  targetId: string,
  recommendationId: string,
  actor: string,
): Promise<Apply> {
  const { store } = services;
  const recommendation = await store.recommendations.get(targetId, recommendationId);
  if (recommendation.state !== 'approved') {
    throw new PgLuthierError({
      code: 'invalid_state_transition',
      status: 409,
      message: `This recommendation is ${recommendation.state}; only an approved one can be applied.`,
      remedy: recommendation.state === 'open' ? 'Approve it first.' : 'See its state and its applies.',
      details: { state: recommendation.state },
    });
  }
  const plan = buildPlan(recommendation.change);
  if (plan.plan_hash !== recommendation.plan_hash) {
    throw new PgLuthierError({
      code: 'recommendation_changed',
      status: 409,
      message: 'The plan rendered now is not the one that was approved.',
      remedy: 'Run an analysis and approve what it proposes.',
    });
  }
  const dsn = await targetDsn(services, targetId);
  const { drift, blockers } = await withReadSession(dsn, 'preflight', (session) => preflight(session, plan));
  if (drift.length > 0) {
    throw new PgLuthierError({
      code: 'target_drifted',
      status: 409,
      message: `The target is no longer what was approved: ${drift.map((item) => item.message).join(' ')}`,
      remedy: 'Run an analysis; it proposes what fits the target as it is now.',
      details: { drift },
    });
  }
  if (blockers.length > 0) {
    throw new PgLuthierError({
      code: 'apply_blocked',
      status: 409,
      message: `${blockers.length} session(s) would make this change wait.`,
      remedy: 'Wait for them or end them yourself; PgLuthier never ends other sessions.',
      blockers,
    });
  }
  const before = await collectTarget(services, targetId);
  const apply = await store.applies.create(targetId, recommendationId, plan, actor, {
    before_snapshot_id: before.id,
  });
  services.background.start(
    () => runApply(services, apply, dsn),
    (error) => services.logger.error({ err: error, apply_id: apply.id }, 'apply escaped its own recording'),
  );
  return apply;
}

/**
 * The change itself; whatever happens is recorded as the apply's outcome. One whose end could not be seen stays open:
 * recovery looks into what it left, once target and store answer.
 */
export async function runApply(services: Services, apply: Apply, dsn: string): Promise<void> {
  const { store, logger } = services;
  let outcome: ApplyOutcome | null;
  try {
    outcome = await executePlan(apply.plan, {
      dsn,
      apply_id: apply.id,
      openSession: openTarget,
      journal: store.applies.journal(apply.target_id, apply.id),
      signal: services.background.signal,
      onProgress: (progress) => {
        store.applies
          .setProgress(apply.target_id, apply.id, progress)
          .catch((error: unknown) =>
            logger.warn({ err: error, apply_id: apply.id }, 'progress not recorded'),
          );
      },
    });
  } catch (error) {
    // Another process has brought it to an end (`apply_not_open`), or the journal or a defect stopped us half-way: what
    // the target has of it is for recovery to say, not for a guess.
    logger.error({ err: error, apply_id: apply.id }, 'apply stopped; recovery looks into what it left');
    if (!(error instanceof PgLuthierError) || error.code === 'apply_not_open') return;
    const sent = await store.applies.journal(apply.target_id, apply.id).entries();
    const word = sent.length === 0 ? 'failed' : 'needs_attention';
    outcome = { outcome: word, code: error.code, message: error.message, facts: {} };
  }
  if (outcome === null) {
    logger.warn({ apply_id: apply.id }, 'the target was lost during an apply; it stays open for recovery');
    return;
  }
  await finishApply(services, apply, outcome);
}

/** Records the outcome with the recommendation's next state, and the snapshot that verification starts from. */
export async function finishApply(services: Services, apply: Apply, outcome: ApplyOutcome): Promise<void> {
  let afterSnapshotId: string | null = null;
  if (outcome.outcome === 'applied') {
    try {
      afterSnapshotId = (await collectTarget(services, apply.target_id)).id;
    } catch (error) {
      // The change stands; verification will start from the next scheduled snapshot.
      services.logger.warn({ err: error, apply_id: apply.id }, 'no snapshot right after the apply');
    }
  }
  await services.store.applies.finish(apply.target_id, apply.id, outcome, {
    after_snapshot_id: afterSnapshotId,
  });
}
