/** Changes that people made themselves: recognised in snapshots, then verified like any other. */
import { buildPlan } from '../apply/index.ts';
import {
  APPLICABLE_KINDS,
  BY_HAND_ACTOR,
  type Change,
  isScopedSetting,
  PgLuthierError,
  type RecommendationState,
  type Snapshot,
  scopeOf,
  statesBefore,
  tableOf,
} from '../domain/index.ts';
import type { SnapshotHeader } from '../store/index.ts';
import { MAINTENANCE } from './maintained.ts';
import { presentIn } from './present-change.ts';
import type { Services } from './services.ts';

/** Full snapshots that are looked through, newest first, for the last without the change. */
const MOST_SNAPSHOTS = 48;
/** Scopes of limits: without these nouns, and of relations that were locked, something that is there looks gone. */
const NEEDED: ReadonlySet<string> = new Set([
  'relations',
  'tables',
  'indexes',
  'settings',
  'setting-overrides',
]);

/**
 * Advice that nobody applied through PgLuthier but that the newest full snapshot shows to be done: it goes to
 * verification, with the windows before the last snapshot without the change and after the first with it. What was
 * there already when it was advised is not taken for somebody's answer to it.
 */
export async function recogniseByHand(
  { store, logger }: Services,
  targetId: string,
): Promise<{ recognised: number }> {
  const states: ReadonlySet<RecommendationState> = new Set(statesBefore('applied_by_hand'));
  const waiting = (await store.recommendations.standing(targetId)).filter(
    ({ state, change }) => states.has(state) && APPLICABLE_KINDS.has(change.kind),
  );
  const last = waiting.length > 0 ? await store.snapshots.lastFull(targetId) : null;
  if (!last) return { recognised: 0 };
  const snapshot = await seen(store, targetId, last);
  let recognised = 0;
  for (const { id, change } of snapshot ? waiting : []) {
    const advised = await whenAdvised(store, targetId, id, last);
    const reference = MAINTENANCE.has(change.kind) ? await atAdvice(store, targetId, advised) : null;
    const found = snapshot && (await presentIn(snapshot, change, reference));
    if (!found) continue;
    const edge = await whenItCame(store, targetId, { change, advised, reference }, last);
    if (!edge || (await isOurs(store, targetId, change, edge))) continue;
    try {
      const apply = await store.applies.recordByHand(targetId, id, buildPlan(found), {
        seen_at: edge.after.collected_at,
        before_snapshot_id: edge.before.id,
        after_snapshot_id: edge.after.id,
      });
      recognised += 1;
      logger.info({ target_id: targetId, recommendation_id: id, apply_id: apply.id }, 'applied by hand');
    } catch (error) {
      // Somebody decided on it meanwhile.
      if (!(error instanceof PgLuthierError) || error.code !== 'invalid_state_transition') throw error;
    }
  }
  return { recognised };
}

type Store = Services['store'];
interface Edge {
  before: SnapshotHeader;
  after: SnapshotHeader;
}

/** Null: a noun could not be read. */
async function seen(
  store: Store,
  targetId: string,
  { id, limits }: SnapshotHeader,
): Promise<Snapshot | null> {
  // That our own role has values of its own is told row by row.
  const blind = limits.some(({ scope, code }) => NEEDED.has(scope) && code !== 'settings_of_own_role');
  return blind ? null : store.snapshots.get(targetId, id);
}

/** ms since the epoch. */
async function whenAdvised(
  store: Store,
  targetId: string,
  id: string,
  last: SnapshotHeader,
): Promise<number> {
  const [generation] = await store.recommendations.history(targetId, id);
  return Date.parse(generation?.first_seen ?? last.collected_at);
}

/** The last full snapshot before the advice, which it was made from; null: there is none any more, or it was blind. */
async function atAdvice(store: Store, targetId: string, advised: number): Promise<Snapshot | null> {
  const header = await store.snapshots.fullBefore(targetId, {
    collected_at: new Date(advised + 1).toISOString(),
  });
  return header && seen(store, targetId, header);
}

/** The last full snapshot without the change and the first with it; null: it was there when it was advised. */
async function whenItCame(
  store: Store,
  targetId: string,
  { change, advised, reference }: { change: Change; advised: number; reference: Snapshot | null },
  last: SnapshotHeader,
): Promise<Edge | null> {
  let after = last;
  for (let looked = 0; looked < MOST_SNAPSHOTS; looked += 1) {
    const before = await store.snapshots.fullBefore(targetId, after);
    if (!before) return null;
    const snapshot = await seen(store, targetId, before);
    if (!snapshot) return null;
    if (!(await presentIn(snapshot, change, reference))) return { before, after };
    if (Date.parse(before.collected_at) < advised) return null;
    after = before;
  }
  return null;
}

/** PgLuthier itself changed the same table, setting or role then: for other advice, or as its way back. */
async function isOurs(
  store: Store,
  targetId: string,
  change: Change,
  { before, after }: Edge,
): Promise<boolean> {
  const subject = MAINTENANCE.has(change.kind) ? placeOf : subjectOf;
  return (await store.applies.list(targetId, {})).some(
    ({ plan, actor, created_at, finished_at }) =>
      actor !== BY_HAND_ACTOR &&
      subject(plan.change) === subject(change) &&
      Date.parse(created_at) <= Date.parse(after.collected_at) &&
      Date.parse(finished_at ?? after.collected_at) >= Date.parse(before.collected_at),
  );
}

/** Builds, drops and statistics analyse their table, and rebuild where they were cut off: any of ours there counts. */
function placeOf(change: Change): string {
  const table = tableOf(change);
  return JSON.stringify([table?.schema, table?.table]);
}

function subjectOf(change: Change): string {
  if (change.kind === 'setting') return JSON.stringify(['setting', change.name]);
  if (isScopedSetting(change)) {
    const { role, database } = scopeOf(change);
    return JSON.stringify(['scope', role, database, change.name]);
  }
  const table = tableOf(change);
  return JSON.stringify([change.kind, table?.schema, table?.table]);
}
