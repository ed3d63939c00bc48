/** Windows and the workload seen in them. */
import type { Concurrency } from './activity.ts';
import type { Limit } from './recommendation.ts';
import type { Counters, IoRow } from './server-counters.ts';
import type { StatementRow } from './snapshot.ts';

/** The change of one object's counters between two snapshots. Property names are the counters'. */
export interface TableDelta {
  oid: number;
  seq_scan: number;
  seq_tup_read: number;
  idx_scan: number;
  n_tup_ins: number;
  n_tup_upd: number;
  n_tup_del: number;
  n_tup_hot_upd: number;
  autovacuum_count: number;
  autoanalyze_count: number;
  /** Absent: not worked out (an older window). Before 16 nothing is counted. */
  n_tup_newpage_upd?: number;
  /** Manual ones. Absent: not worked out. */
  vacuum_count?: number;
  /** Change of n_dead_tup, where no vacuum came in between: what pruning left of the dead rows. Absent: not known. */
  dead_tup_change?: number;
}
export interface IndexDelta {
  oid: number;
  idx_scan: number;
  idx_tup_read: number;
  idx_tup_fetch: number;
}

/** A statement's activity in a window: same identity and counters as its row, as differences; mean, stddev of the interval itself. */
export type StatementDelta = Omit<StatementRow, 'min_exec_time_ms' | 'max_exec_time_ms' | 'stats_since'>;

/** What the database-wide and server-wide counters counted in a window; null: not seen at both ends. */
export interface CountersDelta {
  database: Omit<
    NonNullable<Counters['database']>,
    'numbackends' | 'stats_reset' | 'checksum_failures'
  > | null;
  checkpoints: Pick<
    NonNullable<Counters['checkpoints']>,
    'timed' | 'requested' | 'write_time_ms' | 'sync_time_ms' | 'buffers_written'
  > | null;
  wal: Omit<NonNullable<Counters['wal']>, 'stats_reset'> | null;
  bgwriter: Omit<NonNullable<Counters['bgwriter']>, 'stats_reset'> | null;
  archiver: Pick<NonNullable<Counters['archiver']>, 'archived_count' | 'failed_count'> | null;
  /** Transaction identifiers used; null also where the server went back (a restore). */
  xids: number | null;
  /** Multixact identifiers used, by the age of the databases' oldest; a lower bound. Absent: not worked out. */
  mxids?: number | null;
  /** pg_stat_io, one row a (backend_type, object, context) that did something. */
  io: Omit<IoRow, 'stats_reset'>[] | null;
}

/** Two snapshots and what happened between them. */
export interface Window {
  from: string;
  to: string;
  seconds: number;
  statements: StatementDelta[];
  tables: TableDelta[];
  indexes: IndexDelta[];
  /** Absent: not worked out (an older window). */
  counters?: CountersDelta;
  /** Sessions at once, from the samples within the window; absent: not sampled. */
  concurrency?: Concurrency;
  /** Resets, restarts, evictions in the window: they lower what can be claimed. */
  limits: Limit[];
}

/** What a statement is to the advisors. */
export type StatementClass = 'select' | 'insert' | 'update' | 'delete' | 'merge' | 'utility' | 'unparsable';

/** A fingerprinted statement with what it did in the window, joined over users and queryids. */
export interface WorkloadQuery {
  /** Fingerprint of PostgreSQL's parse tree (libpg_query), hex; the id in API and reports. */
  query_id: string;
  /** One representative text, with `$n` where the server normalised it. */
  query: string;
  /**
   * From files: the texts that differ from each other in constants only, the most called ones, with their calls; each is
   * a sample. Absent: `query` is the only one, or has parameters.
   */
  texts?: { query: string; calls: number }[];
  class: StatementClass;
  calls: number;
  total_exec_time_ms: number;
  mean_exec_time_ms: number;
  stddev_exec_time_ms: number;
  rows: number;
  shared_blks_hit: number;
  shared_blks_read: number;
  shared_blks_dirtied: number;
  temp_blks_written: number;
  /** Writing and reading temporary files, ms, workers' times added up; null: not timed for all of it. Absent: from files. */
  temp_io_time_ms?: number | null;
  wal_bytes: number;
  /** Share of the workload's total_exec_time, 0..1 (of its weight, when it came from files). */
  share_of_time: number;
  users: string[];
  queryids: string[];
  /** It ran inside of functions only: names in it may be variables of theirs. Absent: it did not. */
  nested?: true;
}

/** A statement that was set aside, and why: counted, never silently dropped. */
export interface SetAside {
  query: string;
  calls: number;
  total_exec_time_ms: number;
  /** own_query, utility, catalog_only, truncated, text_hidden, text_lost, unparsable, several_statements, ambiguous_schema. */
  code: string;
}

export interface Workload {
  source: 'window' | 'cumulative' | 'files';
  from: string | null;
  to: string | null;
  seconds: number | null;
  queries: WorkloadQuery[];
  set_aside: SetAside[];
  /** Σ total_exec_time_ms of the statements that clients sent; those inside of functions are within it. */
  database_time_ms: number;
  limits: Limit[];
}

/** What was put in a parameter's place, and why: evidence of a simulated cost. */
export interface SampledParameter {
  /** n of `$n`. */
  number: number;
  /** `schema.table.column` that it meets; null: none that could be told. */
  column: string | null;
  /** Operator between the two, e.g. `=`, `IN`, `LIMIT`, `SET`; null: none. */
  operator: string | null;
  /** SQL literals, one for each sample in their order; one alone stands in all of them. */
  values: string[];
  /**
   * How far a range reaches back, or whether a pattern begins with its text, was erased, and neither statistics nor
   * observed rows tell it.
   */
  guessed?: boolean;
  /** Where the values come from, in words: `most common and histogram values (pg_stats)`, `observed rows per call`, … */
  source: string;
}

/** What `share_of_time` is a share of, in words: files tell calls, nothing was measured. */
export const weightWords = ({ source }: Pick<Workload, 'source'>): string =>
  source === 'files' ? 'the calls' : 'the database time';
