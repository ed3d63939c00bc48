/** Follows a statement through a second session: phase, fraction, whom it waits for, and who waits for it. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Blocker } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { blockerOf } from './blockers.ts';
import { doneOf, type Pace, PROGRESS_SQL, pace, type ServerProgress } from './pace.ts';
import type { ApplyRun } from './run.ts';
import { cancelBackend, type SecondSession, secondSession } from './second-session.ts';
import type { ApplyStopped } from './stopped.ts';
import { waitersOf, watching } from './watchdog.ts';

/** A statement that is done by then is never looked at: most are, and a connection costs more than they do. */
const FIRST_LOOK_MS = 250;
const POLL_MS = 1_000;
const SOONEST_MS = 20;
/** How often a statement that was told to stop is told again, ms. */
const CANCEL_AGAIN_MS = 1_000;
/** A watcher that gets no answer for so long opens another connection, ms. */
const ANSWER_WITHIN_MS = 3_000;
/** So long the backend must be seen gone or idle before its answer counts as lost on its way, ms. */
const IDLE_MS = 4_000;

/** How a statement is kept from hurting others. */
interface Limits {
  /** Aborted: it is cancelled. */
  signal: AbortSignal;
  /** Called with the reason where it hurts. */
  stop: (reason: ApplyStopped) => void;
  /** Others may wait for it so long, ms; null: for ever. */
  yieldAfterMs: number | null;
  /** Longest that it waits for others in all, ms. */
  lockBudgetMs: number;
}

/**
 * Runs `work`, which is one statement of the run's session, and reports its progress each second; cancels it when the
 * signal says so, and again until it has ended. Losing sight of it never fails the work; but where the server says that
 * our backend is gone or has nothing to do, while we still wait for it, the network has lost the answer, and the session
 * is given up.
 */
export async function watched<T>(run: ApplyRun, limits: Limits, work: () => Promise<T>): Promise<T> {
  const second = secondSession(run);
  const ended = new AbortController();
  const beside = [watch(run, second, limits, ended.signal), cancelOnAbort(run, second, limits, ended.signal)];
  try {
    return await work();
  } finally {
    ended.abort();
    // A cancel still on its way must not hit the next statement of this session.
    await Promise.all(beside);
    await second.close();
  }
}

async function watch(
  run: ApplyRun,
  second: SecondSession,
  limits: Limits,
  ended: AbortSignal,
): Promise<void> {
  const follower: Follower = { check: watching(limits), pace: pace(), patience: null };
  let idleSince: number | null = null;
  // Who begins to wait for us right after a look is to be seen before the time is over.
  const pollMs = Math.min(POLL_MS, limits.yieldAfterMs ?? POLL_MS);
  await pause(Math.min(FIRST_LOOK_MS, pollMs), ended);
  while (!ended.aborted) {
    let next = pollMs;
    try {
      const works = await second.use((session) => report(run, session, follower));
      // Where others wait, the next look is when they have waited long enough, not up to a second later.
      if (follower.patience !== null && follower.patience > 0)
        next = Math.min(pollMs, Math.max(SOONEST_MS, follower.patience));
      const now = performance.now();
      idleSince = works ? null : (idleSince ?? now);
      if (idleSince !== null && now - idleSince >= IDLE_MS && !ended.aborted) run.giveUpSession();
    } catch {
      // The connection may go; the next round opens another one.
    }
    await pause(next, ended);
  }
}

async function cancelOnAbort(
  run: ApplyRun,
  second: SecondSession,
  { signal }: Limits,
  ended: AbortSignal,
): Promise<void> {
  const either = AbortSignal.any([signal, ended]);
  if (!either.aborted) await once(either, 'abort');
  while (!ended.aborted) {
    // What fails here is tried again: the statement itself tells whether it was cancelled.
    await cancelBackend(run, second).catch(() => {});
    await pause(CANCEL_AGAIN_MS, ended);
  }
}

const pause = (ms: number, ended: AbortSignal) => sleep(ms, undefined, { signal: ended }).catch(() => {});

/** What one round leaves to the next. */
interface Follower {
  check: ReturnType<typeof watching>;
  pace: Pace;
  /** What is left of the patience of those who wait for us, ms; null: nobody does. */
  patience: number | null;
}

/** @returns whether our backend works. */
async function report(run: ApplyRun, watcher: TargetSession, follower: Follower): Promise<boolean> {
  const { pid, backendStart } = run.session;
  const [row] = await watcher.query<ServerProgress>(PROGRESS_SQL, [pid], {
    answerWithinMs: ANSWER_WITHIN_MS,
  });
  const [waiting] = await watcher.query<{ pids: number[]; active: boolean | null; standby: boolean | null }>(
    `SELECT pg_blocking_pids(pid) AS pids, state = 'active' AS active, wait_event = 'SyncRep' AS standby
     FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2::timestamptz`,
    [pid, backendStart],
    { answerWithinMs: ANSWER_WITHIN_MS },
  );
  const phase = waiting?.standby
    ? 'waiting for a synchronous standby'
    : (row?.phase ?? (waiting?.pids.length ? 'waiting for locks' : 'running'));
  const pids = new Set([
    ...(waiting?.pids ?? []),
    ...(row?.current_locker_pid ? [row.current_locker_pid] : []),
  ]);
  const blockers: Blocker[] = [];
  for (const blocking of pids) {
    // pg_blocking_pids says 0 for a prepared transaction.
    const blocker =
      blocking === 0 ? preparedTransaction() : await blockerOf(watcher, blocking, `is waited for: ${phase}`);
    if (blocker) blockers.push(blocker);
  }
  const now = performance.now();
  const done = row ? doneOf(row) : null;
  const waiters = await waitersOf(watcher, pid);
  run.onProgress({
    phase,
    fraction: done === null ? null : done.done / done.total,
    ...(done ?? {}),
    eta_seconds: follower.pace(phase, done, now),
    blockers,
    waiters,
  });
  follower.patience = follower.check(pids.size > 0 || phase.startsWith('waiting'), waiters, now);
  // Null: hidden from this role.
  return waiting !== undefined && waiting.active !== false;
}

function preparedTransaction(): Blocker {
  return {
    pid: 0,
    user: null,
    application_name: null,
    query: null,
    age_seconds: null,
    reason: 'a prepared transaction is waited for',
  };
}
