/** Settings of one target that only a restart brings into force: written together, all or none. */

export const restartBatchStates = ['running', 'written', 'failed', 'needs_attention'] as const;
export type RestartBatchState = (typeof restartBatchStates)[number];

/** What a set of settings may take of the host's memory in the worst case, bytes. */
export interface SetMemory {
  worst_case_before: number;
  worst_case_after: number;
  /** What the set may take of the host's memory. */
  budget: number;
  fits: boolean;
  /** The formula with the inputs of after. */
  inputs: string;
}

/** One that was begun. */
export interface RestartBatch {
  id: string;
  target_id: string;
  batch_hash: string;
  actor: string;
  created_at: string;
  state: RestartBatchState;
  finished_at: string | null;
  memory: SetMemory | null;
}
