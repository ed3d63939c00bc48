/** Approved settings that only a restart brings into force, as the one batch that they are; and what became of earlier ones. */
import { createHash } from 'node:crypto';
import { memoryOfSet } from '../advise/index.ts';
import {
  type Limit,
  needsRestart,
  type Recommendation,
  type RestartBatch,
  type SetMemory,
  type Snapshot,
} from '../domain/index.ts';
import type { Services } from './services.ts';

/** Earlier batches that are shown. */
const MOST_BATCHES = 20;

export interface BatchMemberView {
  recommendation_id: string;
  state: Recommendation['state'];
  title: string;
  name: string;
  value: string;
  current_value: string;
  plan_hash: string;
}

export interface WaitingForRestart {
  target_id: string;
  /** SHA-256 over the members' plan hashes; what `apply` takes. Null: nothing is approved. */
  batch_hash: string | null;
  members: BatchMemberView[];
  /** Null: not known, see `limits`, or there is no member. */
  memory: SetMemory | null;
  /** Settings that are written and wait for the restart, by the newest snapshot. */
  pending_restart: { name: string; value: string }[];
  /** pg_postmaster_start_time() by the newest snapshot; null: there is none. */
  server_started_at: string | null;
  batches: RestartBatch[];
  limits: Limit[];
}

/** SHA-256 hex over the plan hashes in their order. */
export function batchHash(planHashes: readonly string[]): string {
  return createHash('sha256')
    .update([...planHashes].sort().join('\n'))
    .digest('hex');
}

/** Approved and scheduled ones that need a restart, by name. */
export async function restartMembers(
  services: Pick<Services, 'store'>,
  targetId: string,
): Promise<Recommendation[]> {
  const found: Recommendation[] = [];
  for (const { id, state, change } of await services.store.recommendations.standing(targetId)) {
    if ((state !== 'approved' && state !== 'scheduled') || !needsRestart(change)) continue;
    found.push(await services.store.recommendations.get(targetId, id));
  }
  return found.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** @throws PgLuthierError `target_not_found`. */
export async function restartBatch(
  services: Pick<Services, 'store'>,
  targetId: string,
): Promise<WaitingForRestart> {
  const { store } = services;
  await store.targets.get(targetId);
  const members = await restartMembers(services, targetId);
  const snapshot = await newestFull(services, targetId);
  const memory = snapshot && members.length > 0 ? memoryOfBatch(snapshot, members) : null;
  return {
    target_id: targetId,
    batch_hash: members.length > 0 ? batchHash(members.map(({ plan_hash }) => plan_hash)) : null,
    members: members.map(({ id, state, title, change, plan_hash }) => ({
      recommendation_id: id,
      state,
      title,
      plan_hash,
      ...(change.kind === 'setting'
        ? { name: change.name, value: change.value, current_value: change.current_value }
        : { name: '', value: '', current_value: '' }),
    })),
    memory: memory && 'budget' in memory ? memory : null,
    pending_restart: (snapshot?.settings ?? [])
      .filter(({ pending_restart }) => pending_restart)
      .map(({ name, reset_val, setting }) => ({ name, value: reset_val ?? setting })),
    server_started_at: snapshot?.server.started_at ?? null,
    batches: await store.restartBatches.list(targetId, MOST_BATCHES),
    limits: memory && !('budget' in memory) ? [memory] : [],
  };
}

async function newestFull({ store }: Pick<Services, 'store'>, targetId: string): Promise<Snapshot | null> {
  const last = await store.snapshots.lastFull(targetId);
  return last && store.snapshots.get(targetId, last.id);
}

/** Of the whole set of memory settings, with these values in place of those in use. */
export function memoryOfBatch(
  snapshot: Snapshot,
  members: readonly Pick<Recommendation, 'change'>[],
): SetMemory | Limit {
  return memoryOfSet(
    snapshot,
    members.flatMap(({ change }) => (change.kind === 'setting' ? [change] : [])),
  );
}
