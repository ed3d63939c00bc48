/** Ends our own statement where it hurts: others queue behind it, or it waits for too long. Nobody else's is ended. */
import type { Blocker } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { ApplyStopped } from './stopped.ts';

/**
 * Sessions that wait for a lock that our backend holds or is ahead of them for. A waiting ALTER TABLE is the worst:
 * all traffic of the table queues behind it. Workers of autovacuum do not wait for long by themselves.
 */
export function waitersOf(session: TargetSession, pid: number): Promise<Blocker[]> {
  return session.query<Blocker>(
    `SELECT a.pid, a.usename::text AS "user", a.application_name, left(a.query, 1024) AS query,
            extract(epoch FROM clock_timestamp() - max(l.waitstart))::float8 AS age_seconds,
            format('waits for our lock (%s)', string_agg(DISTINCT l.mode, ', ')) AS reason
     FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
     WHERE NOT l.granted AND l.pid <> $1 AND a.backend_type <> 'autovacuum worker'
       AND $1 = ANY (pg_blocking_pids(l.pid))
     GROUP BY a.pid, a.usename, a.application_name, a.query`,
    [pid],
    { answerWithinMs: 3_000 },
  );
}

/**
 * Looks at one round of what is seen of our statement, and remembers what the next needs.
 * @returns (of each round) ms until those who wait for us have waited for as long as they may; null: nobody waits.
 */
export function watching(limits: {
  stop: (reason: ApplyStopped) => void;
  yieldAfterMs: number | null;
  lockBudgetMs: number;
}) {
  const { stop, yieldAfterMs, lockBudgetMs } = limits;
  let waitingSince: number | null = null;
  return (waits: boolean, waiters: readonly Blocker[], now: number): number | null => {
    waitingSince = waits ? (waitingSince ?? now) : null;
    const worst = Math.max(0, ...waiters.map((one) => (one.age_seconds ?? 0) * 1000));
    if (yieldAfterMs !== null && waiters.length > 0 && worst >= yieldAfterMs) {
      const names = waiters.map((one) => `pid ${one.pid} (${one.user ?? 'unknown'})`).join(', ');
      stop(
        new ApplyStopped(
          'yielded',
          `It gave way: ${names} had waited for it for ${(worst / 1000).toFixed(0)} s, longer than the policy allows.`,
        ),
      );
    } else if (waitingSince !== null && now - waitingSince > lockBudgetMs) {
      stop(
        new ApplyStopped(
          'waited_too_long',
          'It waited for other sessions longer than allowed in all and gave up.',
        ),
      );
    }
    return yieldAfterMs === null || waiters.length === 0 ? null : yieldAfterMs - worst;
  };
}
