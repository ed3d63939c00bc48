/** Ways back of applies that were measured to harm, and changes that people made themselves. */
import { type ApplyPlan, BY_HAND_ACTOR, type Recommendation } from '../domain/index.ts';
import { appendAudit } from './audit.ts';
import { type Database, type DatabaseTransaction, newId } from './database.ts';
import { jsonText } from './json-text.ts';
import { holdTarget } from './locks.ts';
import { begin } from './take-over.ts';
import { lockNewest, type RecommendationRow, step } from './transitions.ts';

/** In the transaction of the verdict that asks for them. */
export async function proposeReverts(
  transaction: DatabaseTransaction,
  targetId: string,
  applyId: string,
  reverts: readonly Recommendation[],
): Promise<void> {
  for (const revert of reverts) {
    // The apply stands where the analysis would: nothing else renews it.
    await begin(transaction, targetId, applyId, revert, 1, new Date());
    await appendAudit(transaction, {
      actor: 'verification',
      action: 'recommendation.propose_revert',
      target_id: targetId,
      subject_id: revert.id,
      details: { apply_id: applyId, reverts: revert.reverts, plan_hash: revert.plan_hash },
    });
  }
}

/**
 * What was taken back is dismissed, with its evidence as it was: the next analysis, which sees a target without it,
 * would begin it anew, and the policy apply it again.
 */
export async function setAsideReverted(
  transaction: DatabaseTransaction,
  targetId: string,
  { body }: RecommendationRow,
  applyId: string,
): Promise<void> {
  const { reverts } = body as Recommendation;
  if (!reverts) return;
  const original = await lockNewest(transaction, targetId, reverts.recommendation_id);
  const { generation } = await transaction
    .selectFrom('pgluthier.apply')
    .select('generation')
    .where('target_id', '=', targetId)
    .where('apply_id', '=', reverts.apply_id)
    .executeTakeFirstOrThrow();
  // Somebody has reopened it or decided otherwise meanwhile.
  if (original.generation !== generation || original.state !== 'failed') return;
  await step(transaction, targetId, original, 'dismiss', {
    actor: 'verification',
    reason: `it was measured to harm (${reverts.apply_id}) and taken back (${applyId})`,
    details: { apply_id: applyId },
  });
}

/** Where and when a change was seen that nobody applied through PgLuthier. */
export interface SeenByHand {
  /** When the snapshot with it was collected, ISO. */
  seen_at: string;
  /** The last without it, and the first with it. */
  before_snapshot_id: string;
  after_snapshot_id: string;
}

/** @throws PgLuthierError `invalid_state_transition`. */
export function recordByHand(
  db: Database,
  targetId: string,
  recommendationId: string,
  plan: ApplyPlan,
  { seen_at, before_snapshot_id, after_snapshot_id }: SeenByHand,
) {
  return db.transaction().execute(async (transaction) => {
    await holdTarget(transaction, targetId, 'write');
    const recommendation = await lockNewest(transaction, targetId, recommendationId);
    const applyId = newId('app');
    await step(transaction, targetId, recommendation, 'applied_by_hand', {
      actor: BY_HAND_ACTOR,
      reason: `the snapshot of ${seen_at} shows the change, the one before it does not`,
      details: { apply_id: applyId, seen_at, before_snapshot_id, after_snapshot_id },
    });
    const row = await transaction
      .insertInto('pgluthier.apply')
      .values({
        target_id: targetId,
        apply_id: applyId,
        recommendation_id: recommendationId,
        generation: recommendation.generation,
        state: 'verifying',
        plan: jsonText(plan),
        actor: BY_HAND_ACTOR,
        created_at: seen_at,
        finished_at: seen_at,
        before_snapshot_id,
        after_snapshot_id,
        outcome: jsonText({ outcome: 'applied', pending_restart: false, facts: { by_hand: true } }),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await setAsideReverted(transaction, targetId, recommendation, applyId);
    return row;
  });
}
