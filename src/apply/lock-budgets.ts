/** Each lock that an apply waits for, and for how long at most: what runs, the dry run and docs/apply.md derive from it. */

/** How a statement waits for its lock. */
export interface LockBudget {
  /** The strongest lock, and on what. */
  lock: string;
  /** What it keeps others from while it is held or waited for. */
  blocks: string;
  /** Longest single wait, ms. */
  lock_timeout_ms: number;
  /** Tried again with growing pauses until the apply's budget is used up. */
  retried: boolean;
}

export const lockBudgets = {
  /** Blocks nobody while it waits: ten minutes, as GitLab's and Polar's migrations allow at most. */
  concurrent: {
    lock: 'ShareUpdateExclusive on the table',
    blocks: 'other maintenance and DDL of the table; no reads, no writes',
    lock_timeout_ms: 600_000,
    retried: false,
  },
  /** ALTER TABLE SET, CREATE STATISTICS, ANALYZE, VACUUM: quick to have, and what queues behind it waits as long. */
  short: {
    lock: 'ShareUpdateExclusive on the table',
    blocks: 'other maintenance and DDL of the table; no reads, no writes',
    lock_timeout_ms: 5_000,
    retried: true,
  },
  /** CREATE INDEX ON ONLY: every INSERT through the partitioned table queues behind. */
  only: {
    lock: 'Share on the partitioned table',
    blocks: 'writes through the partitioned table, for a moment',
    lock_timeout_ms: 1_000,
    retried: true,
  },
  /** Every planner of the partition needs each of its indexes. */
  attach: {
    lock: 'AccessExclusive on the index that is attached',
    blocks: 'planning of statements on that partition, for a moment',
    lock_timeout_ms: 1_000,
    retried: true,
  },
  /** DROP INDEX of a partitioned index: all traffic queues behind. */
  whole_tree: {
    lock: 'AccessExclusive on the table and all its partitions',
    blocks: 'everything on them, for a moment',
    lock_timeout_ms: 500,
    retried: true,
  },
  setting: {
    lock: 'none on tables',
    blocks: 'another ALTER SYSTEM',
    lock_timeout_ms: 5_000,
    retried: false,
  },
  /** Sessions that connect only read pg_db_role_setting; its row is waited for where somebody's ALTER is not committed. */
  scoped_setting: {
    lock: 'AccessShare on the database and role as objects',
    blocks: 'DROP and RENAME of them, another ALTER … SET of the same',
    lock_timeout_ms: 5_000,
    retried: false,
  },
  /** Dropping or rebuilding concurrently what an interrupted statement left. */
  clean_up: {
    lock: 'ShareUpdateExclusive on the table',
    blocks: 'other maintenance and DDL of the table; no reads, no writes',
    lock_timeout_ms: 60_000,
    retried: false,
  },
} as const satisfies Record<string, LockBudget>;

/** The table of docs/apply.md; a test compares it with the file. */
export function lockBudgetsMarkdown(): string {
  const what: Record<keyof typeof lockBudgets, string> = {
    concurrent: 'CREATE, DROP, REINDEX INDEX CONCURRENTLY',
    short: 'ALTER TABLE SET, CREATE STATISTICS, ANALYZE, VACUUM',
    only: 'CREATE INDEX … ON ONLY',
    attach: 'ALTER INDEX … ATTACH PARTITION',
    whole_tree: 'DROP INDEX of a partitioned index',
    setting: 'ALTER SYSTEM',
    scoped_setting: 'ALTER ROLE, ALTER DATABASE, ALTER ROLE … IN DATABASE',
    clean_up: 'removing or rebuilding what an interrupted statement left',
  };
  const rows = Object.entries<LockBudget>(lockBudgets).map(
    ([name, { lock, blocks, lock_timeout_ms, retried }]) =>
      `| ${what[name as keyof typeof lockBudgets]} | ${lock} | ${blocks} | ${lock_timeout_ms / 1000} s${retried ? ', tried again' : ''} |`,
  );
  return ['| statement | strongest lock | blocks | longest single wait |', '|---|---|---|---|', ...rows].join(
    '\n',
  );
}
