/** What of a day is kept when it is rolled up. */
import { hourOf } from './activity-hours.ts';

export type RollUpLevel = 'hourly' | 'daily';

export interface RollUpRow {
  snapshot_id: string;
  collected_at: string;
  status: 'complete' | 'partial' | 'failed';
  cadence: 'full' | 'fast';
  epoch: string | null;
  dealloc: number | null;
  base_snapshot_id: string | null;
  full_snapshot_id: string | null;
}

/**
 * Ids of the snapshots that stay, of one day's in their order:
 * - the first and the last, so that windows over its midnights lose nothing;
 * - of each hour the first full one (the first, where there is none); of a day where nothing was evicted, `daily` keeps
 *   none of these: two ends of a window hold all that was counted between them;
 * - both sides of each moment where counters began anew: the window's parts compose as before;
 * - what `needed` names, and failed ones: they hold nothing but the reason of a gap;
 * - what any of these is a difference from.
 */
export function keptOf(
  rows: readonly RollUpRow[],
  level: RollUpLevel,
  needed: ReadonlySet<string> = new Set(),
): Set<string> {
  const kept = new Set<string>();
  const held = rows.filter((row) => row.status !== 'failed');
  const keep = (row: RollUpRow | undefined) => row && kept.add(row.snapshot_id);
  keep(held[0]);
  keep(held.at(-1));
  let evicted = false;
  held.forEach((row, index) => {
    const before = held[index - 1];
    if (!before) return;
    if (before.epoch !== row.epoch) {
      keep(before);
      keep(row);
    } else if ((row.dealloc ?? 0) > (before.dealloc ?? 0)) evicted = true;
  });
  if (level === 'hourly' || evicted) for (const hour of hoursOf(held)) keep(hour.find(isFull) ?? hour[0]);
  for (const row of rows) if (row.status === 'failed' || needed.has(row.snapshot_id)) keep(row);
  const byId = new Map(rows.map((row) => [row.snapshot_id, row]));
  // A set takes in what is added while it is walked.
  for (const id of kept) {
    const row = byId.get(id);
    for (const other of [row?.base_snapshot_id, row?.full_snapshot_id]) if (other) kept.add(other);
  }
  return kept;
}

const isFull = (row: RollUpRow) => row.cadence === 'full';

function hoursOf(rows: readonly RollUpRow[]): RollUpRow[][] {
  const hours = new Map<string, RollUpRow[]>();
  for (const row of rows) {
    const hour = hourOf(row.collected_at);
    hours.set(hour, [...(hours.get(hour) ?? []), row]);
  }
  return [...hours.values()];
}
