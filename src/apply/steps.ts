/** What an apply would send, statement by statement, with the locks and limits of each: the dry run. */
import { type ApplyPlan, type Change, isScopedSetting, isTransactional } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { type LockBudget, lockBudgets } from './lock-budgets.ts';
import { isPartitioned, missingSteps, treeState } from './partitioned-tree.ts';

export interface ApplyStep extends LockBudget {
  sql: string;
  /** False: PostgreSQL refuses it inside of a transaction block. */
  transactional: boolean;
}

/** By the change's kind, and of an index by the form of the statement. */
function budgetOf(change: Change, sql: string): LockBudget {
  if (change.kind === 'setting') return lockBudgets.setting;
  if (isScopedSetting(change)) return lockBudgets.scoped_setting;
  if (sql.startsWith('ALTER INDEX ')) return lockBudgets.attach;
  // What may stand in a transaction is not concurrent; a name in the statement may say anything.
  if (change.kind === 'index.drop' && isTransactional(sql)) return lockBudgets.whole_tree;
  if (change.kind === 'index.create' && isTransactional(sql)) return lockBudgets.only;
  return change.kind.startsWith('index.') ? lockBudgets.concurrent : lockBudgets.short;
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
