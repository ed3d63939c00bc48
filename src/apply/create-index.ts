/** CREATE INDEX CONCURRENTLY: built, checked, and its own remains removed when it did not work out. */
import { type ApplyOutcome, type Change, type IndexDefinition, quoteQualified } from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';
import { journalledBuild, wasSeen } from './build-witness.ts';
import {
  canonicalForm,
  findIndex,
  type IndexFacts,
  type IndexForm,
  indexesOf,
  resemblesDefinition,
  sameForm,
  withSearchPathOf,
} from './index-facts.ts';
import { lockBudgets } from './lock-budgets.ts';
import { leavePartitioned } from './partitioned-index.ts';
import { isPartitioned } from './partitioned-tree.ts';
import { dropIndexStatement } from './plan.ts';
import { findRelation } from './relation.ts';
import {
  type ApplyRun,
  applied,
  type Facts,
  failed,
  needsAttention,
  reasonOf,
  SQLSTATE,
  setTimeouts,
} from './run.ts';
import { journalled } from './statement.ts';
import { isBeingBuilt } from './transient-indexes.ts';

type CreateIndex = Extract<Change, { kind: 'index.create' }>;

export async function createIndex(
  run: ApplyRun,
  change: CreateIndex,
  statement: string,
): Promise<ApplyOutcome> {
  const { index } = change;
  const table = await findRelation(run.session, index.schema, index.table);
  const form = await canonicalForm(run.session, index);
  const twin = table && form && (await equivalentIndex(run.session, table.oid, form));
  if (twin) {
    return failed(
      'equivalent_index_exists',
      `${quoteQualified(twin.schema, twin.name)} is the same index already; nothing was built.`,
    );
  }
  await setTimeouts(run.session, {
    lock_timeout: run.lockBudgetMs,
    statement_timeout: run.statementTimeoutMs,
  });
  const begun = performance.now();
  try {
    await withSearchPathOf(run.session, index, () =>
      journalledBuild(run, statement, index, { seconds: run.expectedSeconds }),
    );
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    const [code, message] = reasonOf(run, error);
    // Somebody else has the name: whatever stands there is not ours.
    if (error.sqlstate === SQLSTATE.duplicate_table) return failed(code, message);
    return cleanUpAfter(run, change, form, { code, message });
  }
  return finishIndex(run, change, form, { duration_ms: Math.round(performance.now() - begun) }, table?.oid);
}

/**
 * Checks the built index and gives it statistics where it needs its own.
 * @param tableOid of the table that was looked at last; absent: not known.
 * @param facts.recovered it was built before a crash: an ANALYZE that had its effect by then is not sent again.
 */
export async function finishIndex(
  run: ApplyRun,
  { index }: CreateIndex,
  form: IndexForm | null,
  facts: Facts,
  tableOid?: number,
): Promise<ApplyOutcome> {
  const built = await findIndex(run.session, index.schema, index.name);
  const name = quoteQualified(index.schema, index.name);
  if (!built?.is_valid) {
    return needsAttention('index_not_valid', `${name} was built but is ${built ? 'invalid' : 'not there'}.`);
  }
  if (tableOid !== undefined && built.table_oid !== tableOid) {
    // Renamed between our last look and the statement.
    return needsAttention(
      'relation_replaced',
      `${name} was built, but the table's name led to another one by then: to OID ${built.table_oid}, and ${tableOid} was approved.`,
      { index_oid: built.oid, definition: built.definition },
    );
  }
  if (!isAsDefined(built, index, form)) {
    return needsAttention(
      'index_differs',
      `${name} is valid but not the index of the plan; it is: ${built.definition}`,
    );
  }
  const wanting = index.keys.some((key) => key.expression !== null);
  if (wanting && !(facts.recovered && (await hasStatistics(run.session, index)))) {
    // Expressions have statistics only from the next ANALYZE on; without them the planner guesses.
    await setTimeouts(run.session, {
      lock_timeout: lockBudgets.short.lock_timeout_ms,
      statement_timeout: run.statementTimeoutMs,
    });
    try {
      await journalled(run, 'analyze', `ANALYZE ${quoteQualified(index.schema, index.table)}`);
    } catch (error) {
      if (!(error instanceof TargetQueryError) && !run.signal.aborted) throw error;
      facts.analyze_failed = error instanceof Error ? error.message : String(error);
    }
  }
  return applied({
    ...facts,
    index_oid: built.oid,
    size_bytes: built.size_bytes,
    definition: built.definition,
    definition_check: form ? 'normal form' : 'catalog facts',
  });
}

/**
 * Removes what a build of ours left, when it is certainly that: our journal has its OID, what stands there now is invalid,
 * on the same table, of the same definition, and nobody is building it.
 */
export async function cleanUpAfter(
  run: ApplyRun,
  change: CreateIndex,
  form: IndexForm | null,
  reason: { code: string; message: string },
): Promise<ApplyOutcome> {
  if (isPartitioned(change)) return leavePartitioned(run, change, reason);
  const { index } = change;
  const name = quoteQualified(index.schema, index.name);
  const left = await findIndex(run.session, index.schema, index.name);
  if (!left) return failed(reason.code, `${reason.message} Nothing was left behind.`);
  if (left.is_valid) {
    // Cancelled or lost after its last commit: it is done all the same.
    return finishIndex(run, { kind: 'index.create', index }, form, { note: reason.message });
  }
  const facts = { leftover_index: name, leftover_definition: left.definition };
  if (left.table !== index.table || !isAsDefined(left, index, form)) {
    return needsAttention(
      'foreign_leftover',
      `${reason.message} An invalid index ${name} stands there that is not of this plan; it was left alone.`,
      facts,
    );
  }
  if (!(await wasSeen(run, left.oid))) {
    return needsAttention(
      'unseen_leftover',
      `${reason.message} An invalid index ${name} stands there as the plan has it, but it was not seen to be made by this apply and may be somebody else's; it was left alone. Drop it with ${dropIndexStatement(index.schema, index.name)} if it is nobody's.`,
      facts,
    );
  }
  if (await isBeingBuilt(run.session, left.table_oid)) {
    return needsAttention(
      'index_being_built',
      `${reason.message} An invalid index ${name} stands there and another session works on its table; it was left alone.`,
      facts,
    );
  }
  run.onProgress({ phase: 'removing the unfinished index', fraction: null, blockers: [] });
  await setTimeouts(run.session, {
    lock_timeout: Math.min(run.lockBudgetMs, lockBudgets.clean_up.lock_timeout_ms),
    statement_timeout: run.statementTimeoutMs,
  });
  try {
    await journalled(run, 'cleanup', dropIndexStatement(index.schema, index.name), { heedAbort: false });
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    return needsAttention(
      'leftover_not_removed',
      `${reason.message} The unfinished index ${name} is invalid and could not be dropped yet: ${error.message} Drop it with ${dropIndexStatement(index.schema, index.name)}.`,
      facts,
    );
  }
  return failed(reason.code, `${reason.message} The unfinished index was dropped.`, { cleaned_up: name });
}

/** Is it what the plan asked for? By PostgreSQL's own normal form where that could be had. */
export function isAsDefined(found: IndexFacts, index: IndexDefinition, form: IndexForm | null): boolean {
  return form ? sameForm(found.form, form) : resemblesDefinition(found.form, index);
}

/** Has ANALYZE kept something of the index's expressions? */
async function hasStatistics(session: TargetSession, { schema, name }: IndexDefinition): Promise<boolean> {
  const rows = await session.query(`SELECT FROM pg_stats WHERE schemaname = $1 AND tablename = $2 LIMIT 1`, [
    schema,
    name,
  ]);
  return rows.length > 0;
}

async function equivalentIndex(
  session: TargetSession,
  tableOid: number,
  form: IndexForm,
): Promise<IndexFacts | null> {
  const others = await indexesOf(session, tableOid);
  return others.find((other) => other.is_valid && sameForm(other.form, form)) ?? null;
}
