/**
 * What is read often: counters and what runs now. What moves slowly and costs much to read (definitions, sizes,
 * columns' statistics, settings, schema, host) comes from the last full snapshot of the same target and day.
 */
import type { Activity } from './activity.ts';
import type { Limit } from './recommendation.ts';
import type { Replication } from './replication.ts';
import type { Counters } from './server-counters.ts';
import type { IndexRow, ServerFacts, Snapshot, StatementRow, StatementsInfo, TableRow } from './snapshot.ts';

/** Columns of a table that a fast snapshot reads: pg_stat_all_tables', without looking at a file or taking a lock. */
export const tableCounterColumns = [
  'oid',
  'seq_scan',
  'seq_tup_read',
  'idx_scan',
  'idx_tup_fetch',
  'n_tup_ins',
  'n_tup_upd',
  'n_tup_del',
  'n_tup_hot_upd',
  'n_tup_newpage_upd',
  'n_live_tup',
  'n_dead_tup',
  'n_mod_since_analyze',
  'n_ins_since_vacuum',
  'last_vacuum',
  'last_autovacuum',
  'last_analyze',
  'last_autoanalyze',
  'last_seq_scan',
  'last_idx_scan',
  'vacuum_count',
  'autovacuum_count',
  'analyze_count',
  'autoanalyze_count',
] as const satisfies readonly (keyof TableRow)[];
export type TableCounters = Pick<TableRow, (typeof tableCounterColumns)[number]>;

export const indexCounterColumns = [
  'oid',
  'idx_scan',
  'idx_tup_read',
  'idx_tup_fetch',
  'last_idx_scan',
] as const satisfies readonly (keyof IndexRow)[];
export type IndexCounters = Pick<IndexRow, (typeof indexCounterColumns)[number]>;

export interface FastSnapshot {
  format_version: 1;
  taken_at: string;
  collected_at: string;
  duration_ms: number;
  server: ServerFacts;
  /** `query` null where the full snapshot has the text, or nobody could read it. */
  statements: StatementRow[];
  statements_info: StatementsInfo | null;
  tables: TableCounters[];
  indexes: IndexCounters[];
  counters: Counters;
  activity: Activity;
  replication: Replication;
  limits: Limit[];
}

/** Identity of a row of pg_stat_statements, as one text. */
export function statementKey(row: Pick<StatementRow, 'userid' | 'dbid' | 'queryid' | 'toplevel'>): string {
  return `${row.userid}/${row.dbid}/${row.queryid}/${row.toplevel}`;
}

/** The part of a snapshot that a fast one reads. */
export function fastPart(snapshot: Snapshot): FastSnapshot {
  const {
    host: _h,
    columns: _c,
    settings: _s,
    setting_overrides: _o,
    schema: _m,
    instance: _i,
    full_taken_at: _f,
    ...rest
  } = snapshot;
  const pick = <T extends object, K extends keyof T>(row: T, keys: readonly K[]) =>
    Object.fromEntries(keys.map((key) => [key, row[key]])) as Pick<T, K>;
  return {
    ...rest,
    tables: snapshot.tables.map((row) => pick(row, tableCounterColumns)),
    indexes: snapshot.indexes.map((row) => pick(row, indexCounterColumns)),
  };
}

/**
 * A snapshot as of the fast one's moment: its counters over the full one's definitions. Relations that are gone since
 * are left out; those made since are not known yet, and a limit counts them.
 */
export function composeSnapshot(full: Snapshot, fast: FastSnapshot): Snapshot {
  const texts = new Map(full.statements.map((row) => [statementKey(row), row.query]));
  const tables = new Map(fast.tables.map((row) => [row.oid, row]));
  const indexes = new Map(fast.indexes.map((row) => [row.oid, row]));
  const known = new Set(full.tables.map((row) => row.oid));
  const made = fast.tables.filter((row) => !known.has(row.oid)).length;
  const gone = new Set([...known].filter((oid) => !tables.has(oid)));
  // Nouns that the fast one could not read at all keep the full one's rows: a gap is not a drop.
  const unread = (noun: string) => fast.limits.some((limit) => limit.scope === noun);
  const tablesUnread = fast.tables.length === 0 && unread('tables');
  const indexesUnread = fast.indexes.length === 0 && unread('indexes');
  const stays = (oid: number) => tablesUnread || !gone.has(oid);
  const stated = new Set(fast.limits.map(limitKey));
  const ofFull = full.limits.filter((limit) => !fastScopes.has(limit.scope) && !stated.has(limitKey(limit)));
  return {
    ...full,
    ...fast,
    server: {
      ...fast.server,
      database_size_bytes: fast.server.database_size_bytes ?? full.server.database_size_bytes,
    },
    statements: fast.statements.map((row) =>
      row.query === null ? { ...row, query: texts.get(statementKey(row)) ?? null } : row,
    ),
    tables: full.tables.filter((row) => stays(row.oid)).map((row) => ({ ...row, ...tables.get(row.oid) })),
    indexes: full.indexes
      .filter((row) => stays(row.table_oid) && (indexesUnread || indexes.has(row.oid)))
      .map((row) => ({ ...row, ...indexes.get(row.oid) })),
    columns: full.columns.filter((row) => stays(row.table_oid)),
    full_taken_at: full.taken_at,
    limits: [
      ...fast.limits,
      ...ofFull,
      ...(made > 0
        ? [
            {
              scope: 'relations',
              code: 'relations_new',
              message: `${made} tables were created after the last full snapshot (${full.taken_at}): they are not known yet.`,
              remedy: 'The next full snapshot reads them.',
            },
          ]
        : []),
    ],
  };
}

const limitKey = (limit: Limit) => `${limit.scope} ${limit.code}`;

/**
 * Scopes whose limits a fast snapshot states itself. Not `tables` and `indexes`: what the full one could not see of
 * them is still missing, whatever their counters say.
 */
const fastScopes = new Set([
  'server',
  'system-identifier',
  'statements',
  'statements-info',
  'statement-texts',
  'database-counters',
  'checkpoints',
  'bgwriter',
  'wal',
  'archiver',
  'transaction-ids',
  'databases',
  'io',
  'activity',
  'activity-groups',
  'sessions',
  'xmin-holders',
  'vacuums',
  'index-builds',
  'prepared-transactions',
  'replication',
  'replication-senders',
  'replication-receiver',
  'replication-slots',
]);

/** Equal in two snapshots: the same server, not restarted in between. */
export function serverKey({ system_identifier, started_at }: ServerFacts): string {
  return JSON.stringify([system_identifier, started_at]);
}
