/** Measures what an applied change gained: the window before it against the window after it. */
import { lookAt, mayConcern, verifyApply } from '../apply/index.ts';
import {
  PgLuthierError,
  type Recommendation,
  type RecommendationEvent,
  type Snapshot,
  type Verdict,
  type WorkloadQuery,
} from '../domain/index.ts';
import type { Apply, SnapshotHeader } from '../store/index.ts';
import { workloadFromWindow } from '../workload/index.ts';
import { recogniseByHand } from './applied-by-hand.ts';
import { cutWindow } from './cut-window.ts';
import { loadWindow } from './load-window.ts';
import { revertsOf } from './propose-revert.ts';
import type { Services } from './services.ts';
import { startOfAfter } from './start-of-after.ts';

/** After so long without enough evidence a verification ends as inconclusive. */
const VERIFICATION_DEADLINE_MS = 72 * 3_600_000;
/** How far back the window before the change reaches at most. */
const BEFORE_WINDOW_MS = 24 * 3_600_000;

const eventOf: Record<Verdict['verdict'], RecommendationEvent> = {
  succeeded: 'verified',
  regressed: 'verify_failed',
  inconclusive: 'verified_inconclusive',
};

/** Time brings no window before a change: its verification ends at once. */
const NOTHING_BEFORE: Verdict = {
  verdict: 'inconclusive',
  reason:
    'No snapshot was taken in the day before the one that the change began with: there is nothing to compare with.',
  statements: [],
  measures: [],
};

/**
 * Judges one apply by what was measured until the newest snapshot. A verdict that more time could change is kept but
 * does not end the verification, until its deadline.
 * @throws PgLuthierError `not_verifiable_yet` (409) while there is no snapshot after the change.
 */
export async function verifyApplied(services: Services, targetId: string, applyId: string): Promise<Apply> {
  const { store } = services;
  const apply = await store.applies.get(targetId, applyId);
  if (apply.state !== 'verifying') {
    throw new PgLuthierError({
      code: 'invalid_state_transition',
      status: 409,
      message: `This apply is ${apply.state}; only one that is being verified can be verified.`,
      details: { state: apply.state },
    });
  }
  const beforeEnd = await store.snapshots.get(targetId, apply.before_snapshot_id);
  const beforeStart = await store.snapshots.oldestSince(
    targetId,
    new Date(Date.parse(beforeEnd.taken_at) - BEFORE_WINDOW_MS),
  );
  if (!beforeStart || beforeStart.id === apply.before_snapshot_id) {
    return store.applies.saveVerdict(targetId, applyId, NOTHING_BEFORE, eventOf.inconclusive);
  }
  const latest = await store.snapshots.latest(targetId);
  const start = await startOfAfter(services, apply);
  const afterStartId = start.snapshot_id;
  if (!latest || !afterStartId || latest.id === afterStartId) {
    throw new PgLuthierError({
      code: 'not_verifiable_yet',
      status: 409,
      message: 'There is no window of snapshots after this change yet.',
      remedy: 'Wait for the next scheduled snapshot, or take one.',
    });
  }
  const before = await loadWindow(services, targetId, beforeStart.id, apply.before_snapshot_id, beforeEnd);
  const afterStart = await store.snapshots.get(targetId, afterStartId);
  const { end, max_p } = await endOfLook(store, targetId, afterStart, latest);
  const snapshotAfter = await store.snapshots.get(targetId, end.id);
  const after = await loadWindow(services, targetId, afterStartId, end.id, snapshotAfter);
  const cut = (from: [string, Snapshot], to: [string, Snapshot]) =>
    cutWindow(services, targetId, { id: from[0], snapshot: from[1] }, { id: to[0], snapshot: to[1] });
  const recommendation = await store.recommendations.get(targetId, apply.recommendation_id);
  const workload = await workloadFromWindow(after, snapshotAfter);
  const { verdict, retry } = verifyApply({
    change: apply.plan.change,
    affected_query_ids: await affectedBy(services, targetId, recommendation),
    otherwise_changed_query_ids: await changedByOthers(services, apply, beforeEnd.taken_at, workload.queries),
    before: {
      window: before,
      workload: await workloadFromWindow(before, beforeEnd),
      snapshot: beforeEnd,
      intervals: await cut(
        [beforeStart.id, await store.snapshots.get(targetId, beforeStart.id)],
        [apply.before_snapshot_id, beforeEnd],
      ),
    },
    after: {
      window: after,
      workload,
      snapshot: snapshotAfter,
      intervals: await cut([afterStartId, afterStart], [end.id, snapshotAfter]),
    },
    max_p,
  });
  // What waits for a restart cannot be late: the restart is not ours.
  const overdue =
    !start.waits_for_restart && services.now().getTime() - Date.parse(start.since) > VERIFICATION_DEADLINE_MS;
  const event = retry && !overdue ? null : eventOf[verdict.verdict];
  const told = withRevert(verdict, apply);
  if (event !== 'verify_failed') return store.applies.saveVerdict(targetId, applyId, told, event);
  const facts = (apply.outcome?.facts ?? {}) as Record<string, unknown>;
  const known = { facts, before: beforeEnd, after: snapshotAfter };
  const reverts = await revertsOf(apply, told, recommendation, known);
  const proposed = { ...told, revert_recommendation_ids: reverts.map(({ id }) => id) };
  return store.applies.saveVerdict(targetId, applyId, reverts.length > 0 ? proposed : told, event, reverts);
}

/** Where the window after ends: at the last look that it has reached, or at the newest snapshot before the first. */
async function endOfLook(
  { snapshots }: Services['store'],
  targetId: string,
  { collected_at }: Snapshot,
  latest: SnapshotHeader,
): Promise<{ end: SnapshotHeader; max_p: number }> {
  const start = Date.parse(collected_at);
  const { after_seconds, max_p } = lookAt((Date.parse(latest.collected_at) - start) / 1000);
  const reached =
    after_seconds > 0 ? await snapshots.oldestSince(targetId, new Date(start + after_seconds * 1000)) : null;
  return { end: reached ?? latest, max_p };
}

/** Statements that the advice was about; of a way back also those that the change was measured by. */
async function affectedBy(
  { store }: Services,
  targetId: string,
  { affects, reverts }: Recommendation,
): Promise<string[]> {
  const ids = new Set(affects.map(({ query_id }) => query_id));
  if (reverts) {
    const reverted = await store.applies.get(targetId, reverts.apply_id);
    for (const { query_id } of (reverted.verdict as Verdict | null)?.statements ?? []) ids.add(query_id);
  }
  return [...ids];
}

/** A change that did harm comes with its way back: the exact one, where the apply kept what there was before. */
function withRevert(verdict: Verdict, { plan, outcome }: Apply): Verdict {
  if (verdict.verdict !== 'regressed') return verdict;
  const facts = (outcome?.facts ?? {}) as { exact_rollback?: string[]; restore_comment?: string };
  const statements = facts.exact_rollback ?? [
    ...plan.rollback,
    ...(facts.restore_comment ? [facts.restore_comment] : []),
  ];
  return statements.length > 0 ? { ...verdict, revert: statements } : verdict;
}

/** Statements that other changes, applied since the window before began to end, were meant for, or may have moved. */
async function changedByOthers(
  services: Services,
  apply: Apply,
  since: string,
  queries: readonly WorkloadQuery[],
): Promise<string[]> {
  const { store } = services;
  const day = Date.parse(since) - BEFORE_WINDOW_MS;
  const ids = new Set<string>();
  for (const other of await store.applies.list(apply.target_id, {})) {
    if (other.id === apply.id || Date.parse(other.created_at) < day) continue;
    const { affects } = await store.recommendations.get(apply.target_id, other.recommendation_id);
    for (const { query_id } of affects) ids.add(query_id);
    for (const { query_id, query } of queries) if (mayConcern(other.plan.change, query)) ids.add(query_id);
  }
  return [...ids];
}

/** No window to judge by yet; or somebody else (a request, another replica) came first with its verdict. */
const NOT_OURS_NOW: ReadonlySet<string> = new Set(['not_verifiable_yet', 'invalid_state_transition']);

/**
 * Recognises what was applied by hand, then verifies every apply that waits for it; one that cannot be judged yet is left
 * for the next time.
 * @param signal aborted, no further one is begun. A verdict that was begun is kept as a whole, or not at all.
 */
export async function verifyAllApplied(
  services: Services,
  targetId: string,
  signal?: AbortSignal,
): Promise<{ judged: number }> {
  let judged = 0;
  await recogniseByHand(services, targetId);
  for (const apply of await services.store.applies.list(targetId, { state: 'verifying' })) {
    if (signal?.aborted) break;
    try {
      await verifyApplied(services, targetId, apply.id);
      judged += 1;
    } catch (error) {
      if (!(error instanceof PgLuthierError) || !NOT_OURS_NOW.has(error.code)) throw error;
    }
  }
  return { judged };
}
