/**
 * The session beside a running statement: it watches it, and cancels it. Opened when it is first needed and kept as long
 * as the statement runs: where traffic piles up behind us there may be no connection left when we are to give way.
 */
import type { TargetSession } from '../target/index.ts';
import { type ApplyRun, applicationName } from './run.ts';

export interface SecondSession {
  /** Runs `work` in it. What fails there closes it: the next use opens another one. */
  use<T>(work: (session: TargetSession) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function secondSession(run: ApplyRun): SecondSession {
  let opening: Promise<TargetSession> | null = null;
  const open = () =>
    run.openSession(run.dsn, {
      applicationName: `${applicationName(run.apply_id)}:watch`,
      readOnly: true,
      statementTimeoutMs: 5_000,
    });
  return {
    async use(work) {
      opening ??= open();
      const mine = opening;
      try {
        return await work(await mine);
      } catch (error) {
        if (opening === mine) opening = null;
        await mine.then((session) => session.close()).catch(() => {});
        throw error;
      }
    },
    async close() {
      await opening?.then((session) => session.close()).catch(() => {});
    },
  };
}

/** pg_cancel_backend for our backend and no other: pids are used again, so start and name must fit too. */
export function cancelBackend(run: ApplyRun, second: SecondSession): Promise<unknown> {
  return second.use((session) =>
    session.query(
      `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
       WHERE pid = $1 AND backend_start = $2::timestamptz AND application_name = $3 AND state = 'active'`,
      [run.session.pid, run.session.backendStart, applicationName(run.apply_id).slice(0, 63)],
      { answerWithinMs: 3_000 },
    ),
  );
}
