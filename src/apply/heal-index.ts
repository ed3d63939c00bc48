/** REINDEX INDEX CONCURRENTLY of an index that an interrupted drop left invalid, with nothing of its own left behind. */
import { quoteQualified } from '../domain/index.ts';
import { TargetQueryError } from '../target/index.ts';
import { findBlockers } from './blockers.ts';
import { findIndex, type IndexFacts, indexesOf } from './index-facts.ts';
import { dropIndexStatement, reindexStatement } from './plan.ts';
import { type ApplyRun, journalled, setTimeouts } from './run.ts';

/** Longest wait for locks, ms: it must not hold up a stop of the service for long. */
const LOCK_TIMEOUT_MS = 60_000;

/** The names that REINDEX CONCURRENTLY gives to its transient indexes. */
export const TRANSIENT = /_cc(new|old)\d*$/;

interface Healing {
  /** Is the index valid now? */
  valid: boolean;
  /** Invalid transient indexes that could not be dropped, as SQL names. */
  left: string[];
}

/** Not tried while somebody is in the way for longer: it would only wait, and leave more behind. */
export async function healIndex(run: ApplyRun, index: IndexFacts): Promise<Healing> {
  const { session } = run;
  if ((await findBlockers(session, index.table_oid, 'users')).length > 0) return { valid: false, left: [] };
  const known = new Set((await indexesOf(session, index.table_oid)).map(({ oid }) => oid));
  run.onProgress({ phase: 'making the index valid again', fraction: null, blockers: [] });
  await setTimeouts(session, {
    lock_timeout: Math.min(run.lockBudgetMs, LOCK_TIMEOUT_MS),
    statement_timeout: run.statementTimeoutMs,
  });
  await cleanUp(run, reindexStatement(index.schema, index.name));
  const left: string[] = [];
  for (const other of await indexesOf(session, index.table_oid)) {
    // A healed index keeps its name but not its OID.
    const transient = !known.has(other.oid) && !other.is_valid && TRANSIENT.test(other.name);
    const replaced = other.oid === index.oid && other.name !== index.name;
    if (!transient && !replaced) continue;
    const dropped = await cleanUp(run, dropIndexStatement(other.schema, other.name));
    if (!dropped) left.push(quoteQualified(other.schema, other.name));
  }
  const now = await findIndex(session, index.schema, index.name);
  return { valid: now?.is_valid === true, left };
}

/** False when the server refused it; the refusal is in the journal. */
export async function cleanUp(run: ApplyRun, sql: string): Promise<boolean> {
  try {
    await journalled(run, 'cleanup', sql, { heedAbort: false });
    return true;
  } catch (error) {
    if (error instanceof TargetQueryError) return false;
    throw error;
  }
}
