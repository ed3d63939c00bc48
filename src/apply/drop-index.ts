/** DROP INDEX CONCURRENTLY, with everything kept that its way back needs. */
import {
  type ApplyOutcome,
  type Change,
  type JournalEntry,
  quoteLiteral,
  quoteQualified,
} from '../domain/index.ts';
import { TargetQueryError } from '../target/index.ts';
import { healIndex } from './heal-index.ts';
import { findIndex, type IndexFacts, indexesOf } from './index-facts.ts';
import { lockBudgets } from './lock-budgets.ts';
import { dropIndexStatement } from './plan.ts';
import { withShortLock } from './reloptions.ts';
import {
  type ApplyRun,
  applied,
  type Facts,
  failed,
  needsAttention,
  reasonOf,
  recordedState,
  recordState,
  setTimeouts,
} from './run.ts';
import { journalled } from './statement.ts';
import { type IndexesBefore, removeTransients } from './transient-indexes.ts';

type DropIndex = Extract<Change, { kind: 'index.drop' }>;

export async function dropIndex(run: ApplyRun, change: DropIndex, statement: string): Promise<ApplyOutcome> {
  const index = await findIndex(run.session, change.schema, change.name);
  if (!index) return failed('index_missing', 'The index went away before it could be dropped.');
  const facts = keptFacts(index);
  const known = (await indexesOf(run.session, index.table_oid)).map(({ oid }) => oid);
  const before: IndexesBefore = { index_oid: index.oid, known };
  run.signal.throwIfAborted();
  await recordState(run, keptStatement(change), { facts, before });
  await setTimeouts(run.session, {
    lock_timeout: run.lockBudgetMs,
    statement_timeout: run.statementTimeoutMs,
  });
  const begun = performance.now();
  try {
    // Of a partitioned index there is no concurrent drop: it locks the whole tree, so it may wait for a moment only.
    if (change.partitions) {
      const refused = await withShortLock(
        run,
        'statement',
        statement,
        lockBudgets.whole_tree.lock_timeout_ms,
      );
      if (refused) throw refused;
    } else {
      await journalled(run, 'statement', statement);
    }
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    const [code, message] = reasonOf(run, error);
    return judgeDrop(run, change, { code, message }, facts, before);
  }
  const [still] = await run.session.query<{ name: string }>(
    'SELECT $1::oid::regclass::text AS name FROM pg_class WHERE oid = $1',
    [index.oid],
  );
  if (still) {
    // Renamed between our last look and the statement: it was an index of another OID that went.
    return needsAttention(
      'another_index_dropped',
      `The index that was approved is ${still.name} now; its former name led to another one by then, and that one was dropped.`,
      facts,
    );
  }
  return applied({ ...facts, duration_ms: Math.round(performance.now() - begun) });
}

/** The journal's row that keeps what the way back needs. */
function keptStatement({ schema, name }: DropIndex): string {
  return `SELECT pg_get_indexdef(${quoteLiteral(quoteQualified(schema, name))}::regclass)`;
}

/** After an interruption: what was recorded before the statement says what there was. */
export async function recoverDrop(
  run: ApplyRun,
  change: DropIndex,
  sent: readonly JournalEntry[],
  reason: { code: string; message: string },
): Promise<ApplyOutcome> {
  const kept = recordedState(sent, keptStatement(change)) as { facts: Facts; before: IndexesBefore } | null;
  const begun = sent.some((entry) => entry.sql !== keptStatement(change));
  if (kept === null || !begun) return failed(reason.code, `${reason.message} Nothing had been sent.`);
  return judgeDrop(run, change, reason, kept.facts, kept.before);
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
async function judgeDrop(
  run: ApplyRun,
  change: DropIndex,
  reason: { code: string; message: string },
  facts: Facts,
  before: IndexesBefore,
): Promise<ApplyOutcome> {
  const name = quoteQualified(change.schema, change.name);
  const found = await findIndex(run.session, change.schema, change.name);
  if (!found) return applied({ ...facts, note: reason.message });
  if (found.definition !== change.definition) {
    return needsAttention(
      'index_changed',
      `${reason.message} ${name} is another index now and was left alone: ${found.definition}`,
      facts,
    );
  }
  const healed = !found.is_valid && facts.was_valid === true;
  const { valid, left, stopped } = healed
    ? await healIndex(run, found, before)
    : // A healing that was itself cut off may have left something.
      {
        valid: found.is_valid,
        left: found.is_valid ? await removeTransients(run, found, before) : [],
        stopped: undefined,
      };
  if (valid && left.length > 0) {
    return needsAttention(
      'transient_index_left',
      `${reason.message} ${name} is valid again, but making it so left ${left.join(', ')} behind, invalid. Drop what was left when nobody uses the table.`,
      { ...facts, healed: name, left },
    );
  }
  if (valid && (healed || found.oid !== before.index_oid)) {
    return failed(reason.code, `${reason.message} ${name} was made valid again.`, { ...facts, healed: name });
  }
  if (valid) {
    return failed(reason.code, `${reason.message} ${name} is still there and in use as before.`, facts);
  }
  const tried = stopped ? ` Making it valid again was stopped: ${stopped}` : '';
  const transients = left.length > 0 ? ` ${left.join(', ')} is left of trying to restore it.` : '';
  return needsAttention(
    'index_left_invalid',
    `${reason.message} ${name} is now invalid: no query uses it, every write still maintains it. Finish with ${dropIndexStatement(change.schema, change.name)}, or restore it with REINDEX INDEX CONCURRENTLY ${name}.${tried}${transients}`,
    { ...facts, left },
  );
}
