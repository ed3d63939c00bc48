/** A real snapshot made to look like a large and busy server's, so that every settings rule has its evidence. */
import type { Concurrency, Snapshot, StatementRow } from '../../../../src/domain/index.ts';
import { statementRow as plainRow, tableRow } from '../../../support/rows.ts';
import { checkpointCounters, GB, walCounters } from '../../../support/snapshot-builder.ts';

export const concurrency: Concurrency = {
  samples: 600,
  active_p50: 2,
  active_p95: 3,
  active_max: 5,
  total_p95: 20,
  total_max: 24,
  idle_in_transaction_p95: 0,
  waiting_for_lock_max: 0,
  oldest_xmin_age_max: null,
};

/** A row of pg_stat_statements of role app, called once for a second, but for what is given. */
export function statementRow(row: Partial<StatementRow> = {}): StatementRow {
  return plainRow({ calls: 1, total_exec_time_ms: 1000, mean_exec_time_ms: 1000, ...row });
}

export function busy(snapshot: Snapshot, checkpoints: 'requested' | 'timed'): Snapshot {
  const began = new Date(Date.parse(snapshot.taken_at) - 3_600_000).toISOString();
  const long = new Date(Date.parse(snapshot.taken_at) - 600_000).toISOString();
  const { counters, activity } = snapshot;
  const counts = { timed: checkpoints === 'timed' ? 99 : 1, requested: checkpoints === 'timed' ? 1 : 99 };
  return {
    ...snapshot,
    server: { ...snapshot.server, database_size_bytes: 500 * GB },
    tables: Array.from({ length: 10_000 }, (_, n) =>
      tableRow({ oid: 100_000 + n, name: `t${n}`, toast_bytes: n === 0 ? 60 * GB : 0 }),
    ),
    statements: [statementRow({ jit_time_ms: snapshot.server.server_version_num >= 150000 ? 500 : null })],
    counters: {
      ...counters,
      checkpoints: checkpointCounters({ ...counts, stats_reset: began }),
      wal: walCounters({
        wal_bytes: 36 * GB,
        wal_fpi: (30 * GB) / 8192,
        wal_buffers_full: 10_000,
        stats_reset: began,
      }),
      database: counters.database && { ...counters.database, blks_hit: 500_000, blks_read: 500_000 },
      // Not timed: what the server read since it started says nothing.
      io: null,
    },
    activity: {
      ...activity,
      groups: [
        ...activity.groups,
        {
          backend_type: 'client backend',
          database: 'postgres',
          user: 'app',
          application_name: 'app',
          state: 'active',
          wait_event_type: 'IO',
          wait_event: 'AioIoCompletion',
          query_id: null,
          sessions: 12,
        },
      ],
      sessions: [
        {
          pid: 1,
          backend_type: 'client backend',
          database: 'postgres',
          user: 'app',
          application_name: 'app',
          client_addr: null,
          state: 'idle in transaction',
          wait_event_type: null,
          wait_event: null,
          query_id: null,
          backend_start: long,
          xact_start: long,
          query_start: long,
          state_change: long,
          xmin_age: null,
          xid_age: null,
          blocked_by: [],
          waits_for: null,
        },
      ],
    },
    replication: {
      ...snapshot.replication,
      slots: [
        {
          name: 's',
          slot_type: 'physical',
          plugin: null,
          database: null,
          active: false,
          temporary: false,
          wal_status: 'reserved',
          retained_bytes: GB,
          safe_wal_bytes: null,
          xmin_age: null,
          catalog_xmin_age: null,
          inactive_since: null,
          invalidation_reason: null,
        },
        {
          name: 'behind',
          slot_type: 'physical',
          plugin: null,
          database: null,
          active: true,
          temporary: false,
          wal_status: 'extended',
          retained_bytes: 2 * GB,
          safe_wal_bytes: null,
          xmin_age: null,
          catalog_xmin_age: null,
          inactive_since: null,
          invalidation_reason: null,
        },
      ],
    },
  };
}
