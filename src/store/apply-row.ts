/** An apply as the store keeps it. */
import type { ApplyPlan, ApplyState } from '../domain/index.ts';

export interface Apply {
  id: string;
  target_id: string;
  recommendation_id: string;
  state: ApplyState;
  plan: ApplyPlan;
  actor: string;
  created_at: string;
  finished_at: string | null;
  /** Taken right before the change: the end of the window before. */
  before_snapshot_id: string;
  /** Taken right after: the start of the window after; null until then. */
  after_snapshot_id: string | null;
  cancel_requested_at: string | null;
  cancel_requested_by: string | null;
  progress: Record<string, unknown> | null;
  outcome: Record<string, unknown> | null;
  verdict: Record<string, unknown> | null;
  /** Of a setting that was written together with others for one restart. */
  batch_id: string | null;
  /** When the server was seen to run anew since; null: not yet, or it needs no restart. */
  restarted_at: string | null;
}

interface ApplyRow {
  target_id: string;
  apply_id: string;
  generation: number;
  state: string;
  plan: unknown;
  progress: unknown;
  outcome: unknown;
  verdict: unknown;
  recommendation_id: string;
  actor: string;
  created_at: string;
  finished_at: string | null;
  before_snapshot_id: string;
  after_snapshot_id: string | null;
  cancel_requested_at: string | null;
  cancel_requested_by: string | null;
  batch_id: string | null;
  restarted_at: string | null;
}

export function toApply({ apply_id, generation: _, ...row }: ApplyRow): Apply {
  return { id: apply_id, ...row } as Apply;
}
