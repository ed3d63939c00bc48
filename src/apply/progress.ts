/** Follows a long statement through a second session: phase, fraction, and whom it waits for. */
import type { Blocker } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { blockerOf } from './blockers.ts';
import { type ApplyRun, applicationName } from './run.ts';
import { waitersOf, watching as watchdogOf } from './watchdog.ts';

const POLL_MS = 1_000;
/** A watcher that gets no answer for so long opens another connection, ms. */
const ANSWER_WITHIN_MS = 3_000;
/** So often in a row the backend must be gone or idle before its answer counts as lost on its way. */
const POLLS_WITHOUT_WORK = 5;

/** pg_stat_progress_create_index, for one backend. */
interface BuildProgress {
  phase: string | null;
  lockers_total: number | null;
  lockers_done: number | null;
  current_locker_pid: number | null;
  blocks_total: number | null;
  blocks_done: number | null;
  tuples_total: number | null;
  tuples_done: number | null;
}

/**
 * Runs `work` and reports its progress each second. Losing sight of it never fails the work; but where the server says
 * that our backend is gone or has nothing to do, while we still wait for it, the network has lost the answer, and the
 * session is given up.
 */
export async function followed<T>(run: ApplyRun, work: () => Promise<T>): Promise<T> {
  let watcher: TargetSession | null = null;
  let stopped = false;
  let wake = () => {};
  let withoutWork = 0;
  const follower: Follower = { check: watchdogOf(run.watchdog, run.lockBudgetMs), phase: null, since: 0 };
  const watch = async () => {
    while (!stopped) {
      try {
        watcher ??= await run.openSession(run.dsn, {
          applicationName: `${applicationName(run.apply_id)}:watch`,
          readOnly: true,
          statementTimeoutMs: 5_000,
        });
        withoutWork = (await report(run, watcher, follower)) ? 0 : withoutWork + 1;
        if (withoutWork >= POLLS_WITHOUT_WORK && !stopped) run.giveUpSession();
      } catch {
        // The watcher's connection may go; the next round opens another one.
        await watcher?.close();
        watcher = null;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, POLL_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (stopped) wake();
      });
    }
    await watcher?.close();
  };
  const watching = watch();
  try {
    return await work();
  } finally {
    stopped = true;
    wake();
    await watching;
  }
}

/** What one round leaves to the next. */
interface Follower {
  check: ReturnType<typeof watchdogOf>;
  phase: string | null;
  /** When that phase was first seen, by performance.now(). */
  since: number;
}

/** @returns whether our backend works. */
async function report(run: ApplyRun, watcher: TargetSession, follower: Follower): Promise<boolean> {
  const { pid, backendStart } = run.session;
  const [row] = await watcher.query<BuildProgress>(
    `SELECT phase, lockers_total, lockers_done, current_locker_pid, blocks_total, blocks_done,
            tuples_total, tuples_done
     FROM pg_stat_progress_create_index WHERE pid = $1
     UNION ALL
     SELECT phase, NULL, NULL, NULL, heap_blks_total, heap_blks_scanned, NULL, NULL
     FROM pg_stat_progress_vacuum WHERE pid = $1
     UNION ALL
     SELECT phase, NULL, NULL, NULL, sample_blks_total, sample_blks_scanned, NULL, NULL
     FROM pg_stat_progress_analyze WHERE pid = $1`,
    [pid],
    { answerWithinMs: ANSWER_WITHIN_MS },
  );
  const [waiting] = await watcher.query<{ pids: number[]; active: boolean | null }>(
    `SELECT pg_blocking_pids(pid) AS pids, state = 'active' AS active
     FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2::timestamptz`,
    [pid, backendStart],
    { answerWithinMs: ANSWER_WITHIN_MS },
  );
  const phase = row?.phase ?? (waiting?.pids.length ? 'waiting for locks' : 'running');
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
  if (follower.phase !== phase) Object.assign(follower, { phase, since: now });
  const fraction = row ? fractionOf(row) : null;
  const waiters = await waitersOf(watcher, pid);
  run.onProgress({
    phase,
    fraction,
    eta_seconds: phase.startsWith('waiting') ? null : etaSeconds(fraction, (now - follower.since) / 1000),
    blockers,
    waiters,
  });
  follower.check(pids.size > 0 || phase.startsWith('waiting'), waiters, now);
  // Null: hidden from this role.
  return waiting !== undefined && waiting.active !== false;
}

/** So much of a phase must be seen before its rest is reckoned from it. */
const ETA_FROM_FRACTION = 0.02;

/** Seconds that the rest takes if it goes on as the part before: elapsed × (1 − fraction) / fraction. */
export function etaSeconds(fraction: number | null, elapsedSeconds: number): number | null {
  if (fraction === null || fraction < ETA_FROM_FRACTION) return null;
  return Math.round((elapsedSeconds * (1 - fraction)) / fraction);
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

/** Share of the present phase, in the unit that the server counts in it. */
function fractionOf(row: BuildProgress): number | null {
  const pairs: [number | null, number | null][] = row.phase?.startsWith('waiting')
    ? [[row.lockers_done, row.lockers_total]]
    : [
        [row.blocks_done, row.blocks_total],
        [row.tuples_done, row.tuples_total],
      ];
  for (const [done, total] of pairs) {
    if (done !== null && total !== null && total > 0) return Math.min(1, done / total);
  }
  return null;
}
