/** Approvals: who approved which plan. Written by the transition `approve`, never changed. */
import type { Preconditions } from '../domain/index.ts';
import type { Database, DatabaseTransaction } from './database.ts';

export interface Approval {
  target_id: string;
  recommendation_id: string;
  generation: number;
  /** SHA-256 of the plan that was approved; another one does not run. */
  plan_hash: string;
  actor: string;
  approved_at: string;
  /** What the target was like then; null for approvals of earlier versions. */
  preconditions: Preconditions | null;
}

export interface ApprovalStore {
  /** Newest first, of one recommendation or of all; those that were taken back are among them. */
  list(targetId: string, options: { limit: number; recommendation_id?: string }): Promise<Approval[]>;
}

export async function recordApproval(
  transaction: DatabaseTransaction,
  approval: Omit<Approval, 'approved_at' | 'preconditions'> & { preconditions: string | null },
): Promise<void> {
  await transaction
    .insertInto('pgluthier.approval')
    .values({ ...approval, approved_at: new Date() })
    .execute();
}

export function approvalStore(db: Database): ApprovalStore {
  return {
    list: async (targetId, { limit, recommendation_id }) => {
      let query = db
        .selectFrom('pgluthier.approval')
        .selectAll()
        .where('target_id', '=', targetId)
        .orderBy('approved_at', 'desc')
        .limit(limit);
      if (recommendation_id !== undefined) query = query.where('recommendation_id', '=', recommendation_id);
      return (await query.execute()) as Approval[];
    },
  };
}
