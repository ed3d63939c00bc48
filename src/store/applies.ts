/** Applies with their journal. An apply and its recommendation move together, in one transaction. */
import {
  type ApplyOutcome,
  type ApplyPlan,
  type ApplyProgress,
  type ApplyState,
  type Journal,
  PgLuthierError,
  POLICY_ACTOR,
  type Recommendation,
  type RecommendationEvent,
  type Verdict,
  WINDOW_CLOSED,
} from '../domain/index.ts';
import { lastCancel, markCancelled, stopReason } from './apply-cancel.ts';
import { refuseTooMany } from './apply-limits.ts';
import { type Apply, toApply } from './apply-row.ts';
import { type Database, newId } from './database.ts';
import { notFound, sqlstate, UNIQUE_VIOLATION } from './errors.ts';
import { journal } from './journal.ts';
import { jsonText } from './json-text.ts';
import { holdTarget } from './locks.ts';
import { proposeReverts, recordByHand, type SeenByHand, setAsideReverted } from './reverts.ts';
import { lockNewest, step } from './transitions.ts';

export interface ApplyStore {
  /**
   * Records the intent and moves the recommendation to `applying`. With `max_per_server` it counts what runs beside it.
   * @throws PgLuthierError `invalid_state_transition`, `recommendation_changed`, `apply_in_progress`, `apply_stopped`,
   * `table_busy`, `server_busy`.
   */
  create(
    targetId: string,
    recommendationId: string,
    plan: ApplyPlan,
    actor: string,
    options: { before_snapshot_id: string; max_per_server?: number },
  ): Promise<Apply>;
  /** @throws PgLuthierError `apply_not_found`. */
  get(targetId: string, applyId: string): Promise<Apply>;
  /** Newest first. */
  list(targetId: string, filter: { state?: ApplyState }): Promise<Apply[]>;
  /** Those that run, or were left running. */
  listOpen(): Promise<Apply[]>;
  /**
   * Asks whoever runs it to stop; see apply-cancel.ts for what is asked again. Of one that has ended since the same actor
   * asked, its end is told.
   * @throws PgLuthierError `apply_not_found`, `invalid_state_transition` where it does not run.
   */
  requestCancel(
    targetId: string,
    applyId: string,
    actor: string,
    options?: { stop_rebuild: boolean },
  ): Promise<Apply>;
  /** Why it is to stop, in words; null: it is not. */
  stopReason(targetId: string, applyId: string): Promise<string | null>;
  /** See apply-cancel.ts. */
  lastCancel(targetId: string, applyId: string): Promise<{ actor: string; at: number } | null>;
  setProgress(targetId: string, applyId: string, progress: ApplyProgress): Promise<void>;
  finish(
    targetId: string,
    applyId: string,
    outcome: ApplyOutcome,
    options: { after_snapshot_id: string | null },
  ): Promise<Apply>;
  /**
   * The verdict so far; with an event it is final and moves the recommendation.
   * @param reverts recommendations that take the change back: proposed with it, or not at all.
   */
  saveVerdict(
    targetId: string,
    applyId: string,
    verdict: Verdict,
    event: RecommendationEvent | null,
    reverts?: readonly Recommendation[],
  ): Promise<Apply>;
  /**
   * The server runs anew since it was written: verification starts from this snapshot, the first of it.
   * @param at pg_postmaster_start_time(), ISO.
   */
  restarted(targetId: string, applyId: string, at: string, snapshotId: string): Promise<Apply>;
  /**
   * A change that was found on the target and that nobody applied through PgLuthier: an apply that is being verified,
   * and its recommendation with it.
   * @throws PgLuthierError `invalid_state_transition` where it was decided on otherwise meanwhile.
   */
  recordByHand(targetId: string, recommendationId: string, plan: ApplyPlan, seen: SeenByHand): Promise<Apply>;
  journal(targetId: string, applyId: string): Journal;
}

const ends: Record<ApplyOutcome['outcome'], { state: ApplyState; event: RecommendationEvent }> = {
  applied: { state: 'verifying', event: 'applied' },
  failed: { state: 'failed', event: 'apply_failed' },
  needs_attention: { state: 'needs_attention', event: 'need_attention' },
};

function endOf(outcome: ApplyOutcome): { state: ApplyState; event: RecommendationEvent } {
  const end = ends[outcome.outcome];
  return outcome.outcome === 'failed' && outcome.code === WINDOW_CLOSED
    ? { ...end, event: 'window_closed' }
    : end;
}

export function applyStore(db: Database): ApplyStore {
  return {
    create: async (targetId, recommendationId, plan, actor, { before_snapshot_id, max_per_server }) => {
      try {
        return await db.transaction().execute(async (transaction) => {
          await holdTarget(transaction, targetId, 'read');
          await refuseTooMany(transaction, targetId, recommendationId, plan.change, max_per_server);
          const recommendation = await lockNewest(transaction, targetId, recommendationId);
          const applyId = newId('app');
          await step(transaction, targetId, recommendation, 'start_apply', {
            actor,
            expected_plan_hash: plan.plan_hash,
            details: { apply_id: applyId },
          });
          const row = await transaction
            .insertInto('pgluthier.apply')
            .values({
              target_id: targetId,
              apply_id: applyId,
              recommendation_id: recommendationId,
              generation: recommendation.generation,
              state: 'running',
              plan: jsonText(plan),
              actor,
              created_at: new Date(),
              before_snapshot_id,
            })
            .returningAll()
            .executeTakeFirstOrThrow();
          return toApply(row);
        });
      } catch (error) {
        if (sqlstate(error) !== UNIQUE_VIOLATION) throw error;
        throw new PgLuthierError({
          code: 'apply_in_progress',
          status: 409,
          message: 'This recommendation is being applied already.',
          remedy: "Follow the running apply in the target's list of applies.",
        });
      }
    },
    get: async (targetId, applyId) => {
      const row = await db
        .selectFrom('pgluthier.apply')
        .selectAll()
        .where('target_id', '=', targetId)
        .where('apply_id', '=', applyId)
        .executeTakeFirst();
      if (!row) throw notFound('apply', applyId);
      return toApply(row);
    },
    list: async (targetId, { state }) => {
      let query = db
        .selectFrom('pgluthier.apply')
        .selectAll()
        .where('target_id', '=', targetId)
        .orderBy('created_at', 'desc');
      if (state) query = query.where('state', '=', state);
      return (await query.execute()).map(toApply);
    },
    listOpen: async () => {
      const rows = await db
        .selectFrom('pgluthier.apply')
        .selectAll()
        .where('state', 'in', ['queued', 'running'])
        .orderBy('created_at')
        .execute();
      return rows.map(toApply);
    },
    requestCancel: async (targetId, applyId, actor, options = { stop_rebuild: false }) =>
      toApply(await markCancelled(db, targetId, applyId, actor, options)),
    stopReason: (targetId, applyId) => stopReason(db, targetId, applyId),
    lastCancel: (targetId, applyId) => lastCancel(db, targetId, applyId),
    setProgress: async (targetId, applyId, progress) => {
      await db
        .updateTable('pgluthier.apply')
        .set({ progress: jsonText(progress) })
        .where('target_id', '=', targetId)
        .where('apply_id', '=', applyId)
        .where('state', '=', 'running')
        .execute();
    },
    finish: (targetId, applyId, outcome, { after_snapshot_id }) =>
      db.transaction().execute(async (transaction) => {
        // As takeOverAll does: a way back steps two recommendations, and both must not wait for each other.
        await holdTarget(transaction, targetId, 'write');
        const { state, event } = endOf(outcome);
        const row = await transaction
          .updateTable('pgluthier.apply')
          .set({
            state,
            outcome: jsonText(outcome),
            after_snapshot_id,
            finished_at: new Date(),
            progress: null,
          })
          .where('target_id', '=', targetId)
          .where('apply_id', '=', applyId)
          .where('state', 'in', ['queued', 'running'])
          .returningAll()
          .executeTakeFirst();
        if (!row) {
          throw new PgLuthierError({
            code: 'invalid_state_transition',
            status: 409,
            message: `Apply ${applyId} has ended already.`,
          });
        }
        const recommendation = await lockNewest(transaction, targetId, row.recommendation_id);
        const after = await step(transaction, targetId, recommendation, event, {
          actor: row.actor,
          details: { apply_id: applyId, outcome: outcome.outcome },
        });
        // What the policy goes on with it looks at anew: its limits may have changed until then.
        if (event === 'window_closed' && row.actor === POLICY_ACTOR) {
          await step(transaction, targetId, after, 'unschedule', { actor: POLICY_ACTOR });
        }
        if (event === 'applied') await setAsideReverted(transaction, targetId, recommendation, applyId);
        return toApply(row);
      }),
    saveVerdict: (targetId, applyId, verdict, event, reverts = []) =>
      db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'read');
        const row = await transaction
          .updateTable('pgluthier.apply')
          .set({ verdict: jsonText(verdict), ...(event ? { state: 'done' } : {}) })
          .where('target_id', '=', targetId)
          .where('apply_id', '=', applyId)
          .where('state', '=', 'verifying')
          .returningAll()
          .executeTakeFirst();
        if (!row) {
          throw new PgLuthierError({
            code: 'invalid_state_transition',
            status: 409,
            message: `Apply ${applyId} is not being verified.`,
          });
        }
        if (event) {
          const recommendation = await lockNewest(transaction, targetId, row.recommendation_id);
          await step(transaction, targetId, recommendation, event, {
            actor: 'verification',
            details: { apply_id: applyId, verdict: verdict.verdict },
          });
          await proposeReverts(transaction, targetId, applyId, reverts);
        }
        return toApply(row);
      }),
    restarted: async (targetId, applyId, at, snapshotId) =>
      toApply(
        await db
          .updateTable('pgluthier.apply')
          .set({ restarted_at: at, after_snapshot_id: snapshotId })
          .where('target_id', '=', targetId)
          .where('apply_id', '=', applyId)
          .where('state', '=', 'verifying')
          .returningAll()
          .executeTakeFirstOrThrow(),
      ),
    recordByHand: async (targetId, recommendationId, plan, seen) =>
      toApply(await recordByHand(db, targetId, recommendationId, plan, seen)),
    journal: (targetId, applyId) => journal(db, targetId, applyId),
  };
}
