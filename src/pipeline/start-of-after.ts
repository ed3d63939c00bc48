/** Where the window after a change begins: right after it; of what needed a restart, with the first snapshot since. */
import type { Apply } from '../store/index.ts';
import type { Services } from './services.ts';

export interface StartOfAfter {
  /** Null: there is no snapshot since. */
  snapshot_id: string | null;
  /** It is written and the server has not been restarted since: nothing can be measured yet. */
  waits_for_restart: boolean;
  /** From when on the verification's time runs, ISO. */
  since: string;
}

/**
 * The restart is somebody else's, and is told by pg_postmaster_start_time(): when it is seen, it is kept with the apply,
 * whose windows begin anew there.
 */
export async function startOfAfter({ store }: Services, apply: Apply): Promise<StartOfAfter> {
  const finished = apply.finished_at ?? apply.created_at;
  const first =
    apply.after_snapshot_id ??
    (await store.snapshots.oldestSince(apply.target_id, new Date(finished)))?.id ??
    null;
  const found = { snapshot_id: first, waits_for_restart: false, since: finished };
  if (apply.outcome?.pending_restart !== true || first === null) return found;
  const before = await store.snapshots.get(apply.target_id, first);
  // Kept already: the window begins with the restarted server.
  if (apply.restarted_at !== null) return { ...found, since: before.collected_at };
  const latest = await store.snapshots.latest(apply.target_id);
  const points = latest ? await store.snapshots.cutPoints(apply.target_id, first, latest.id) : [];
  for (const { id, collected_at } of points) {
    const { server } = await store.snapshots.get(apply.target_id, id);
    if (Date.parse(server.started_at) <= Date.parse(before.server.started_at)) continue;
    await store.applies.restarted(apply.target_id, apply.id, server.started_at, id);
    return { snapshot_id: id, waits_for_restart: false, since: collected_at };
  }
  return { ...found, waits_for_restart: true };
}
