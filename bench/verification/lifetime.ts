/** A change on a simulated server, verified as the service does it: again and again, until a verdict is final. */
import { LOOKS, verifyApply } from '../../src/apply/index.ts';
import type { Change, Snapshot, VerdictWord, Window, WorkloadQuery } from '../../src/domain/index.ts';
import { cutWindow } from '../../src/pipeline/cut-window.ts';
import type { Services } from '../../src/pipeline/index.ts';
import { loadWindow } from '../../src/pipeline/load-window.ts';
import { chooseCutPoints } from '../../src/store/cut-points.ts';
import { drawsOf } from '../draws.ts';
import { type Family, serverOf } from './families.ts';
import { createChange } from './measured-index.ts';
import { History, isTreated, type SimulatedServer } from './server.ts';

/** A store of snapshots in memory, with what windows are made from. */
function storeOf(history: History): Pick<Services, 'store'> {
  const header = (index: number | null) =>
    index === null
      ? null
      : { id: String(index), collected_at: history.timeOf(index).toISOString(), cadence: 'full' };
  const snapshots = {
    get: async (_: string, id: string) => history.snapshot(Number(id)),
    oldestSince: async (_: string, since: Date) =>
      header(
        history.firstFrom((since.getTime() - history.timeOf(0).getTime()) / 1000 + (history.ticks[0] ?? 0)),
      ),
    cutPoints: async (_: string, from: string, to: string) => {
      const ticks = history.between(Number(from), Number(to));
      const chosen = chooseCutPoints(
        ticks.map((tick) => ({
          epoch: history.epoch(tick),
          dealloc: history.dealloc(tick),
          cadence: 'full',
        })),
      );
      return chosen.map((position) => header(ticks[position] ?? null));
    },
    activityBetween: async () => [],
  };
  return { store: { snapshots } } as unknown as Pick<Services, 'store'>;
}

/** As workloadFromWindow, without PostgreSQL's parser: each statement has one row here. */
function workloadOf(window: Window) {
  const database_time_ms = window.statements.reduce((sum, row) => sum + row.total_exec_time_ms, 0);
  const queries = window.statements.map(
    (row): WorkloadQuery => ({
      query_id: row.queryid,
      query: row.query ?? '',
      class: row.query?.startsWith('insert') ? 'insert' : 'select',
      calls: row.calls,
      total_exec_time_ms: row.total_exec_time_ms,
      mean_exec_time_ms: row.mean_exec_time_ms,
      stddev_exec_time_ms: row.stddev_exec_time_ms,
      rows: row.calls,
      shared_blks_hit: row.shared_blks_hit,
      shared_blks_read: 0,
      shared_blks_dirtied: 0,
      temp_blks_written: 0,
      wal_bytes: 0,
      share_of_time: 0,
      users: ['app'],
      queryids: [row.queryid],
    }),
  );
  const { from, to, seconds } = window;
  return {
    source: 'window' as const,
    from,
    to,
    seconds,
    queries,
    set_aside: [],
    database_time_ms,
    limits: [],
  };
}

async function sideOf(history: History, services: Pick<Services, 'store'>, from: number, to: number) {
  const [first, last]: [Snapshot, Snapshot] = [history.snapshot(from), history.snapshot(to)];
  const window = await loadWindow(services, 't', String(from), String(to), last);
  return {
    window,
    workload: workloadOf(window),
    snapshot: last,
    intervals: await cutWindow(
      services,
      't',
      { id: String(from), snapshot: first },
      { id: String(to), snapshot: last },
    ),
  };
}

export interface Lived {
  verdict: VerdictWord;
  /** Seconds after the change; null: never final. */
  at: number | null;
  looks: number;
}

/** Lives through one server until the verdict is final or the last look is over. */
export async function live(
  server: SimulatedServer,
  seed: number,
  change: Change = createChange,
): Promise<Lived> {
  const history = new History(server, drawsOf(seed));
  const services = storeOf(history);
  const beforeEnd = history.lastUntil(0);
  const begin = history.firstFrom(-1e9) ?? 0;
  const afterStart = history.firstFrom(0);
  let looks = 0;
  if (afterStart === null || begin >= beforeEnd) return { verdict: 'inconclusive', at: null, looks };
  const before = await sideOf(history, services, begin, beforeEnd);
  for (const { after_seconds, max_p } of LOOKS) {
    const index = history.firstFrom((history.ticks[afterStart] ?? 0) + after_seconds);
    if (index === null) break;
    looks += 1;
    const { verdict, retry } = verifyApply({
      change,
      affected_query_ids: server.statements.filter(isTreated).map(({ id }) => id),
      otherwise_changed_query_ids: [],
      before,
      after: await sideOf(history, services, afterStart, index),
      max_p,
    });
    if (!retry || verdict.verdict !== 'inconclusive') {
      return { verdict: verdict.verdict, at: history.ticks[index] ?? null, looks };
    }
  }
  return { verdict: 'inconclusive', at: null, looks };
}

/** One draw of a family; with an effect on the statements that the change is for. */
export function lived(family: Family, seed: number, effect = 1, change?: Change): Promise<Lived> {
  const draw = drawsOf(seed);
  const server = serverOf(family, draw);
  for (const statement of server.statements) if (isTreated(statement)) statement.effect = effect;
  return live(server, seed + 1, change);
}
