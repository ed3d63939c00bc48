/**
 * REINDEX INDEX CONCURRENTLY: a new index is built beside the old one, takes its name, and the old one goes. Cut off
 * before the exchange it leaves `…_ccnew`, after it `…_ccold`, both invalid (ReindexRelationConcurrently(),
 * indexcmds.c); the index of the name is valid throughout.
 */
import { type ApplyOutcome, type Change, type JournalEntry, quoteQualified } from '../domain/index.ts';
import { TargetQueryError } from '../target/index.ts';
import { journalledBuild } from './build-witness.ts';
import { findIndex, indexesOf } from './index-facts.ts';
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
import { type IndexesBefore, removeTransients } from './transient-indexes.ts';

type Reindex = Extract<Change, { kind: 'index.reindex' }>;

interface Before extends IndexesBefore {
  size_bytes: number;
}

export async function reindexIndex(run: ApplyRun, change: Reindex, statement: string): Promise<ApplyOutcome> {
  const index = await findIndex(run.session, change.schema, change.name);
  if (!index) return failed('index_missing', 'The index went away before it could be rebuilt.');
  const known = (await indexesOf(run.session, index.table_oid)).map(({ oid }) => oid);
  const before: Before = { index_oid: index.oid, size_bytes: index.size_bytes, known };
  run.signal.throwIfAborted();
  await recordState(run, knownIndexesStatement(change), { ...before });
  await setTimeouts(run.session, {
    lock_timeout: run.lockBudgetMs,
    statement_timeout: run.statementTimeoutMs,
  });
  const begun = performance.now();
  try {
    await journalledBuild(run, statement, change, { rebuilds: index.oid });
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    const [code, message] = reasonOf(run, error);
    return judgeReindex(run, change, before, { code, message });
  }
  return judgeReindex(run, change, before, null, { duration_ms: Math.round(performance.now() - begun) });
}

/** After an interruption: what was recorded before the statement says whether the index is the new one. */
export function recoverReindex(
  run: ApplyRun,
  change: Reindex,
  sent: readonly JournalEntry[],
  reason: { code: string; message: string },
): Promise<ApplyOutcome> {
  const before = recordedState(sent, knownIndexesStatement(change)) as Before | null;
  const begun = sent.some((entry) => entry.sql !== knownIndexesStatement(change));
  if (before === null || !begun) {
    return Promise.resolve(failed(reason.code, `${reason.message} Nothing had been sent.`));
  }
  return judgeReindex(run, change, before, reason);
}

/** The journal's row that keeps which indexes there were. */
function knownIndexesStatement({ schema, table }: Reindex): string {
  return `SELECT indexrelid FROM pg_index WHERE indrelid = '${quoteQualified(schema, table).replaceAll("'", "''")}'::regclass`;
}

/** What the statement left, with or without an error: an index that has the name under a new OID was exchanged. */
async function judgeReindex(
  run: ApplyRun,
  change: Reindex,
  before: Before,
  reason: { code: string; message: string } | null,
  facts: Facts = {},
): Promise<ApplyOutcome> {
  const name = quoteQualified(change.schema, change.name);
  const now = await findIndex(run.session, change.schema, change.name);
  const said = reason ? `${reason.message} ` : '';
  if (!now?.is_valid) {
    return needsAttention(
      'index_not_valid',
      `${said}${name} is ${now ? 'invalid' : 'not there'}; it was valid before it was rebuilt.`,
    );
  }
  const left = await removeTransients(run, now, before);
  const exchanged = now.oid !== before.index_oid;
  const found: Facts = {
    ...facts,
    size_before_bytes: before.size_bytes,
    size_bytes: now.size_bytes,
    ...(reason ? { note: reason.message } : {}),
  };
  if (left.length > 0) {
    return needsAttention(
      'transient_index_left',
      `${said}${name} is valid and ${exchanged ? 'rebuilt' : 'as it was'}, but ${left.join(', ')} is left behind, invalid: writes may still maintain it. Drop it once nobody works on the table.`,
      { ...found, left },
    );
  }
  if (exchanged) {
    return applied({ ...found, freed_bytes: before.size_bytes - now.size_bytes, index_oid: now.oid });
  }
  return failed(
    reason?.code ?? 'reindex_without_effect',
    `${said}${name} is in use as before; nothing of the rebuild is left.`,
    found,
  );
}
