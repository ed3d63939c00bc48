/** Approvals: who approved which plan. Written by the transition `approve`, never changed. */
import type { Database, DatabaseTransaction } from './database.ts';

export interface Approval {
  target_id: string;
  recommendation_id: string;
  generation: number;
  /** SHA-256 of the plan that was approved; another one does not run. */
  plan_hash: string;
  actor: string;
  approved_at: string;
}

export interface ApprovalStore {
  /** Newest first, of one recommendation or of all; those that were taken back are among them. */
  list(targetId: string, options: { limit: number; recommendation_id?: string }): Promise<Approval[]>;
}

export async function recordApproval(
  transaction: DatabaseTransaction,
  approval: Omit<Approval, 'approved_at'>,
): Promise<void> {
  await transaction
    .insertInto('pgluthier.approval')
    .values({ ...approval, approved_at: new Date() })
    .execute();
}

export function approvalStore(db: Database): ApprovalStore {
  return {
    list: (targetId, { limit, recommendation_id }) => {
      let query = db
        .selectFrom('pgluthier.approval')
        .selectAll()
        .where('target_id', '=', targetId)
        .orderBy('approved_at', 'desc')
        .limit(limit);
      if (recommendation_id !== undefined) query = query.where('recommendation_id', '=', recommendation_id);
      return query.execute();
    },
  };
}
