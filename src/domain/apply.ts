/** Applying an approved change: the plan's steps, the journal's rows, the verdict. */
import type { Change } from './change.ts';
import type { Blocker } from './errors.ts';

/** The frozen plan of one apply: rendered once, hashed, approved, then run as it stands. */
export interface ApplyPlan {
  change: Change;
  statements: string[];
  rollback: string[];
  /** SHA-256 hex over the canonical JSON of the three above. */
  plan_hash: string;
}

/** What a plan takes for granted about its target: read when it is approved, compared when it is applied. */
export interface Preconditions {
  /** ISO time of reading. */
  read_at: string;
  server_version_num: number;
  /** The table that the change works on; null for a setting, and where there was none. */
  table: {
    oid: number;
    /** pg_class.reltuples, of all leaves where it is partitioned; null: never analysed. */
    rows: number | null;
    bytes: number;
  } | null;
}

export const applyStates = ['queued', 'running', 'verifying', 'done', 'failed', 'needs_attention'] as const;
export type ApplyState = (typeof applyStates)[number];

export const journalStates = ['intended', 'done', 'failed', 'cleaned_up', 'unknown'] as const;
/** intended is written before the statement is sent; what never got further is looked into at the next start. */
export type JournalState = (typeof journalStates)[number];

/** One statement of an apply in the journal. */
export interface JournalEntry {
  step: number;
  /** statement, cleanup, or check: what it was sent for. */
  purpose: 'statement' | 'cleanup' | 'analyze';
  sql: string;
  state: JournalState;
  /** Backend that runs it, so that a later start can tell whether it still does. */
  backend_pid: number | null;
  backend_start: string | null;
  started_at: string;
  finished_at: string | null;
  sqlstate: string | null;
  message: string | null;
}

/** Where the journal is kept; every call returns only once the row is durable. */
export interface Journal {
  /** Writes an `intended` row and returns its step number. */
  intend(entry: Pick<JournalEntry, 'purpose' | 'sql' | 'backend_pid' | 'backend_start'>): Promise<number>;
  settle(
    step: number,
    outcome: Pick<JournalEntry, 'sqlstate' | 'message'> & { state: Exclude<JournalState, 'intended'> },
  ): Promise<void>;
  entries(): Promise<JournalEntry[]>;
}

/** Progress of a running apply, for whoever polls it. */
export interface ApplyProgress {
  phase: string;
  /** done / total, 0..1; null: the server counts nothing in this phase. */
  fraction: number | null;
  /** How much of the phase is done, in the server's unit. Absent: it counts nothing. */
  done?: number;
  total?: number;
  /** Pages of the table or index, rows, or sessions that are waited for. */
  unit?: 'blocks' | 'tuples' | 'sessions';
  /**
   * Seconds until this phase ends if it goes on at the pace seen of it (apply/pace.ts). Absent or null: not to be told
   * yet, or it waits for others.
   */
  eta_seconds?: number | null;
  blockers: Blocker[];
  /** Sessions that wait for us. */
  waiters?: Blocker[];
}

export type ApplyOutcome =
  | { outcome: 'applied'; pending_restart: boolean; facts: Record<string, unknown> }
  | { outcome: 'failed'; code: string; message: string; facts: Record<string, unknown> }
  | { outcome: 'needs_attention'; code: string; message: string; facts: Record<string, unknown> };

/**
 * Code of an apply that ended because the target's maintenance window closed before its next statement: it goes on in the
 * next window, as another apply.
 */
export const WINDOW_CLOSED = 'window_closed';

/** Who made a change that nobody applied through PgLuthier, as applies and the audit log name it. */
export const BY_HAND_ACTOR = 'by hand';

/** Other statements that must have run often enough to tell how the whole server's speed changed. */
export const MIN_CONTROLS = 3;
/** Said of a verdict on statements where there were fewer: one sentence, so that a list of verdicts can say it once. */
export const SHIFT_UNKNOWN = `Fewer than ${MIN_CONTROLS} other statements ran often enough to tell whether the whole server got faster or slower, so that only much more than its usual swings was counted.`;

export const verdicts = ['succeeded', 'inconclusive', 'regressed'] as const;
export type VerdictWord = (typeof verdicts)[number];

/** A statement's measured time before and after. */
export interface MeasuredStatement {
  query_id: string;
  query: string;
  calls_before: number;
  calls_after: number;
  mean_ms_before: number;
  mean_ms_after: number;
  /** after / before. */
  ratio: number;
  /** Two-sided p of Welch's test on the interval means, not yet corrected for several; null where it could not be computed. */
  p_value: number | null;
  /** Shared blocks that each call asked for, found in the cache or read. */
  blocks_per_call_before: number;
  blocks_per_call_after: number;
  wal_bytes_per_call_before: number;
  wal_bytes_per_call_after: number;
  /** Intervals in which it ran. */
  intervals_before: number;
  intervals_after: number;
}

export interface Verdict {
  verdict: VerdictWord;
  reason: string;
  statements: MeasuredStatement[];
  /** SQL that takes the change back, where it regressed and can be. */
  revert?: string[];
  /** Recommendations that propose to take it back. Absent: it did not regress, or nothing takes it back. */
  revert_recommendation_ids?: string[];
  /** Other measures, e.g. idx_scan of the new index over the window. */
  measures: {
    name: string;
    before: number | null;
    after: number | null;
    unit: string | null;
    /** View and columns that it was read from. Absent in verdicts of older versions. */
    source?: string;
    /** Two-sided; null: it could not be tested. Absent: it was not to be. */
    p_value?: number | null;
  }[];
}
