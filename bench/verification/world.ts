/** One drawn change: statements' times before and after it, interval by interval, and what verification says of them. */
import { verifyApply } from '../../src/apply/index.ts';
import type { StatementDelta, VerdictWord, WorkloadQuery } from '../../src/domain/index.ts';
import { snapshot, statementRow } from '../../test/workload/snapshots.ts';
import { drawsOf } from '../draws.ts';
import { type Draw, lognormalPool, series } from './chance.ts';
import { built, createChange } from './measured-index.ts';

/** What is true of the drawn server. Ratios are after / before. */
export interface World {
  /** Of the statement's own time and blocks through the change; 1: none. */
  effect: number;
  /** Of every statement's time alike: the load of the server. */
  load: number;
  /** Of the controls' time alone, for reasons of their own. */
  controls_shift: number;
  /** Statements that the change does not concern. */
  controls: number;
  /** Standard deviation of the logarithm of a call's time. */
  sigma: number;
  /** Of what each statement drifts by itself from interval to interval, and how much of it stays in the next one. */
  drift: number;
  /** Of what all drift together. */
  common_drift: number;
  autocorrelation: number;
  /** Intervals on each side; 1: it is not cut. */
  intervals: number;
  /** Calls of a statement in an interval, on average; each interval has half to one and a half of them. */
  calls: number;
}

const MEAN_MS = 10;
const BLOCKS = 500;
/** Of a call's blocks: parameters differ, the work differs. */
const BLOCKS_SIGMA = 0.3;

/** The calls of one statement in one interval, log-normal with this mean. */
function interval(draw: Draw, queryid: string, world: World, mean: number, blocks: number): StatementDelta {
  const calls = Math.max(1, Math.round(world.calls * (0.5 + draw())));
  const times = lognormalPool(world.sigma).sample(draw, calls);
  const average = (times.sum * mean) / calls;
  return statementRow({
    queryid,
    calls,
    total_exec_time_ms: times.sum * mean,
    mean_exec_time_ms: average,
    stddev_exec_time_ms: Math.sqrt(Math.max(0, (times.squares * mean ** 2) / calls - average ** 2)),
    shared_blks_hit: Math.round(blocks * lognormalPool(BLOCKS_SIGMA).sample(draw, calls).sum),
  });
}

/** A whole window of one statement, put together of its intervals. */
function whole(queryid: string, parts: readonly StatementDelta[]): WorkloadQuery {
  const sum = (pick: (part: StatementDelta) => number) => parts.reduce((all, part) => all + pick(part), 0);
  const calls = sum((part) => part.calls);
  const total = sum((part) => part.total_exec_time_ms);
  const squares = sum((part) => part.calls * (part.stddev_exec_time_ms ** 2 + part.mean_exec_time_ms ** 2));
  return {
    query_id: queryid,
    query: `select ${queryid}`,
    class: 'select',
    calls,
    total_exec_time_ms: total,
    mean_exec_time_ms: total / calls,
    stddev_exec_time_ms: Math.sqrt(Math.max(0, squares / calls - (total / calls) ** 2)),
    rows: calls,
    shared_blks_hit: sum((part) => part.shared_blks_hit),
    shared_blks_read: 0,
    shared_blks_dirtied: 0,
    temp_blks_written: 0,
    wal_bytes: 0,
    share_of_time: 0,
    users: ['app'],
    queryids: [queryid],
  };
}

/** Draws one world and says what verification makes of it. */
export function judged(world: World, seed: number): VerdictWord {
  const draw = drawsOf(seed);
  const { intervals: k } = world;
  const common = series(draw, 2 * k, world.common_drift, world.autocorrelation);
  const statements = [
    { id: 'q', mean: MEAN_MS, shift: world.effect, blocks: world.effect },
    ...Array.from({ length: world.controls }, (_, number) => ({
      id: `c${number}`,
      mean: MEAN_MS * (0.3 + number),
      shift: world.controls_shift,
      blocks: 1,
    })),
  ].map((statement) => {
    const own = series(draw, 2 * k, world.drift, world.autocorrelation);
    const parts = own.map((drift, at) => {
      const after = at >= k;
      const factor = Math.exp(drift + (common[at] ?? 0)) * (after ? statement.shift * world.load : 1);
      const blocks = BLOCKS * (after ? statement.blocks : 1);
      return interval(draw, statement.id, world, statement.mean * factor, blocks);
    });
    return { id: statement.id, before: parts.slice(0, k), after: parts.slice(k) };
  });
  const side = (which: 'before' | 'after') => {
    const queries = statements.map((statement) => whole(statement.id, statement[which]));
    // Each call of the statements that the index was made for reads it once.
    const scans = queries
      .filter(({ query_id }) => query_id.startsWith('q'))
      .reduce((sum, { calls }) => sum + calls, 0);
    const window = {
      from: '2025-06-01T12:00:00Z',
      to: '2025-06-01T13:00:00Z',
      seconds: 3600,
      statements: statements.flatMap((statement) => statement[which]),
      tables: [],
      indexes:
        which === 'after' ? [{ oid: 7, idx_scan: scans, idx_tup_read: scans, idx_tup_fetch: scans }] : [],
      limits: [],
    };
    return {
      window,
      workload: {
        source: 'window' as const,
        from: window.from,
        to: window.to,
        seconds: window.seconds,
        queries,
        set_aside: [],
        database_time_ms: queries.reduce((sum, query) => sum + query.total_exec_time_ms, 0),
        limits: [],
      },
      snapshot: snapshot({ indexes: which === 'after' ? [built] : [] }),
      ...(k > 1
        ? {
            intervals: Array.from({ length: k }, (_, at) => ({
              window: { ...window, statements: statements.flatMap((one) => one[which][at] ?? []) },
              tables: [],
            })),
          }
        : {}),
    };
  };
  return verifyApply({
    change: createChange,
    affected_query_ids: ['q'],
    otherwise_changed_query_ids: [],
    before: side('before'),
    after: side('after'),
    max_p: 0.01,
  }).verdict.verdict;
}
