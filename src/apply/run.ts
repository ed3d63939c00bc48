/** One running apply: its session, its journal, and the way each statement is sent. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApplyOutcome, ApplyProgress, Journal, JournalEntry } from '../domain/index.ts';
import { type openTarget, TargetQueryError, type TargetSession } from '../target/index.ts';
import { stopReason } from './stopped.ts';
import type { Watchdog } from './watchdog.ts';

/** SQLSTATEs that decisions are made by. */
export const SQLSTATE = {
  lock_not_available: '55P03',
  deadlock_detected: '40P01',
  query_canceled: '57014',
  duplicate_table: '42P07',
  unique_violation: '23505',
} as const;

export interface ApplyRun {
  apply_id: string;
  dsn: string;
  openSession: typeof openTarget;
  /** The session that runs the statements and holds the apply's lock. */
  session: TargetSession;
  journal: Journal;
  onProgress: (progress: ApplyProgress) => void;
  signal: AbortSignal | undefined;
  /** Longest wait for locks, ms. */
  lockBudgetMs: number;
  /** Longest a statement runs, ms. */
  statementTimeoutMs: number;
  /** Stops our own statement where it hurts; absent: nothing does. */
  watchdog?: Watchdog;
  /** Gives the session's connection up: what waits in it ends with `target_connection_lost`. */
  giveUpSession: () => void;
}

/** How long after its time limit a statement's answer is still waited for, ms. */
const ANSWER_RESERVE_MS = 60_000;

/** application_name of the session that makes the change: how a DBA and the cancel recognise it. */
export const applicationName = (applyId: string): string => `pgluthier:apply:${applyId}`;

/** An outcome is kept though the store is away for seconds: how often it is tried, and the first pause, which doubles. */
const SETTLE_TRIES = 6;
const SETTLE_PAUSE_MS = 200;

/** How often a statement that was told to stop is told again. */
const CANCEL_AGAIN_MS = 1_000;

/**
 * Sends one statement between its two journal rows. A server's error is journalled as failed and thrown on; a lost
 * connection leaves the row `unknown`: nobody here knows whether the statement took effect.
 * @param options.heedAbort the abort signal cancels it (pg_cancel_backend for exactly our backend). Clean-up does not.
 */
export async function journalled(
  run: ApplyRun,
  purpose: JournalEntry['purpose'],
  sql: string,
  options: { heedAbort: boolean } = { heedAbort: true },
): Promise<void> {
  if (options.heedAbort) run.signal?.throwIfAborted();
  const { session, journal } = run;
  const step = await journal.intend({
    purpose,
    sql,
    backend_pid: session.pid,
    backend_start: session.backendStart,
  });
  const stopCancelling = options.heedAbort ? cancelOnAbort(run) : () => Promise.resolve();
  try {
    // The session's own limit is for quick questions; a build runs for hours without a word.
    await session.query(sql, [], { answerWithinMs: run.statementTimeoutMs + ANSWER_RESERVE_MS });
  } catch (error) {
    const known = error instanceof TargetQueryError;
    await settleSurely(journal, step, {
      state: known ? 'failed' : 'unknown',
      sqlstate: known ? error.sqlstate : null,
      message: error instanceof Error ? error.message : String(error),
    });
    throw error;
  } finally {
    await stopCancelling();
  }
  await settleSurely(journal, step, {
    state: purpose === 'cleanup' ? 'cleaned_up' : 'done',
    sqlstate: null,
    message: null,
  });
}

/** Keeps what was read right before a change, so that a crash does not lose the way back. */
export async function recordState(run: ApplyRun, sql: string, state: Facts): Promise<void> {
  const { session, journal } = run;
  const step = await journal.intend({
    purpose: 'statement',
    sql,
    backend_pid: session.pid,
    backend_start: session.backendStart,
  });
  await settleSurely(journal, step, { state: 'done', sqlstate: null, message: JSON.stringify(state) });
}

/** What `recordState` kept under this text; null: nothing. */
export function recordedState(entries: readonly JournalEntry[], sql: string): Facts | null {
  const entry = entries.findLast((one) => one.sql === sql && one.state === 'done' && one.message !== null);
  return entry?.message ? (JSON.parse(entry.message) as Facts) : null;
}

async function settleSurely(
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

/** Cancels our statement when the signal says so, and again until it has ended. Returns how to end this. */
function cancelOnAbort(run: ApplyRun): () => Promise<void> {
  const { signal } = run;
  if (!signal) return () => Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> = Promise.resolve();
  const cancel = () => {
    // What fails here is tried again: the statement itself tells whether it was cancelled.
    sending = cancelBackend(run).catch(() => {});
    timer = setTimeout(cancel, CANCEL_AGAIN_MS);
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return async () => {
    signal.removeEventListener('abort', cancel);
    clearTimeout(timer);
    // A cancel still on its way must not hit the next statement of this session.
    await sending;
    clearTimeout(timer);
  };
}

/** pg_cancel_backend for our backend and no other: pids are used again, so start and name must fit too. */
async function cancelBackend(run: ApplyRun): Promise<void> {
  const canceller = await run.openSession(run.dsn, {
    applicationName: `${applicationName(run.apply_id)}:cancel`,
    readOnly: true,
  });
  try {
    await canceller.query(
      `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
       WHERE pid = $1 AND backend_start = $2::timestamptz AND application_name = $3 AND state = 'active'`,
      [run.session.pid, run.session.backendStart, applicationName(run.apply_id).slice(0, 63)],
    );
  } finally {
    await canceller.close();
  }
}

/**
 * Where the server's commits do not wait for the disk, ours do: what the journal has as done must outlive a crash of the
 * target.
 */
export async function commitDurably(session: TargetSession): Promise<void> {
  await session.query(
    `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`,
  );
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
      return run.signal?.aborted
        ? stopReason(run.signal)
        : ['statement_cancelled', 'It ran into its time limit, or somebody cancelled it on the server.'];
    case SQLSTATE.duplicate_table:
      return ['name_taken', 'There is a relation of this name already.'];
    case SQLSTATE.unique_violation:
      return ['unique_violation', 'The table has rows that the unique index does not allow.'];
    default:
      return ['statement_failed', error.message];
  }
}
