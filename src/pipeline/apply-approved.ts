/** Runs an approved plan on its target, with a snapshot before and after so that it can be verified. */
import { ApplyStopped, asOwner, buildPlan, type Drift, executePlan, voidsApproval } from '../apply/index.ts';
import {
  type ApplyOutcome,
  type ApplyPolicy,
  type ApplyProgress,
  PgLuthierError,
  type Preconditions,
} from '../domain/index.ts';
import type { Apply } from '../store/index.ts';
import { openTarget } from '../target/index.ts';
import { refusalError } from './apply-gates.ts';
import { betweenStatements } from './between-statements.ts';
import { shownProgress } from './blocker-text.ts';
import { collectTarget } from './collect-target.ts';
import { healingOf } from './healing.ts';
import { inspect } from './plan-apply.ts';
import type { Services } from './services.ts';
import { endedBy } from './target-session.ts';

/** How often a running apply asks whether it is to stop, ms. */
const STOP_POLL_MS = 1_000;

/**
 * Checks the plan against the target as it is now, records the apply, and answers; the change itself goes on in the
 * background and is followed through the apply's resource.
 * @throws PgLuthierError `target_drifted` (409) when the target is no longer what was approved, which voids the approval
 * where the plan would have to be another one; `apply_blocked` (409) with the blockers named when somebody is in the way;
 * `invalid_state_transition` when it was not approved; the refusals of apply-gates.ts; those of the store's `create`.
 */
export async function startApply(
  services: Services,
  targetId: string,
  recommendationId: string,
  actor: string,
): Promise<Apply> {
  const { store } = services;
  const recommendation = await store.recommendations.get(targetId, recommendationId);
  if (recommendation.state !== 'approved' && recommendation.state !== 'scheduled') {
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
  const { dsn, policy, drift, blockers, refusals } = await inspect(
    services,
    targetId,
    recommendation,
    plan,
    actor,
  );
  if (drift.length > 0) throw await drifted(services, targetId, recommendationId, drift);
  const refused = refusalError(refusals);
  if (refused) throw refused;
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
    max_per_server: policy.max_applies_per_server,
  });
  services.background.start(
    () => runApply(services, apply, dsn),
    (error) => services.logger.error({ err: error, apply_id: apply.id }, 'apply escaped its own recording'),
  );
  return apply;
}

/** What makes the plan another one voids its approval, with the reason; what is only in its way does not. */
export async function drifted(
  services: Services,
  targetId: string,
  recommendationId: string,
  drift: Drift[],
): Promise<PgLuthierError> {
  const voiding = drift.filter(voidsApproval);
  const messages = drift.map(({ message }) => message).join(' ');
  if (voiding.length > 0) {
    await services.store.recommendations.transition(targetId, recommendationId, 'void_approval', {
      actor: 'preflight',
      reason: voiding.map(({ message }) => message).join(' '),
      details: { codes: voiding.map(({ code }) => code) },
    });
  }
  return new PgLuthierError({
    code: 'target_drifted',
    status: 409,
    message: `The target is no longer what was approved: ${messages}`,
    remedy:
      voiding.length > 0
        ? 'Its approval is void. Run an analysis; it proposes what fits the target as it is now.'
        : 'The approval stands. Mend what is named, and start it again.',
    details: { drift, approval_void: voiding.length > 0 },
  });
}

/**
 * The change itself; whatever happens is recorded as the apply's outcome. One whose end could not be seen stays open:
 * recovery looks into what it left, once target and store answer.
 */
export async function runApply(services: Services, apply: Apply, dsn: string): Promise<void> {
  const { store, logger } = services;
  let outcome: ApplyOutcome | null;
  const policy = await store.applyPolicies.get(apply.target_id);
  const preconditions = await approvedPreconditions(services, apply);
  const { estimate } = await store.recommendations.get(apply.target_id, apply.recommendation_id);
  const stop = followStops(
    // The store is away for a moment; the next round asks again.
    (error) => logger.warn({ err: error, apply_id: apply.id }, 'could not ask whether this apply is to stop'),
    () => store.applies.stopReason(apply.target_id, apply.id),
  );
  try {
    outcome = await executePlan(apply.plan, {
      dsn,
      apply_id: apply.id,
      preconditions,
      expectedSeconds: estimate.build_seconds ?? null,
      mayBegin: betweenStatements(services, apply),
      openSession: asOwner(
        (to, options) => openTarget(to, endedBy(services.background.cutOff, options)),
        apply.plan.change,
      ),
      journal: store.applies.journal(apply.target_id, apply.id),
      signal: AbortSignal.any([services.background.signal, stop.signal]),
      healing: healingOf(services, apply),
      ...yieldOf(policy),
      onProgress: recordProgress(services, apply, policy),
    });
  } catch (error) {
    // Another process has brought it to an end (`apply_not_open`), or the journal or a defect stopped us half-way: what
    // the target has of it is for recovery to say, not for a guess.
    logger.error({ err: error, apply_id: apply.id }, 'apply stopped; recovery looks into what it left');
    if (!(error instanceof PgLuthierError) || error.code === 'apply_not_open') return;
    const sent = await store.applies.journal(apply.target_id, apply.id).entries();
    if (sent.length > 0) return;
    outcome = { outcome: 'failed', code: error.code, message: error.message, facts: {} };
  } finally {
    stop.end();
  }
  if (outcome === null) {
    logger.warn(
      { apply_id: apply.id },
      'the target was lost during an apply, or what is left of it may not be sent now; it stays open for recovery',
    );
    return;
  }
  await finishApply(services, apply, outcome);
}

/** What its approval took for granted, where it is the newest. */
async function approvedPreconditions({ store }: Services, apply: Apply): Promise<Preconditions | null> {
  const [approval] = await store.approvals.list(apply.target_id, {
    limit: 1,
    recommendation_id: apply.recommendation_id,
  });
  return approval?.plan_hash === apply.plan.plan_hash ? approval.preconditions : null;
}

/** The policy's word on giving way, as the apply takes it, ms. */
export function yieldOf({ yield_after_seconds: seconds }: ApplyPolicy): { yieldAfterMs: number | null } {
  return { yieldAfterMs: seconds === null ? null : seconds * 1000 };
}

/**
 * Keeps the progress in the store, with others' statements as the policy shows them: one look after the other, and of
 * those that came while the store was slow the newest alone.
 */
export function recordProgress({ store, logger }: Services, apply: Apply, policy: ApplyPolicy) {
  let newest: ApplyProgress | null = null;
  let writing = Promise.resolve();
  const write = async () => {
    const progress = newest;
    newest = null;
    if (progress === null) return;
    const shown = await shownProgress(policy.blocker_queries, progress);
    await store.applies.setProgress(apply.target_id, apply.id, shown);
  };
  return (progress: ApplyProgress): void => {
    newest = progress;
    writing = writing.then(write).catch((error: unknown) => {
      logger.warn({ err: error, apply_id: apply.id }, 'progress not recorded');
    });
  };
}

/**
 * A cancel or an emergency stop, asked for at any replica, reaches the one that works on the apply by the store: it is
 * asked each second for a reason, which aborts the signal.
 */
export function followStops(
  onFailure: (error: unknown) => void,
  reasonNow: () => Promise<string | null>,
): { signal: AbortSignal; end(): void } {
  const stop = new AbortController();
  const ask = async () => {
    if (stop.signal.aborted) return;
    const reason = await reasonNow();
    if (reason !== null) stop.abort(new ApplyStopped('cancelled', reason));
  };
  const asking = setInterval(() => void ask().catch(onFailure), STOP_POLL_MS);
  return { signal: stop.signal, end: () => clearInterval(asking) };
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
