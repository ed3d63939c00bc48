/** The session of an apply or of its recovery, with everything that both must have before they send anything. */
import { type ApplyProgress, type Journal, PgLuthierError } from '../domain/index.ts';
import type { openTarget, TargetSession } from '../target/index.ts';
import { tryApplyLock } from './advisory-lock.ts';
import { type ApplyRun, applicationName, type Guard, type HealingWatch } from './run.ts';

const LOCK_PATIENCE_MS = 2_000;
/** A migration that waits for our build has all traffic of its table behind it. */
const DEFAULT_YIELD_MS = 30_000;

export interface RunOptions {
  apply_id: string;
  dsn: string;
  openSession: typeof openTarget;
  journal: Journal;
  onProgress: (progress: ApplyProgress) => void;
  /** Others may wait for us so long, ms; then our statement gives way. Null: for ever; default 30 s. */
  yieldAfterMs?: number | null;
  /** How long the change takes by its estimate, seconds; absent: not estimated. */
  expectedSeconds?: number | null;
  /** See Guard. */
  healing?: () => Promise<HealingWatch>;
}

interface Begun extends RunOptions {
  /** Aborted: the change stops. */
  signal?: AbortSignal | undefined;
  mayBegin?: Guard['mayBegin'];
  heldBy?: Guard['heldBy'];
  hold?: AbortSignal | undefined;
  lockBudgetMs: number;
  statementTimeoutMs: number;
}

/**
 * Opens the run's session, takes the apply's lock, and gives the run to `work`. Null: somebody else holds the lock.
 * @throws PgLuthierError when no session could be opened; `target_is_standby` where a standby answers.
 */
export async function withRun<T>(options: Begun, work: (run: ApplyRun) => Promise<T>): Promise<T | null> {
  const { apply_id, signal, mayBegin, heldBy, hold, healing, yieldAfterMs, ...rest } = options;
  const lost = new AbortController();
  const watchdog = new AbortController();
  const session = await options.openSession(options.dsn, {
    applicationName: applicationName(apply_id),
    readOnly: false,
    statementTimeoutMs: 60_000,
    lockTimeoutMs: 5_000,
    signal: lost.signal,
  });
  try {
    await settleSession(session);
    // Held: another session runs or recovers this apply; a build that lost its client runs on, and this lock with it.
    if (!(await tryApplyLock(session, apply_id, LOCK_PATIENCE_MS))) return null;
    return await work({
      ...rest,
      expectedSeconds: options.expectedSeconds ?? null,
      apply_id,
      session,
      signal: AbortSignal.any([watchdog.signal, ...(signal ? [signal] : []), ...(hold ? [hold] : [])]),
      guard: {
        yieldAfterMs: yieldAfterMs === undefined ? DEFAULT_YIELD_MS : yieldAfterMs,
        stop: (reason) => watchdog.abort(reason),
        ...(mayBegin ? { mayBegin } : {}),
        ...(heldBy ? { heldBy } : {}),
        ...(hold ? { hold } : {}),
        ...(healing ? { healing } : {}),
      },
      giveUpSession: () => lost.abort(),
    });
  } finally {
    await session.close();
  }
}

/**
 * Where the server's commits do not wait for the disk, ours do: what the journal has as done must outlive a crash of the
 * target. A standby's catalogs may be behind what the apply did.
 */
export async function settleSession(session: TargetSession): Promise<void> {
  const [server] = await session.query<{ standby: boolean }>(
    `SELECT pg_is_in_recovery() AS standby,
            CASE WHEN current_setting('synchronous_commit') = 'off'
                 THEN set_config('synchronous_commit', 'on', false) END`,
  );
  if (!server?.standby) return;
  throw new PgLuthierError({
    code: 'target_is_standby',
    status: 409,
    message: `${session.address} is a standby now; changes are made, and what an apply left is looked into, on the primary only.`,
    remedy: 'Point the target at its primary, or wait for the failover to end.',
  });
}
