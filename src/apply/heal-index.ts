/** REINDEX INDEX CONCURRENTLY of an index that an interrupted drop left invalid, with nothing of its own left behind. */
import { findBlockers } from './blockers.ts';
import { journalledBuild } from './build-witness.ts';
import { findIndex, type IndexFacts } from './index-facts.ts';
import { lockBudgets } from './lock-budgets.ts';
import { reindexStatement } from './plan.ts';
import { type ApplyRun, setTimeouts } from './run.ts';
import { ApplyHeld, stopReason } from './stopped.ts';
import { cleanUp, type IndexesBefore, removeTransients } from './transient-indexes.ts';

interface Healing {
  /** Is the index valid now? */
  valid: boolean;
  /** Invalid transient indexes that could not be dropped, as SQL names. */
  left: string[];
  /** Why the rebuild was stopped, in words; absent: it was not. */
  stopped?: string;
}

/**
 * Not tried while somebody is in the way for longer: it would only wait, and leave more behind. It may take hours, so that
 * a cancel, an emergency stop and the service's end stop it as they stop a change.
 * @param before the table's indexes before the drop: what an earlier healing left is not among them.
 * @throws ApplyHeld where it may not begin, or go on, now: the apply stays open for a later look.
 */
export async function healIndex(run: ApplyRun, index: IndexFacts, before: IndexesBefore): Promise<Healing> {
  const { session } = run;
  if ((await findBlockers(session, index.table_oid, 'users')).length > 0) return { valid: false, left: [] };
  const watch = await run.guard.healing?.();
  try {
    if (watch && watch.held !== null) throw new ApplyHeld(watch.held);
    run.onProgress({ phase: 'making the index valid again', fraction: null, blockers: [] });
    await setTimeouts(session, {
      lock_timeout: Math.min(run.lockBudgetMs, lockBudgets.clean_up.lock_timeout_ms),
      statement_timeout: run.statementTimeoutMs,
    });
    const sql = reindexStatement(index.schema, index.name);
    await cleanUp(run, sql, () =>
      journalledBuild(run, sql, index, {
        purpose: 'cleanup',
        rebuilds: index.oid,
        ...(watch ? { until: watch.signal } : {}),
      }),
    );
    const now = await findIndex(session, index.schema, index.name);
    const left = now ? await removeTransients(run, now, before) : [];
    const stopped = watch?.signal.aborted ? stopReason(watch.signal)[1] : null;
    return { valid: now?.is_valid === true, left, ...(stopped === null ? {} : { stopped }) };
  } finally {
    watch?.end();
  }
}
