/** One snapshot of one target, kept in the store. */
import { collectFastSnapshot, collectSnapshot } from '../collect/index.ts';
import { type FastSnapshot, PgLuthierError, serverKey, type Target } from '../domain/index.ts';
import type { SnapshotHeader } from '../store/index.ts';
import type { TargetSession } from '../target/index.ts';
import type { Services } from './services.ts';
import { targetDsn, withReadSession } from './target-session.ts';

/** How often a full snapshot is due where nothing else is said, minutes. */
const FULL_EVERY_MINUTES = 30;

export interface CollectTargetOptions {
  /** full: everything. auto: counters and activity only, unless a full one is due. Default full. */
  cadence?: 'full' | 'auto';
  /** Minutes after which a full one is due; default 30. */
  fullEveryMinutes?: number;
  /** Collecting gives up on further nouns after so many milliseconds; default 120,000. */
  deadlineMs?: number;
  /** Ends the session at once; the snapshot is recorded as failed with `collect_aborted`. */
  signal?: AbortSignal;
}

/**
 * Collects and saves a snapshot. A failure is recorded as a failed snapshot, then thrown.
 * @throws PgLuthierError `collect_aborted`, and what connecting and collecting throw.
 */
export async function collectTarget(
  services: Services,
  targetId: string,
  options: CollectTargetOptions = {},
): Promise<SnapshotHeader> {
  const target = await services.store.targets.get(targetId);
  const { signal } = options;
  try {
    const dsn = await targetDsn(services, targetId);
    return await withReadSession(
      dsn,
      'collect',
      async (session) =>
        (await fastOf(services, target, session, options)) ??
        (await fullOf(services, target, session, options)),
      signal ? { signal } : {},
    );
  } catch (thrown) {
    const error = signal?.aborted ? collectAborted(thrown) : thrown;
    const known = error instanceof PgLuthierError;
    await services.store.snapshots.recordFailure(
      targetId,
      known ? error.code : 'internal_error',
      known ? error.message : 'Collecting failed; the log has the details.',
    );
    throw error;
  }
}

async function fullOf(
  { store, column_ends = true }: Services,
  target: Target,
  session: TargetSession,
  { deadlineMs = 120_000 }: CollectTargetOptions,
): Promise<SnapshotHeader> {
  const snapshot = await collectSnapshot(session, {
    host_overrides: target.host_overrides,
    deadlineMs,
    column_ends,
  });
  return store.snapshots.save(target.id, snapshot);
}

/** A fast snapshot, saved; null where a full one is due. */
async function fastOf(
  { store }: Services,
  target: Target,
  session: TargetSession,
  { cadence = 'full', fullEveryMinutes = FULL_EVERY_MINUTES, deadlineMs = 120_000 }: CollectTargetOptions,
): Promise<SnapshotHeader | null> {
  if (cadence === 'full') return null;
  const full = await store.snapshots.lastFull(target.id);
  if (!full) return null;
  const known_statements = await store.snapshots.knownStatements(target.id);
  const fast = await collectFastSnapshot(session, { known_statements, deadlineMs });
  const same = full.server_key === serverKey(fast.server);
  if (!same || fullIsDue(full.collected_at, fast, fullEveryMinutes)) return null;
  return store.snapshots.saveFast(target.id, fast);
}

/** By our clock, as the store orders snapshots: targets' clocks are set. When ours was set back, a full one makes all clear. */
function fullIsDue(lastFull: string, fast: FastSnapshot, fullEveryMinutes: number): boolean {
  const at = fast.collected_at;
  const age = Date.parse(at) - Date.parse(lastFull);
  const otherDay = new Date(at).toISOString().slice(0, 10) !== new Date(lastFull).toISOString().slice(0, 10);
  return age < 0 || age >= fullEveryMinutes * 60_000 || otherDay;
}

function collectAborted(cause: unknown): PgLuthierError {
  return new PgLuthierError({
    code: 'collect_aborted',
    status: 504,
    message: 'Collecting was stopped before it was done: it took too long, or the service is stopping.',
    remedy: 'The next snapshot tries again.',
    cause,
  });
}
