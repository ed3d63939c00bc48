/** What happens to recommendations without a person: time passes, windows open, a policy approves. */
import {
  needsRestart,
  PgLuthierError,
  POLICY_ACTOR,
  type Recommendation,
  refusesAuto,
  refusesRevert,
  type Target,
  WINDOW_CLOSED,
} from '../domain/index.ts';
import { startApply } from './apply-approved.ts';
import { startBatch } from './apply-batch.ts';
import { gatesWithoutTarget } from './apply-gates.ts';
import { approveRecommendation } from './approve.ts';
import { REVERT_RULE } from './propose-revert.ts';
import type { Services } from './services.ts';

const DAY_MS = 86_400_000;

/** Ends snoozes, and expires what is too old by its target's policy. */
export async function lapseRecommendations(services: Services): Promise<{ woken: number; expired: number }> {
  const now = services.now();
  const woken = await services.store.recommendations.wake(now);
  let expired = 0;
  for (const target of await services.store.targets.list()) {
    const { expire_days } = await services.store.applyPolicies.get(target.id);
    const before = new Date(now.getTime() - expire_days * DAY_MS);
    expired += await services.store.recommendations.expire(target.id, before);
  }
  return { woken, expired };
}

export interface WindowResult {
  started: number;
  /** Why the others were not, by recommendation. */
  held: Record<string, string>;
}

/**
 * Begins what waits for a window of this target, one after the other, and what its policy approves. Settings that only
 * a restart brings into force come last, as one batch: one restart serves all of them. Each is waited for, since a
 * server takes a bounded number at once.
 */
export async function applyInWindow(services: Services, target: Pick<Target, 'id'>): Promise<WindowResult> {
  const { store } = services;
  const result: WindowResult = { started: 0, held: {} };
  const policy = await store.applyPolicies.get(target.id);
  const due = await dueOf(services, target.id, result.held);
  const restarts: { recommendation: Recommendation; actor: string }[] = [];
  for (const { id, actor, why } of due) {
    try {
      const recommendation = await store.recommendations.get(target.id, id);
      const gates = await gatesWithoutTarget(services, {
        targetId: target.id,
        policy,
        recommendation,
        actor,
      });
      const [held] = gates;
      if (held) {
        result.held[id] = held.code;
        continue;
      }
      if (why !== null) {
        await approveRecommendation(services, target.id, id, recommendation.plan_hash, actor, why);
      }
      if (needsRestart(recommendation.change)) {
        restarts.push({ recommendation, actor });
        continue;
      }
      const apply = await startApply(services, target.id, id, actor);
      result.started += 1;
      services.logger.info(
        { target_id: target.id, apply_id: apply.id, actor },
        'apply begun by its schedule',
      );
    } catch (error) {
      if (!(error instanceof PgLuthierError)) throw error;
      result.held[id] = error.code;
    }
  }
  await writeTogether(services, target.id, restarts, result);
  return result;
}

/** All or none of them: who holds one off holds the batch. */
async function writeTogether(
  services: Services,
  targetId: string,
  members: readonly { recommendation: Recommendation; actor: string }[],
  result: WindowResult,
): Promise<void> {
  const [first] = members;
  if (!first) return;
  try {
    const { batch } = await startBatch(services, targetId, members, first.actor);
    result.started += members.length;
    services.logger.info({ target_id: targetId, batch_id: batch.id }, 'batch begun by its schedule');
  } catch (error) {
    if (!(error instanceof PgLuthierError)) throw error;
    for (const { recommendation } of members) result.held[recommendation.id] = error.code;
  }
}

interface Due {
  id: string;
  actor: string;
  /** Why the policy approves it: it is open yet. Null: it is approved, by a person or by the policy before. */
  why: string | null;
}

/** @param held gets what a person decided against, with its code. */
async function dueOf(services: Services, targetId: string, held: Record<string, string>): Promise<Due[]> {
  const { store } = services;
  const scheduled = await store.recommendations.scheduled(targetId);
  const due: Due[] = scheduled.map(({ id, scheduled_by }) => ({ id, actor: scheduled_by, why: null }));
  due.push(...(await takenBackByPolicy(services, targetId)));
  due.push(...(await approvedByPolicy(services, targetId, held)));
  const restarts = new Map<string, boolean>();
  for (const { id } of due) {
    const { risk } = await store.recommendations.get(targetId, id);
    restarts.set(id, risk.restart);
  }
  return due.toSorted((a, b) => Number(restarts.get(a.id)) - Number(restarts.get(b.id)));
}

/** Advice within the limits of the mode `auto`, severest first, up to the day's number. */
async function approvedByPolicy(
  services: Services,
  targetId: string,
  held: Record<string, string>,
): Promise<Due[]> {
  const { store } = services;
  const policy = await store.applyPolicies.get(targetId);
  if (policy.mode !== 'auto' || policy.auto === null) return [];
  const since = services.now().getTime() - DAY_MS;
  const today = (await store.applies.list(targetId, {})).filter(
    ({ actor, created_at, outcome }) =>
      actor === POLICY_ACTOR && Date.parse(created_at) > since && !waitsForWindow(outcome),
  );
  const room = policy.auto.max_changes_per_day - today.length;
  if (room <= 0) return [];
  const fitting = (await openOrHeld(services, targetId)).filter(
    ({ item }) =>
      item.reverts === undefined && refusesAuto(policy, item.change, item.estimate.size_bytes) === null,
  );
  // They must not use the day's number up for others.
  const open = fitting.flatMap((one) => (one.held ? [] : [one.item]));
  const against = await store.recommendations.decidedAgainst(targetId, open);
  for (const id of against.keys()) held[id] = 'person_decided';
  return fitting
    .filter(({ item }) => !against.has(item.id))
    .slice(0, room)
    .map(({ item, held: before }) => ({
      id: item.id,
      actor: POLICY_ACTOR,
      why: before ? null : 'it is within the limits of the policy',
    }));
}

/** Its window closed on it: counted when it goes on. */
const waitsForWindow = (outcome: Record<string, unknown> | null) => outcome?.code === WINDOW_CLOSED;

/**
 * What the policy has approved already and something held off then (a blocker, a change beside it, the window's end), for
 * without a person nobody else begins that; and after it what is open, which must not use the day's number up for a tree
 * that is half built. What a person approved is left to persons.
 */
async function openOrHeld(
  { store }: Services,
  targetId: string,
  filter: { rule?: string } = {},
): Promise<{ item: Recommendation; held: boolean }[]> {
  const listed = async (state: 'open' | 'approved') =>
    (await store.recommendations.list(targetId, { ...filter, state, limit: 200 })).items;
  const due: { item: Recommendation; held: boolean }[] = [];
  for (const item of await listed('approved')) {
    const [approval] = await store.approvals.list(targetId, { limit: 1, recommendation_id: item.id });
    if (approval?.actor === POLICY_ACTOR) due.push({ item, held: true });
  }
  for (const item of await listed('open')) due.push({ item, held: false });
  return due;
}

/** Ways back that the target's policy performs; what a policy of mode `auto` would approve is not meant. */
async function takenBackByPolicy(services: Services, targetId: string): Promise<Due[]> {
  const { store } = services;
  const policy = await store.applyPolicies.get(targetId);
  if (policy.revert !== 'perform') return [];
  const due: Due[] = [];
  for (const { item, held } of await openOrHeld(services, targetId, { rule: REVERT_RULE })) {
    const { id, change, reverts } = item;
    if (!reverts) continue;
    const { actor, recommendation_id } = await store.applies.get(targetId, reverts.apply_id);
    const reverted = await store.recommendations.get(targetId, recommendation_id);
    if (refusesRevert(policy, change, { actor, was_revert: reverted.reverts !== undefined })) continue;
    due.push({
      id,
      actor: POLICY_ACTOR,
      why: held ? null : `${reverts.apply_id} was measured to harm; its policy takes it back`,
    });
  }
  return due;
}
