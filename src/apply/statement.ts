/** How each statement of an apply is sent: between two rows of the journal, watched, and never without its guard. */
import type { JournalEntry } from '../domain/index.ts';
import { TargetQueryError } from '../target/index.ts';
import { lockBudgets } from './lock-budgets.ts';
import { watched } from './progress.ts';
import { type ApplyRun, type Guard, SQLSTATE, settleSurely } from './run.ts';
import { WAIT_ENDED, WAITS_FOR_STANDBY } from './standby-wait.ts';
import { ApplyHeld, stopReason } from './stopped.ts';

/** How long after its time limit a statement's answer is still waited for, ms. */
const ANSWER_RESERVE_MS = 60_000;

/**
 * Sends one statement between its two journal rows. A server's error is journalled as failed and thrown on; a lost
 * connection leaves the row `unknown`: nobody here knows whether the statement took effect.
 * @param options.heedAbort the run's signal cancels it. Tidying up does not heed that, for it is what a stop leads to; a
 * watchdog of its own ends it where others wait for it, and so does the guard's hold.
 * @param options.seconds how long it takes by its estimate; absent: not estimated.
 * @param options.until aborted, it is cancelled all the same.
 * @throws ApplyHeld when the guard does not let it be sent now; nothing was sent, or it was cancelled.
 */
export async function journalled(
  run: ApplyRun,
  purpose: JournalEntry['purpose'],
  sql: string,
  options: { heedAbort: boolean; until?: AbortSignal; seconds?: number | null } = { heedAbort: true },
): Promise<void> {
  const { session, journal, guard } = run;
  if (options.heedAbort) {
    run.signal.throwIfAborted();
    await begins(guard, options.seconds ?? null);
  }
  const held = await guard.heldBy?.();
  if (held) throw new ApplyHeld(held);
  const step = await journal.intend({
    purpose,
    sql,
    backend_pid: session.pid,
    backend_start: session.backendStart,
  });
  const { guard: guarding, lockBudgetMs, ...own } = options.heedAbort ? run : tidying(run);
  const signal = options.until ? AbortSignal.any([own.signal, options.until]) : own.signal;
  let waitEnded = false;
  const onNotice = (routine: string) => {
    waitEnded ||= routine === WAITS_FOR_STANDBY;
  };
  const limits = { signal, stop: guarding.stop, yieldAfterMs: guard.yieldAfterMs, lockBudgetMs };
  try {
    await watched(run, limits, () =>
      // The session's own limit is for quick questions; a build runs for hours without a word. `single`: what the
      // text holds came from a catalog or a parser, and is one statement, which the server is to insist on.
      session.query(sql, [], {
        answerWithinMs: run.statementTimeoutMs + ANSWER_RESERVE_MS,
        single: true,
        onNotice,
      }),
    );
  } catch (error) {
    const known = error instanceof TargetQueryError;
    await settleSurely(journal, step, {
      state: known ? 'failed' : 'unknown',
      sqlstate: known ? error.sqlstate : null,
      message: `${error instanceof Error ? error.message : String(error)}${waitEnded ? ` ${WAIT_ENDED}` : ''}`,
    });
    if (known && error.sqlstate === SQLSTATE.query_canceled) {
      if (guard.hold?.aborted) throw new ApplyHeld(stopReason(guard.hold)[1]);
      if (options.until?.reason instanceof ApplyHeld) throw options.until.reason;
      if (!options.heedAbort && signal.aborted)
        throw new TargetQueryError(error.sqlstate, stopReason(signal)[1], error);
    }
    throw error;
  }
  await settleSurely(journal, step, {
    state: purpose === 'cleanup' ? 'cleaned_up' : 'done',
    sqlstate: null,
    message: waitEnded ? WAIT_ENDED : null,
  });
}

/** @throws ApplyStopped, which stops the run too, where the next statement of the change may not begin now. */
export async function begins(guard: Guard, seconds: number | null): Promise<void> {
  const refused = await guard.mayBegin?.(seconds);
  if (!refused) return;
  guard.stop(refused);
  throw refused;
}

/** The run as far as it tidies up: what stopped the change does not stop that, its own watchdog and a hold do. */
export function tidying(run: ApplyRun): ApplyRun {
  const { guard } = run;
  const own = new AbortController();
  return {
    ...run,
    signal: guard.hold ? AbortSignal.any([own.signal, guard.hold]) : own.signal,
    guard: { ...guard, stop: (reason) => own.abort(reason) },
    lockBudgetMs: Math.min(run.lockBudgetMs, lockBudgets.clean_up.lock_timeout_ms),
  };
}
