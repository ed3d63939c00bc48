/** Windows before and after a change, with figures that are known. */
import type {
  IndexRow,
  Snapshot,
  StatementClass,
  TableRow,
  Window,
  Workload,
  WorkloadQuery,
} from '../../src/domain/index.ts';
import { snapshot } from '../workload/snapshots.ts';

export function exact(
  query_id: string,
  mean: number,
  stddev: number,
  calls: number,
  options: { class?: StatementClass; query?: string; blocks?: number } = {},
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
    // Each call's.
    shared_blks_hit: (options.blocks ?? 0) * calls,
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
  setting_overrides?: Snapshot['setting_overrides'];
  index_scans?: Window['indexes'];
  intervals?: { statements?: Window['statements']; tables?: TableRow[]; deltas?: Window['tables'] }[];
  /** Of the whole window. */
  deltas?: Window['tables'];
  counters?: Window['counters'];
}

export function side(parts: SideParts) {
  const window: Window = {
    from: '2025-06-01T12:00:00Z',
    to: '2025-06-01T13:00:00Z',
    seconds: 3600,
    statements: [],
    tables: parts.deltas ?? [],
    indexes: parts.index_scans ?? [],
    ...(parts.counters ? { counters: parts.counters } : {}),
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
      setting_overrides: parts.setting_overrides ?? [],
    }),
    intervals: (parts.intervals ?? []).map(({ statements = [], tables = [], deltas = [] }) => ({
      window: { ...window, statements, tables: deltas },
      tables,
    })),
  };
}
