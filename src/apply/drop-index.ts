/** DROP INDEX CONCURRENTLY, with everything kept that its way back needs. */
import { type ApplyOutcome, type Change, quoteLiteral, quoteQualified } from '../domain/index.ts';
import { TargetQueryError } from '../target/index.ts';
import { healIndex } from './heal-index.ts';
import { findIndex, type IndexFacts } from './index-facts.ts';
import { dropIndexStatement } from './plan.ts';
import { followed } from './progress.ts';
import {
  type ApplyRun,
  applied,
  type Facts,
  failed,
  journalled,
  needsAttention,
  reasonOf,
  setTimeouts,
} from './run.ts';

type DropIndex = Extract<Change, { kind: 'index.drop' }>;

export async function dropIndex(run: ApplyRun, change: DropIndex, statement: string): Promise<ApplyOutcome> {
  const index = await findIndex(run.session, change.schema, change.name);
  if (!index) return failed('index_missing', 'The index went away before it could be dropped.');
  const facts = keptFacts(index);
  await setTimeouts(run.session, {
    lock_timeout: run.lockBudgetMs,
    statement_timeout: run.statementTimeoutMs,
  });
  const begun = performance.now();
  try {
    await followed(run, () => journalled(run, 'statement', statement));
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    const [code, message] = reasonOf(run, error);
    return judgeDrop(run, change, { code, message }, facts);
  }
  return applied({ ...facts, duration_ms: Math.round(performance.now() - begun) });
}

function keptFacts(index: IndexFacts): Facts {
  const name = quoteQualified(index.schema, index.name);
  return {
    freed_bytes: index.size_bytes,
    definition: index.definition,
    was_valid: index.is_valid,
    was_clustered: index.is_clustered,
    ...(index.comment === null
      ? {}
      : {
          comment: index.comment,
          restore_comment: `COMMENT ON INDEX ${name} IS ${quoteLiteral(index.comment)}`,
        }),
  };
}

/**
 * What an interrupted drop left. It first marks the index invalid, in a transaction of its own, and then waits for the
 * table's users: given up there, the index serves no query any more but is still kept up to date. One that is known to
 * have been valid before is made valid again.
 */
export async function judgeDrop(
  run: ApplyRun,
  change: DropIndex,
  reason: { code: string; message: string },
  facts: Facts,
): Promise<ApplyOutcome> {
  const name = quoteQualified(change.schema, change.name);
  const left = await findIndex(run.session, change.schema, change.name);
  if (!left) return applied({ ...facts, note: reason.message });
  if (left.is_valid) {
    return failed(reason.code, `${reason.message} ${name} is still there and in use as before.`, facts);
  }
  const healing = facts.was_valid === true ? await healIndex(run, left) : null;
  if (healing?.valid && healing.left.length === 0) {
    return failed(reason.code, `${reason.message} ${name} was made valid again.`, { ...facts, healed: name });
  }
  if (healing?.valid) {
    return needsAttention(
      'transient_index_left',
      `${reason.message} ${name} is valid again, but making it so left ${healing.left.join(', ')} behind, invalid. Drop what was left when nobody uses the table.`,
      { ...facts, healed: name, left: healing.left },
    );
  }
  const transients = healing?.left.length
    ? ` ${healing.left.join(', ')} is left of trying to restore it.`
    : '';
  return needsAttention(
    'index_left_invalid',
    `${reason.message} ${name} is now invalid: no query uses it, every write still maintains it. Finish with ${dropIndexStatement(change.schema, change.name)}, or restore it with REINDEX INDEX CONCURRENTLY ${name}.${transients}`,
    { ...facts, ...(healing ? { left: healing.left } : {}) },
  );
}
