/** The snapshots that a window must be composed of, chosen by what is kept beside the bodies. */
import type { FastSnapshot } from '../domain/index.ts';

/** Most that are read in between where statements were evicted. */
const EVICTION_POINTS = 2;

/** Equal in two snapshots: no counter of the server, the database or the statements began anew in between. */
export function epochOf({
  server,
  counters,
  statements_info,
}: Pick<FastSnapshot, 'server' | 'counters' | 'statements_info'>): string {
  return JSON.stringify([
    server.system_identifier,
    server.started_at,
    counters.database?.stats_reset ?? server.stats_reset,
    statements_info?.stats_reset ?? null,
    // After a crash all counters begin anew, whether or not the time of the database's own reset says so.
    counters.bgwriter?.stats_reset ?? null,
  ]);
}

/** `serverKey` of the snapshot that an epoch is of. */
export function serverKeyOf(epoch: string): string {
  return JSON.stringify((JSON.parse(epoch) as unknown[]).slice(0, 2));
}

export interface CutCandidate {
  epoch: string | null;
  dealloc: number | null;
  cadence: 'full' | 'fast';
}

/** Position of the full snapshot nearest to `at`, at most `reach` away; else `at`. It is read without a chain. */
function nearestFull(candidates: readonly CutCandidate[], at: number, reach: number): number {
  for (let distance = 0; distance <= reach; distance += 1) {
    for (const position of [at - distance, at + distance]) {
      if (candidates[position]?.cadence === 'full') return position;
    }
  }
  return at;
}

/**
 * Positions, in order: first, last, both sides of each change of epoch; and where statements were evicted, some
 * about evenly spaced ones, so that what was evicted late is still counted by the parts before.
 */
export function chooseCutPoints(candidates: readonly CutCandidate[]): number[] {
  const last = candidates.length - 1;
  if (last < 0) return [];
  const chosen = new Set([0, last]);
  let evicted = false;
  candidates.forEach((one, index) => {
    const before = candidates[index - 1];
    if (!before) return;
    if (one.epoch !== before.epoch) chosen.add(index - 1).add(index);
    else if ((one.dealloc ?? 0) > (before.dealloc ?? 0)) evicted = true;
  });
  if (evicted) {
    const step = last / (EVICTION_POINTS + 1);
    for (let point = 1; point <= EVICTION_POINTS; point += 1) {
      chosen.add(nearestFull(candidates, Math.round(step * point), Math.floor(step / 2)));
    }
  }
  return [...chosen].sort((a, b) => a - b);
}
