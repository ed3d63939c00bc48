/** What the store knows of indexes beyond the window: their counters on standbys, and since when they are there. */
import type { EarliestLook, Snapshot, WatchedReplica } from '../domain/index.ts';
import type { Services } from './services.ts';

/** Older counters of a standby say nothing of what it did since. */
const REPLICA_AGE_MS = 24 * 3_600_000;
/** All that is kept. */
const LOOK_BACK_MS = 400 * 86_400_000;

/**
 * Other targets that are physical standbys of this one, by the cluster's identifier, which a copy keeps; none where the
 * identifier is hidden.
 */
export async function watchedReplicas(
  { store }: Services,
  targetId: string,
  primary: Snapshot,
): Promise<WatchedReplica[]> {
  const { system_identifier, in_recovery, database } = primary.server;
  if (system_identifier === null || in_recovery) return [];
  const replicas: WatchedReplica[] = [];
  for (const target of await store.targets.list()) {
    if (target.id === targetId) continue;
    const full = await store.snapshots.lastFull(target.id);
    const [identifier] = JSON.parse(full?.server_key ?? '[]') as unknown[];
    if (!full || identifier !== system_identifier) continue;
    const latest = await store.snapshots.latest(target.id);
    if (!latest) continue;
    const age = Date.parse(primary.collected_at) - Date.parse(latest.collected_at);
    if (age > REPLICA_AGE_MS) continue;
    const snapshot = await store.snapshots.get(target.id, latest.id);
    if (snapshot.server.in_recovery && snapshot.server.database === database) {
      replicas.push({ name: target.name, snapshot });
    }
  }
  return replicas;
}

/** The indexes of the oldest snapshot that is kept; null: there is none before this one. */
export async function earliestLook(
  { store }: Services,
  targetId: string,
  snapshot: Snapshot,
): Promise<EarliestLook | null> {
  const since = new Date(Date.parse(snapshot.collected_at) - LOOK_BACK_MS);
  const header = await store.snapshots.oldestSince(targetId, since);
  if (!header || header.collected_at >= snapshot.collected_at) return null;
  const { indexes, taken_at } = await store.snapshots.get(targetId, header.id);
  return { taken_at, index_oids: new Set(indexes.map(({ oid }) => oid)) };
}
