/**
 * What REINDEX CONCURRENTLY leaves when it is cut off: before the exchange `…_ccnew`, after it `…_ccold`, both invalid
 * (ReindexRelationConcurrently(), indexcmds.c).
 */
import { quoteQualified } from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';
import { wasSeen } from './build-witness.ts';
import { type IndexFacts, indexesOf, sameForm } from './index-facts.ts';
import { dropIndexStatement } from './plan.ts';
import { type ApplyRun, setTimeouts } from './run.ts';
import { journalled } from './statement.ts';

/** Longest wait for locks of a clean-up, ms: it must not hold up a stop of the service for long. */
const LOCK_TIMEOUT_MS = 60_000;

/** The names that REINDEX CONCURRENTLY gives to its transient indexes. */
const TRANSIENT = /_cc(new|old)\d*$/;

/** What is kept before the statement is sent: by it ours is told from what was there. */
export interface IndexesBefore {
  index_oid: number;
  /** OIDs of all indexes of the table. */
  known: number[];
}

/**
 * Drops what is certainly of our rebuild of `now`: invalid, of a transient name, the same index, and either seen to be
 * made by us or the recorded index itself under another name. Nobody else may be building on the table. What is new
 * since the record and was not seen may be of somebody else's rebuild, and stays.
 * @returns SQL names of what was not dropped.
 */
export async function removeTransients(
  run: ApplyRun,
  now: IndexFacts,
  before: IndexesBefore,
): Promise<string[]> {
  const known = new Set(before.known);
  const found = (await indexesOf(run.session, now.table_oid)).filter(
    (other) =>
      !other.is_valid &&
      other.oid !== now.oid &&
      TRANSIENT.test(other.name) &&
      (other.oid === before.index_oid || !known.has(other.oid)) &&
      sameForm(other.form, now.form),
  );
  const nameOf = (other: IndexFacts) => quoteQualified(other.schema, other.name);
  const ours: IndexFacts[] = [];
  for (const other of found) {
    if (other.oid === before.index_oid || (await wasSeen(run, other.oid))) ours.push(other);
  }
  const left = found.filter((other) => !ours.includes(other)).map(nameOf);
  if (ours.length === 0) return left;
  if (await isBeingBuilt(run.session, now.table_oid)) return found.map(nameOf);
  run.onProgress({ phase: 'removing what the rebuild left', fraction: null, blockers: [] });
  await setTimeouts(run.session, {
    lock_timeout: Math.min(run.lockBudgetMs, LOCK_TIMEOUT_MS),
    statement_timeout: run.statementTimeoutMs,
  });
  for (const other of ours) {
    const dropped = await cleanUp(run, dropIndexStatement(other.schema, other.name));
    if (!dropped) left.push(nameOf(other));
  }
  return left;
}

/** False when the server refused it; the refusal is in the journal. */
export async function cleanUp(
  run: ApplyRun,
  sql: string,
  send: () => Promise<void> = () => journalled(run, 'cleanup', sql, { heedAbort: false }),
): Promise<boolean> {
  try {
    await send();
    return true;
  } catch (error) {
    if (error instanceof TargetQueryError) return false;
    throw error;
  }
}

/** Another client's ShareUpdateExclusive lock on the table: a concurrent build (or a VACUUM) that is not ours. */
export async function isBeingBuilt(session: TargetSession, tableOid: number): Promise<boolean> {
  const rows = await session.query(
    `SELECT FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
     WHERE l.locktype = 'relation' AND l.relation = $1 AND l.granted
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_backend_pid()
       AND coalesce(a.backend_type, '') <> 'autovacuum worker'`,
    [tableOid],
  );
  return rows.length > 0;
}
