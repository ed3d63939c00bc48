/** Windows before and after a change, drawn from known distributions. */
import type {
  Change,
  IndexRow,
  Snapshot,
  StatementClass,
  TableRow,
  Window,
  Workload,
  WorkloadQuery,
} from '../../src/domain/index.ts';
import { snapshot } from '../workload/snapshots.ts';

/** Numbers in [0, 1) from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Log-normal times, skewed as query times are, with this mean. */
function sample(random: () => number, mean: number, sigma: number, n: number): number[] {
  const mu = Math.log(mean) - sigma ** 2 / 2;
  return Array.from({ length: n }, () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.exp(mu + sigma * normal);
  });
}

export function drawn(
  random: () => number,
  query_id: string,
  mean: number,
  calls: number,
  options: { sigma?: number; class?: StatementClass; query?: string } = {},
): WorkloadQuery {
  const times = sample(random, mean, options.sigma ?? 0.5, calls);
  const total = times.reduce((sum, time) => sum + time, 0);
  const average = total / calls;
  const variance = times.reduce((sum, time) => sum + (time - average) ** 2, 0) / calls;
  return exact(query_id, average, Math.sqrt(variance), calls, options);
}

export function exact(
  query_id: string,
  mean: number,
  stddev: number,
  calls: number,
  options: { class?: StatementClass; query?: string } = {},
): WorkloadQuery {
  return {
    query_id,
    query: options.query ?? `select ${query_id}`,
    class: options.class ?? 'select',
    calls,
    total_exec_time_ms: mean * calls,
    mean_exec_time_ms: mean,
    stddev_exec_time_ms: stddev,
    rows: calls,
    shared_blks_hit: 0,
    shared_blks_read: 0,
    shared_blks_dirtied: 0,
    temp_blks_written: 0,
    wal_bytes: 0,
    share_of_time: 0,
    users: ['app'],
    queryids: [query_id],
  };
}

export interface SideParts {
  queries?: WorkloadQuery[];
  indexes?: IndexRow[];
  tables?: TableRow[];
  settings?: Snapshot['settings'];
  index_scans?: Window['indexes'];
}

export function side(parts: SideParts) {
  const window: Window = {
    from: '2025-06-01T12:00:00Z',
    to: '2025-06-01T13:00:00Z',
    seconds: 3600,
    statements: [],
    tables: [],
    indexes: parts.index_scans ?? [],
    limits: [],
  };
  const queries = parts.queries ?? [];
  const workload: Workload = {
    source: 'window',
    from: window.from,
    to: window.to,
    seconds: window.seconds,
    queries,
    set_aside: [],
    database_time_ms: queries.reduce((sum, query) => sum + query.total_exec_time_ms, 0),
    limits: [],
  };
  return {
    window,
    workload,
    snapshot: snapshot({
      indexes: parts.indexes ?? [],
      tables: parts.tables ?? [],
      settings: parts.settings ?? [],
    }),
  };
}

export const createChange: Change = {
  kind: 'index.create',
  index: {
    schema: 'public',
    table: 'orders',
    name: 'orders_idx',
    method: 'btree',
    unique: false,
    keys: [{ column: 'a', expression: null, opclass: null, collation: null, direction: 'asc', nulls: null }],
    include: [],
    where: null,
    options: {},
  },
};
