/** Follows a concurrent build through a second session: phase, fraction, and whom it waits for. */
import type { Blocker } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { blockerOf } from './blockers.ts';
import { type ApplyRun, applicationName } from './run.ts';

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
  const watch = async () => {
    while (!stopped) {
      try {
        watcher ??= await run.openSession(run.dsn, {
          applicationName: `${applicationName(run.apply_id)}:watch`,
          readOnly: true,
          statementTimeoutMs: 5_000,
        });
        withoutWork = (await report(run, watcher)) ? 0 : withoutWork + 1;
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

/** @returns whether our backend works. */
async function report(run: ApplyRun, watcher: TargetSession): Promise<boolean> {
  const { pid, backendStart } = run.session;
  const [row] = await watcher.query<BuildProgress>(
    `SELECT phase, lockers_total, lockers_done, current_locker_pid, blocks_total, blocks_done,
            tuples_total, tuples_done
     FROM pg_stat_progress_create_index WHERE pid = $1`,
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
  run.onProgress({ phase, fraction: row ? fractionOf(row) : null, blockers });
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
