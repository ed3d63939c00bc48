/** Batches of settings that wait for one restart; their applies begin together, in one transaction. */
import {
  type ApplyPlan,
  PgLuthierError,
  type RestartBatch,
  type RestartBatchState,
  type SetMemory,
} from '../domain/index.ts';
import { refuseTooMany } from './apply-limits.ts';
import { type Apply, toApply } from './apply-row.ts';
import { type Database, newId } from './database.ts';
import { jsonText } from './json-text.ts';
import { holdTarget } from './locks.ts';
import { lockNewest, step } from './transitions.ts';

export interface BatchMember {
  recommendation_id: string;
  plan: ApplyPlan;
  /** Who approved it for a window, or began the batch. */
  actor: string;
}

export interface RestartBatchStore {
  /**
   * Records the batch with an apply of each member, all of which move to `applying`, or none.
   * @throws PgLuthierError those of an apply's `create`.
   */
  create(
    targetId: string,
    members: readonly BatchMember[],
    options: {
      batch_hash: string;
      actor: string;
      memory: SetMemory | null;
      before_snapshot_id: string;
      max_per_server: number;
    },
  ): Promise<{ batch: RestartBatch; applies: Apply[] }>;
  finish(targetId: string, batchId: string, state: Exclude<RestartBatchState, 'running'>): Promise<void>;
  /** Newest first. */
  list(targetId: string, limit: number): Promise<RestartBatch[]>;
}

export function restartBatchStore(db: Database): RestartBatchStore {
  return {
    create: (targetId, members, { batch_hash, actor, memory, before_snapshot_id, max_per_server }) =>
      db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'write');
        const [first] = members;
        if (!first) throw new Error('a batch has a member');
        // A batch counts as one change: no table is concerned, and it runs in one session.
        await refuseTooMany(
          transaction,
          targetId,
          first.recommendation_id,
          first.plan.change,
          max_per_server,
        );
        const created_at = new Date();
        const row = await transaction
          .insertInto('pgluthier.restart_batch')
          .values({
            target_id: targetId,
            batch_id: newId('bat'),
            batch_hash,
            actor,
            created_at,
            state: 'running',
            memory: memory === null ? null : jsonText(memory),
          })
          .returningAll()
          .executeTakeFirstOrThrow();
        const applies: Apply[] = [];
        // By id: two that begin at once lock in the same order.
        for (const member of members.toSorted((a, b) =>
          a.recommendation_id < b.recommendation_id ? -1 : 1,
        )) {
          const recommendation = await lockNewest(transaction, targetId, member.recommendation_id);
          const applyId = newId('app');
          await step(transaction, targetId, recommendation, 'start_apply', {
            actor: member.actor,
            expected_plan_hash: member.plan.plan_hash,
            details: { apply_id: applyId, batch_id: row.batch_id },
          });
          const apply = await transaction
            .insertInto('pgluthier.apply')
            .values({
              target_id: targetId,
              apply_id: applyId,
              recommendation_id: member.recommendation_id,
              generation: recommendation.generation,
              state: 'running',
              plan: jsonText(member.plan),
              actor: member.actor,
              created_at,
              before_snapshot_id,
              batch_id: row.batch_id,
            })
            .returningAll()
            .executeTakeFirstOrThrow();
          applies.push(toApply(apply));
        }
        return { batch: toBatch(row), applies };
      }),
    finish: async (targetId, batchId, state) => {
      const done = await db
        .updateTable('pgluthier.restart_batch')
        .set({ state, finished_at: new Date() })
        .where('target_id', '=', targetId)
        .where('batch_id', '=', batchId)
        .where('state', '=', 'running')
        .executeTakeFirst();
      if (done.numUpdatedRows === 1n) return;
      throw new PgLuthierError({
        code: 'invalid_state_transition',
        status: 409,
        message: `Batch ${batchId} has ended already.`,
      });
    },
    list: async (targetId, limit) => {
      const rows = await db
        .selectFrom('pgluthier.restart_batch')
        .selectAll()
        .where('target_id', '=', targetId)
        .orderBy('created_at', 'desc')
        .limit(limit)
        .execute();
      return rows.map(toBatch);
    },
  };
}

function toBatch({
  batch_id,
  memory,
  state,
  ...row
}: {
  target_id: string;
  batch_id: string;
  batch_hash: string;
  actor: string;
  created_at: string;
  state: string;
  finished_at: string | null;
  memory: unknown;
}): RestartBatch {
  return { id: batch_id, ...row, state: state as RestartBatchState, memory: memory as SetMemory | null };
}
