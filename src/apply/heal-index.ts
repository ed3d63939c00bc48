/** REINDEX INDEX CONCURRENTLY of an index that an interrupted drop left invalid, with nothing of its own left behind. */
import { findBlockers } from './blockers.ts';
import { findIndex, type IndexFacts } from './index-facts.ts';
import { lockBudgets } from './lock-budgets.ts';
import { reindexStatement } from './plan.ts';
import { type ApplyRun, setTimeouts } from './run.ts';
import { cleanUp, type IndexesBefore, removeTransients } from './transient-indexes.ts';

interface Healing {
  /** Is the index valid now? */
  valid: boolean;
  /** Invalid transient indexes that could not be dropped, as SQL names. */
  left: string[];
}

/**
 * Not tried while somebody is in the way for longer: it would only wait, and leave more behind.
 * @param before the table's indexes before the drop: what an earlier healing left is not among them.
 */
export async function healIndex(run: ApplyRun, index: IndexFacts, before: IndexesBefore): Promise<Healing> {
  const { session } = run;
  if ((await findBlockers(session, index.table_oid, 'users')).length > 0) return { valid: false, left: [] };
  run.onProgress({ phase: 'making the index valid again', fraction: null, blockers: [] });
  await setTimeouts(session, {
    lock_timeout: Math.min(run.lockBudgetMs, lockBudgets.clean_up.lock_timeout_ms),
    statement_timeout: run.statementTimeoutMs,
  });
  await cleanUp(run, reindexStatement(index.schema, index.name));
  const now = await findIndex(session, index.schema, index.name);
  const left = now ? await removeTransients(run, now, before) : [];
  return { valid: now?.is_valid === true, left };
}
