/** What an apply would send, statement by statement, with the locks and limits of each: the dry run. */
import { type ApplyPlan, type Change, isTransactional } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { isPartitioned, missingSteps, treeState } from './partitioned-tree.ts';

/** How a statement waits for its lock. */
interface LockBudget {
  /** The strongest lock, and on what. */
  lock: string;
  /** What it keeps others from while it is held or waited for. */
  blocks: string;
  /** Longest single wait, ms. */
  lock_timeout_ms: number;
  /** Tried again with growing pauses until the apply's budget is used up. */
  retried: boolean;
}

export interface ApplyStep extends LockBudget {
  sql: string;
  /** False: PostgreSQL refuses it inside of a transaction block. */
  transactional: boolean;
}

const CONCURRENT: LockBudget = {
  lock: 'ShareUpdateExclusive on the table',
  blocks: 'other maintenance and DDL of the table; no reads, no writes',
  lock_timeout_ms: 600_000,
  retried: false,
};
const SHORT: LockBudget = { ...CONCURRENT, lock_timeout_ms: 5_000, retried: true };
const SETTING: LockBudget = {
  lock: 'none on tables',
  blocks: 'another ALTER SYSTEM',
  lock_timeout_ms: 5_000,
  retried: false,
};

function budgetOf(change: Change, sql: string): LockBudget {
  if (change.kind === 'setting' || change.kind === 'role.setting') return SETTING;
  if (sql.startsWith('ALTER INDEX ')) {
    return {
      lock: 'AccessExclusive on the index that is attached',
      blocks: 'planning of statements on that partition, for a moment',
      lock_timeout_ms: 1_000,
      retried: true,
    };
  }
  if (sql.startsWith('DROP INDEX ') && !sql.startsWith('DROP INDEX CONCURRENTLY')) {
    return {
      lock: 'AccessExclusive on the table and all its partitions',
      blocks: 'everything on them, for a moment',
      lock_timeout_ms: 500,
      retried: true,
    };
  }
  if (change.kind === 'index.create' && !sql.includes(' CONCURRENTLY ')) {
    return {
      lock: 'Share on the partitioned table',
      blocks: 'writes through the partitioned table, for a moment',
      lock_timeout_ms: 1_000,
      retried: true,
    };
  }
  return change.kind.startsWith('index.') ? CONCURRENT : SHORT;
}

/** All steps of a plan, as on a target where none of them has been done. */
export function stepsOf({ change, statements }: ApplyPlan): ApplyStep[] {
  return statements.map((sql) => ({ sql, transactional: isTransactional(sql), ...budgetOf(change, sql) }));
}

/** Exactly what would be sent now: of a tree that is built in part, what is missing. */
export async function stepsNow(session: TargetSession, plan: ApplyPlan): Promise<ApplyStep[]> {
  const { change } = plan;
  if (change.kind !== 'index.create' || !isPartitioned(change)) return stepsOf(plan);
  const missing = missingSteps(await treeState(session, change));
  return stepsOf({ ...plan, statements: missing.map(({ sql }) => sql) });
}
