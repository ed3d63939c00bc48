/** One running apply: its session, its journal, and the words for how it ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApplyOutcome, ApplyProgress, Journal, JournalEntry } from '../domain/index.ts';
import type { openTarget, TargetQueryError, TargetSession } from '../target/index.ts';
import { clusterOf } from './cluster.ts';
import { type ApplyStopped, stopReason } from './stopped.ts';

/** SQLSTATEs that decisions are made by. */
export const SQLSTATE = {
  lock_not_available: '55P03',
  deadlock_detected: '40P01',
  query_canceled: '57014',
  duplicate_table: '42P07',
  unique_violation: '23505',
  internal_error: 'XX000',
} as const;

export interface ApplyRun {
  apply_id: string;
  dsn: string;
  openSession: typeof openTarget;
  /** The session that runs the statements and holds the apply's lock. */
  session: TargetSession;
  journal: Journal;
  onProgress: (progress: ApplyProgress) => void;
  guard: Guard;
  /** Aborted: nothing more of the change is sent, and what runs of it is cancelled. */
  signal: AbortSignal;
  /** Longest wait for locks, ms. */
  lockBudgetMs: number;
  /** How long the change takes by its estimate, seconds; null: not estimated. */
  expectedSeconds: number | null;
  /** Longest a statement runs, ms. */
  statementTimeoutMs: number;
  /** Gives the session's connection up: what waits in it ends with `target_connection_lost`. */
  giveUpSession: () => void;
}

/** What keeps a statement from being sent, and ends it where it hurts: the same for an apply and for its recovery. */
export interface Guard {
  /** Others may wait for us so long, ms; null: for ever. */
  yieldAfterMs: number | null;
  /** Stops the apply, for what its watchdog saw; what it left is tidied up. */
  stop: (reason: ApplyStopped) => void;
  /**
   * Asked before each statement of the change itself, not of its tidying up: why it may not begin now, which stops the
   * change; null: it may. Absent: whoever began has asked.
   * @param seconds how long it will take by its estimate; null: not estimated.
   */
  mayBegin?: (seconds: number | null) => Promise<ApplyStopped | null>;
  /**
   * Asked before each statement, also of the tidying up: why it is to wait. Absent: whoever began has asked. A recovery
   * begins at a time that nobody chose.
   */
  heldBy?: () => Promise<string | null>;
  /** Aborted: the tidying up is cancelled too, and waits. Absent: it goes on, for it is what a stop leads to. */
  hold?: AbortSignal;
  /** Asked before an index that a cut-off drop left invalid is rebuilt, which may take hours. Absent: nothing stops that. */
  healing?: () => Promise<HealingWatch>;
}

/** What stops the rebuild of an index that a cut-off drop left invalid. */
export interface HealingWatch {
  /** Why it may not begin now: the apply stays open; null: it may. */
  held: string | null;
  /** Aborted: it is cancelled; with an ApplyHeld as the reason the apply stays open, else it ends with the index as it is. */
  signal: AbortSignal;
  end(): void;
}

/** application_name of the session that makes the change: how a DBA and the cancel recognise it. */
export const applicationName = (applyId: string): string => `pgluthier:apply:${applyId}`;

/** An outcome is kept though the store is away for seconds: how often it is tried, and the first pause, which doubles. */
const SETTLE_TRIES = 6;
const SETTLE_PAUSE_MS = 200;

/** Keeps what was read right before a change, so that a crash does not lose the way back. */
export async function recordState(run: ApplyRun, sql: string, state: Facts): Promise<void> {
  const { session, journal } = run;
  const step = await journal.intend({
    purpose: 'statement',
    sql,
    backend_pid: session.pid,
    backend_start: session.backendStart,
  });
  const message = JSON.stringify({ ...state, cluster: await clusterOf(session) });
  await settleSurely(journal, step, { state: 'done', sqlstate: null, message });
}

/** The cluster that the states were read of; null: none was kept, or it could not be told. */
function recordedCluster(entries: readonly JournalEntry[]): string | null {
  for (const { state, message } of entries) {
    if (state !== 'done' || !message?.startsWith('{')) continue;
    const { cluster } = JSON.parse(message) as { cluster?: string };
    if (cluster !== undefined && cluster !== '0') return cluster;
  }
  return null;
}

/**
 * What is to be said where another cluster answers than the one whose states the journal kept: nothing there is ours.
 * Null: it is the same one, or one of both cannot be told.
 */
export async function elsewhere(
  session: TargetSession,
  entries: readonly JournalEntry[],
): Promise<ApplyOutcome | null> {
  const [then, now] = [recordedCluster(entries), await clusterOf(session)];
  if (then === null || now === '0' || now === then) return null;
  return needsAttention(
    'another_cluster',
    `The target is another cluster (system identifier ${now}) than the one that the apply ran on (${then}); nothing was touched. What it left there the journal tells.`,
    { cluster: then },
  );
}

/** What `recordState` kept under this text; null: nothing. */
export function recordedState(entries: readonly JournalEntry[], sql: string): Facts | null {
  const entry = entries.findLast((one) => one.sql === sql && one.state === 'done' && one.message !== null);
  return entry?.message ? (JSON.parse(entry.message) as Facts) : null;
}

export async function settleSurely(
  journal: Journal,
  ...[step, outcome]: Parameters<Journal['settle']>
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await journal.settle(step, outcome);
      return;
    } catch (error) {
      if (attempt === SETTLE_TRIES) throw error;
      await sleep(SETTLE_PAUSE_MS * 2 ** (attempt - 1));
    }
  }
}

/** Session settings of what comes next, ms; 0: none. */
export async function setTimeouts(
  session: TargetSession,
  timeouts: { lock_timeout: number; statement_timeout: number },
): Promise<void> {
  await session.query(
    "SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', $2, false)",
    [String(timeouts.lock_timeout), String(timeouts.statement_timeout)],
  );
}

export type Facts = Record<string, unknown>;

export function applied(facts: Facts, pendingRestart = false): ApplyOutcome {
  return { outcome: 'applied', pending_restart: pendingRestart, facts };
}

export function failed(code: string, message: string, facts: Facts = {}): ApplyOutcome {
  return { outcome: 'failed', code, message, facts };
}

export function needsAttention(code: string, message: string, facts: Facts = {}): ApplyOutcome {
  return { outcome: 'needs_attention', code, message, facts };
}

/** The stable word and the sentence for a statement that the server refused. */
export function reasonOf(run: Pick<ApplyRun, 'signal'>, error: TargetQueryError): [string, string] {
  switch (error.sqlstate) {
    case SQLSTATE.lock_not_available:
      return ['lock_timeout', 'It waited for locks longer than allowed and gave up.'];
    case SQLSTATE.deadlock_detected:
      return ['deadlock', 'The server ended it to resolve a deadlock with another session.'];
    case SQLSTATE.query_canceled:
      return run.signal.aborted
        ? stopReason(run.signal)
        : ['statement_cancelled', 'It ran into its time limit, or somebody cancelled it on the server.'];
    case SQLSTATE.duplicate_table:
      return ['name_taken', 'There is a relation of this name already.'];
    case SQLSTATE.unique_violation:
      return ['unique_violation', 'The table has rows that the unique index does not allow.'];
    default:
      // The server ends its messages without a stop; ours go on.
      return ['statement_failed', /[.!?:]$/.test(error.message) ? error.message : `${error.message}.`];
  }
}
