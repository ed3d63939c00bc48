/** A window out of the store: composed over resets, restarts and evictions, with how many sessions ran at once. */
import type { Limit, Snapshot, Window } from '../domain/index.ts';
import { composeWindows, concurrencyOf, diffSnapshots } from '../workload/index.ts';
import type { Services } from './services.ts';

const activityRolledUp: Limit = {
  scope: 'activity',
  code: 'activity_rolled_up',
  message: 'Samples of sessions of older hours are kept as distributions: whole hours are counted.',
  remedy: null,
};

/**
 * What happened between two snapshots of a target. Where counters began anew in between, the window is put together of
 * the parts before and after, so that only the gap between two neighbouring snapshots is lost, not all that was
 * counted before it.
 * @param to the later snapshot, where the caller has it already.
 * @throws PgLuthierError `snapshot_not_found`; `window_invalid`: not in order, another cluster, another database.
 */
export async function loadWindow(
  { store: { snapshots } }: Pick<Services, 'store'>,
  targetId: string,
  fromId: string,
  toId: string,
  to?: Snapshot,
): Promise<Window> {
  const headers = await snapshots.cutPoints(targetId, fromId, toId);
  const parts: Window[] = [];
  let before: Snapshot | null = null;
  // One after the other: at most two snapshots of a large target are in memory.
  for (const { id } of headers) {
    const after: Snapshot = to && id === toId ? to : await snapshots.get(targetId, id);
    if (before) parts.push(diffSnapshots(before, after));
    before = after;
  }
  const window = composeWindows(parts);
  const [first, last] = [headers[0], headers.at(-1)];
  if (!first || !last) return window;
  const points = await snapshots.activityBetween(
    targetId,
    new Date(first.collected_at),
    new Date(last.collected_at),
  );
  const concurrency = concurrencyOf(points);
  if (!concurrency) return window;
  const limits = points.some((point) => point.rolled_up)
    ? [...window.limits, activityRolledUp]
    : window.limits;
  return { ...window, concurrency, limits };
}
