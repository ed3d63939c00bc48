/** A workload out of a window or of one snapshot's cumulative counters. */
import type { Limit, Snapshot, Window, Workload } from '../domain/index.ts';
import { gather } from './gather.ts';

/**
 * The workload of a window: statements joined by fingerprint over users and queryids, what was set aside counted.
 * @param snapshot the window's later one: tells which tables a text means to which user. Without it the same text is
 *   the same statement for all of them.
 */
export async function workloadFromWindow(window: Window, snapshot?: Snapshot): Promise<Workload> {
  const gathered = await gather(window.statements, snapshot ?? null);
  return {
    source: 'window',
    from: window.from,
    to: window.to,
    seconds: window.seconds,
    ...gathered,
    limits: gathered.limits,
  };
}

/**
 * The workload since pg_stat_statements' last reset, out of one snapshot: the counters as they stand. `from` and
 * `seconds` are null where the reset's time is not known.
 */
export async function workloadFromSnapshot(snapshot: Snapshot): Promise<Workload> {
  const gathered = await gather(snapshot.statements, snapshot);
  const from = snapshot.statements_info?.stats_reset ?? null;
  const dealloc = snapshot.statements_info?.dealloc ?? 0;
  const evicted: Limit[] =
    dealloc > 0
      ? [
          {
            scope: 'statements',
            code: 'statements_evicted',
            message: `pg_stat_statements dropped its least used entries ${dealloc} times since its reset: rarely run statements went unseen.`,
            remedy: 'Raise pg_stat_statements.max.',
          },
        ]
      : [];
  return {
    source: 'cumulative',
    from,
    to: snapshot.taken_at,
    seconds: from === null ? null : (Date.parse(snapshot.taken_at) - Date.parse(from)) / 1000,
    ...gathered,
    limits: [...evicted, ...gathered.limits],
  };
}
