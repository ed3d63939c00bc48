/**
 * Whose is an index of our name and definition that a cut-off build left? While our statement waits for the table,
 * somebody's own build of the same index may end there, and be left invalid: by name, definition and journal it is
 * ours. Only the OID tells, and only the server knows it while the build runs: pg_stat_progress_create_index has it from
 * the first commit of CREATE INDEX CONCURRENTLY on (DefineIndex(), indexcmds.c). It goes into the journal before the
 * build goes on: that waits at that moment for all who may be writing to the table, and until it is written down one
 * session of ours counts as such a writer. What was not seen to be ours is never dropped.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type JournalEntry, PgLuthierError, quoteQualified } from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';
import { clusterOf } from './cluster.ts';
import { type ApplyRun, applicationName, settleSurely } from './run.ts';
import { journalled } from './statement.ts';

/** Between two looks while the build is held, and once it is not held any more, ms. */
const HELD_POLL_MS = 10;
const POLL_MS = 100;
/** Longest that the build is held for its OID, ms: the journal's store may be away. */
const HELD_MS = 2_000;
/** Longest wait for the lock that holds the build, ms: where somebody is in the way the build is not held. */
const HOLD_LOCK_MS = 100;

const PREFIX = 'SELECT FROM pg_stat_progress_create_index, pg_control_system() WHERE';

/** The journal's row for an index that our build was seen to make; another cluster's OIDs mean nothing. */
export const sightOf = (system: string, oid: number) =>
  `${PREFIX} system_identifier = ${system} AND index_relid = ${oid}`;

/** Is this row the sight of an index, and no statement that changes something? */
export const isSight = ({ sql }: Pick<JournalEntry, 'sql'>): boolean => sql.startsWith(PREFIX);

/** Did this apply make the index of this OID? False: nobody saw it. */
export async function wasSeen({ session, journal }: ApplyRun, oid: number): Promise<boolean> {
  const sight = sightOf(await clusterOf(session), oid);
  return (await journal.entries()).some(({ sql }) => sql === sight);
}

/** How a build is sent and told. */
interface Build {
  /** As of `journalled`; default `statement`. A clean-up does not heed the run's signal. */
  purpose?: 'statement' | 'cleanup';
  /** A clean-up is cancelled when it is aborted. */
  until?: AbortSignal;
  /** How long it takes by its estimate; absent: not estimated. */
  seconds?: number | null;
  /** OID of the index that REINDEX rebuilds; absent: CREATE INDEX. */
  rebuilds?: number;
}

/**
 * `journalled` for CREATE INDEX CONCURRENTLY or REINDEX INDEX CONCURRENTLY on this table, with the OID of what it makes in
 * the journal.
 */
export async function journalledBuild(
  run: ApplyRun,
  sql: string,
  table: { schema: string; table: string },
  { purpose = 'statement', until, rebuilds, seconds = null }: Build = {},
): Promise<void> {
  const heedAbort = purpose === 'statement';
  if (heedAbort) run.signal.throwIfAborted();
  const witness = await openWitness(run, quoteQualified(table.schema, table.table));
  const ended = new AbortController();
  const stop = new AbortController();
  // A stop waits for the sight, which comes with the build's first moments: else nobody could tidy up after it.
  const stopNow = () => void witness?.free.then(() => stop.abort(run.signal.reason));
  run.signal.addEventListener('abort', stopNow, { once: true });
  if (run.signal.aborted) stopNow();
  const seeing = witness && see(run, witness, rebuilds ?? null, ended.signal);
  // Waited for below, which may be hours from now: what it fails with until then must not end the process.
  seeing?.catch(() => {});
  const delayed = witness && heedAbort ? { ...run, signal: stop.signal } : run;
  try {
    await journalled(delayed, purpose, sql, { heedAbort, seconds, ...(until ? { until } : {}) });
  } finally {
    run.signal.removeEventListener('abort', stopNow);
    ended.abort();
    await seeing;
  }
}

interface Witness {
  session: TargetSession;
  system: string;
  /** The build waits for it. */
  holds: boolean;
  /** Resolves when the build does not, or not any more. */
  free: Promise<void>;
  setFree(): void;
}

/** Null: there is no connection for it. The build begins all the same; what it leaves is then left to a person. */
async function openWitness(run: ApplyRun, table: string): Promise<Witness | null> {
  let session: TargetSession | null = null;
  try {
    // With the owner's role, for the lock.
    session = await run.openSession(run.dsn, {
      applicationName: `${applicationName(run.apply_id)}:witness`,
      readOnly: false,
      statementTimeoutMs: 5_000,
      lockTimeoutMs: HOLD_LOCK_MS,
    });
    const system = await clusterOf(session);
    const holds = await hold(session, table);
    let setFree = () => {};
    const free = new Promise<void>((resolve) => {
      setFree = resolve;
    });
    if (!holds) setFree();
    return { session, system, holds, free, setFree };
  } catch (error) {
    await session?.close();
    if (error instanceof PgLuthierError) return null;
    throw error;
  }
}

/** No snapshot is kept between statements, and nobody's reads or writes wait for this lock. */
async function hold(session: TargetSession, table: string): Promise<boolean> {
  await session.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  try {
    await session.query(`LOCK TABLE ONLY ${table} IN ROW EXCLUSIVE MODE`, [], { single: true });
    return true;
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    await session.query('ROLLBACK');
    return false;
  } finally {
    // Progress is shown to the login role, whose the build is; the owner's may not see it.
    await session.query('SET ROLE NONE').catch(() => {});
  }
}

/** Looks until the index is in the journal, or the build has ended. What fails here is no loss of the build. */
async function see(
  run: ApplyRun,
  witness: Witness,
  rebuilds: number | null,
  ended: AbortSignal,
): Promise<void> {
  const { session, system } = witness;
  const pause = (ms: number) => sleep(ms, undefined, { signal: ended }).catch(() => {});
  const begun = performance.now();
  let written: Promise<void> | null = null;
  try {
    while (!ended.aborted && !written) {
      const { oid, queues } = await look(session, run.session.pid, rebuilds);
      if (oid) {
        written = write(run, sightOf(system, oid)).catch(() => {});
        await Promise.race([written, pause(HELD_MS)]);
      }
      // While it queues for the table another build may be before it, which would wait for us.
      if (oid || queues || performance.now() - begun > HELD_MS) await letGo(witness);
      if (!oid) await pause(witness.holds ? HELD_POLL_MS : POLL_MS);
    }
  } catch (error) {
    if (!(error instanceof PgLuthierError)) throw error;
  } finally {
    await session.close();
    witness.setFree();
    await written;
  }
}

async function letGo(witness: Witness): Promise<void> {
  if (!witness.holds) return;
  witness.holds = false;
  // A rollback would take SET ROLE NONE back, too.
  await witness.session.query('COMMIT');
  witness.setFree();
}

/**
 * REINDEX CONCURRENTLY shows the old index at first; but its session holds a lock on each index of its own to the end,
 * also on the new one, which it names `…_ccnew`.
 */
async function look(
  session: TargetSession,
  pid: number,
  rebuilds: number | null,
): Promise<{ oid: number | null; queues: boolean }> {
  // What a transaction has once seen of other backends it sees until its end.
  await session.query('SELECT pg_stat_clear_snapshot()');
  const made =
    rebuilds === null
      ? `SELECT index_relid FROM pg_stat_progress_create_index
         WHERE pid = $1 AND command = 'CREATE INDEX CONCURRENTLY' AND $2::oid IS NULL`
      : `SELECT c.oid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
         WHERE l.pid = $1 AND l.granted AND l.locktype = 'relation' AND l.mode = 'ShareUpdateExclusiveLock'
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND c.relkind = 'i' AND c.oid <> $2::oid AND c.relname ~ '_ccnew[0-9]*$' LIMIT 1`;
  const [row] = await session.query<{ oid: number | null; queues: boolean }>(
    `SELECT (${made}) AS oid,
            EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted AND locktype = 'relation') AS queues`,
    [pid, rebuilds],
  );
  return row ?? { oid: null, queues: false };
}

async function write({ session, journal }: ApplyRun, sql: string): Promise<void> {
  const step = await journal.intend({
    purpose: 'statement',
    sql,
    backend_pid: session.pid,
    backend_start: session.backendStart,
  });
  await settleSurely(journal, step, { state: 'done', sqlstate: null, message: 'our build makes this index' });
}
