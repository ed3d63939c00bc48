/** One snapshot of one target, kept in the store. */
import { collectSnapshot } from '../collect/index.ts';
import { PgLuthierError } from '../domain/index.ts';
import type { SnapshotHeader } from '../store/index.ts';
import type { Services } from './services.ts';
import { targetDsn, withReadSession } from './target-session.ts';

/**
 * Collects and saves a snapshot. A failure is recorded as a failed snapshot, then thrown.
 * @param deadlineMs collecting gives up on further nouns after so many milliseconds.
 */
export async function collectTarget(
  services: Services,
  targetId: string,
  deadlineMs = 120_000,
): Promise<SnapshotHeader> {
  const target = await services.store.targets.get(targetId);
  try {
    const dsn = await targetDsn(services, targetId);
    const snapshot = await withReadSession(dsn, 'collect', (session) =>
      collectSnapshot(session, { host_overrides: target.host_overrides, deadlineMs }),
    );
    return await services.store.snapshots.save(targetId, snapshot);
  } catch (error) {
    const known = error instanceof PgLuthierError;
    await services.store.snapshots.recordFailure(
      targetId,
      known ? error.code : 'internal_error',
      known ? error.message : 'Collecting failed; the log has the details.',
    );
    throw error;
  }
}
