/** A window in parts, so that verification sees how a measure varies by itself. */
import { PgLuthierError, type Snapshot, type TableRow, type Window } from '../domain/index.ts';
import { diffSnapshots } from '../workload/index.ts';
import type { Services } from './services.ts';

/** Parts of a window; each costs the reading of a snapshot. */
const INTERVALS = 12;

interface Part {
  window: Window;
  /** At its end. */
  tables: TableRow[];
}

/**
 * The window between two snapshots in at most twelve parts of about equal length, in their order: fewer where there
 * are not so many snapshots in between. A part in which another server came to answer is left out.
 */
export async function cutWindow(
  { store: { snapshots } }: Pick<Services, 'store'>,
  targetId: string,
  from: { id: string; snapshot: Snapshot },
  to: { id: string; snapshot: Snapshot },
): Promise<Part[]> {
  const [start, end] = [from, to].map(({ snapshot }) => Date.parse(snapshot.collected_at)) as [
    number,
    number,
  ];
  const cuts: string[] = [];
  for (let part = 1; part < INTERVALS; part += 1) {
    const cut = await snapshots.oldestSince(targetId, new Date(start + ((end - start) * part) / INTERVALS));
    if (!cut || Date.parse(cut.collected_at) >= end) break;
    if (cut.id !== from.id && cut.id !== cuts.at(-1)) cuts.push(cut.id);
  }
  const parts: Part[] = [];
  let before = from.snapshot;
  for (const id of [...cuts, to.id]) {
    const after = id === to.id ? to.snapshot : await snapshots.get(targetId, id);
    try {
      parts.push({ window: diffSnapshots(before, after), tables: after.tables });
    } catch (error) {
      if (!(error instanceof PgLuthierError)) throw error;
    }
    before = after;
  }
  return parts;
}
