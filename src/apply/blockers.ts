/** Who would make a change wait, by name. Nobody is ever ended for it: that is the operator's to decide. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Blocker } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';

/** A transaction younger than this is ordinary traffic and gone before it could hold anything up. */
const ORDINARY_SECONDS = 2;

/** Longest part of a statement that is read: constants can be told apart in whole statements only. */
const QUERY_LENGTH = 1024;

/** What the change waits for, by the lock it takes. */
export type WaitsFor =
  /** CREATE INDEX CONCURRENTLY: writers of the table, then every older snapshot of the database. */
  | 'writers_and_snapshots'
  /** DROP INDEX CONCURRENTLY: everybody who uses the table. */
  | 'users'
  /** REINDEX INDEX CONCURRENTLY: older snapshots before it puts the new index in place, users before it drops the old. */
  | 'users_and_snapshots'
  /** ALTER TABLE SET (…), ANALYZE, CREATE STATISTICS: those whose lock conflicts with ShareUpdateExclusive. */
  | 'maintenance';

const ALL_MODES = [
  'AccessShareLock',
  'RowShareLock',
  'RowExclusiveLock',
  'ShareUpdateExclusiveLock',
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
];

const MODES: Record<WaitsFor, string[]> = {
  writers_and_snapshots: [
    'RowExclusiveLock',
    'ShareUpdateExclusiveLock',
    'ShareRowExclusiveLock',
    'ShareLock',
    'ExclusiveLock',
    'AccessExclusiveLock',
  ],
  users: ALL_MODES,
  users_and_snapshots: ALL_MODES,
  maintenance: [
    'ShareUpdateExclusiveLock',
    'ShareLock',
    'ShareRowExclusiveLock',
    'ExclusiveLock',
    'AccessExclusiveLock',
  ],
};

type Holder = Blocker & { virtualtransaction: string };

/**
 * Sessions and prepared transactions that `waitsFor` would wait for on these tables now. An autovacuum worker gives
 * way, unless it prevents wraparound. A transaction whose age this role may not see counts when it is still there
 * two seconds later.
 */
export async function findBlockers(
  session: TargetSession,
  tableOids: number | number[],
  waitsFor: WaitsFor,
): Promise<Blocker[]> {
  const sample = async () => {
    const holders = await lockHolders(session, [tableOids].flat(), MODES[waitsFor]);
    if (!waitsFor.endsWith('_and_snapshots')) return holders;
    const known = new Set(holders.map((holder) => holder.pid));
    return [...holders, ...(await snapshotHolders(session)).filter((holder) => !known.has(holder.pid))];
  };
  const first = await sample();
  const old = first.filter((holder) => (holder.age_seconds ?? 0) >= ORDINARY_SECONDS);
  const unknown = first.filter((holder) => holder.age_seconds === null);
  if (unknown.length > 0) {
    await sleep(ORDINARY_SECONDS * 1000);
    const still = new Set((await sample()).map((holder) => holder.virtualtransaction));
    old.push(...unknown.filter((holder) => still.has(holder.virtualtransaction)));
  }
  return old.map(({ virtualtransaction: _, ...blocker }) => blocker);
}

/** Holders of a conflicting lock on the table; a prepared transaction has pid 0 and its name in `reason`. */
function lockHolders(session: TargetSession, tableOids: number[], modes: string[]): Promise<Holder[]> {
  return session.query<Holder>(
    `SELECT DISTINCT ON (l.virtualtransaction)
            coalesce(l.pid, 0) AS pid, coalesce(a.usename, p.owner)::text AS "user",
            a.application_name, left(a.query, ${QUERY_LENGTH}) AS query,
            extract(epoch FROM clock_timestamp() - coalesce(p.prepared, a.xact_start))::float8 AS age_seconds,
            CASE WHEN l.pid IS NULL THEN format('prepared transaction %L holds %s on the table', p.gid, l.mode)
                 ELSE format('holds %s on %s%s', l.mode, CASE WHEN cardinality($1::oid[]) = 1 THEN 'the table' ELSE l.relation::regclass::text END,
                   CASE WHEN a.state LIKE 'idle in transaction%' THEN ', idle in its transaction' ELSE '' END)
            END AS reason,
            l.virtualtransaction
     FROM pg_locks l
     LEFT JOIN pg_stat_activity a ON a.pid = l.pid
     -- A prepared transaction has no pid; it is told by the lock on its own transaction id.
     LEFT JOIN pg_locks x ON l.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid' AND x.granted
       AND x.mode = 'ExclusiveLock' AND x.virtualtransaction = l.virtualtransaction
     LEFT JOIN pg_prepared_xacts p ON p.transaction = x.transactionid
     WHERE l.locktype = 'relation' AND l.relation = ANY ($1::oid[])
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.granted AND l.mode = ANY ($2::text[]) AND l.pid IS DISTINCT FROM pg_backend_pid()
       AND NOT (coalesce(a.backend_type, '') = 'autovacuum worker'
                AND a.query NOT LIKE '%to prevent wraparound%')
     ORDER BY l.virtualtransaction`,
    [tableOids, modes],
  );
}

/** Backends of this database that keep an old snapshot, whatever table they read; hidden ones show no backend_xmin. */
function snapshotHolders(session: TargetSession): Promise<Holder[]> {
  return session.query<Holder>(
    `SELECT pid, usename::text AS "user", application_name, left(query, ${QUERY_LENGTH}) AS query,
            extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age_seconds,
            format('keeps an old snapshot (backend_xmin %s)%s', backend_xmin,
              CASE WHEN state LIKE 'idle in transaction%' THEN ', idle in its transaction' ELSE '' END) AS reason,
            'pid ' || pid || ' ' || coalesce(xact_start::text, '') AS virtualtransaction
     FROM pg_stat_activity
     WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()
       AND backend_type <> 'autovacuum worker'
     ORDER BY xact_start`,
  );
}

/** One session as a blocker, for whoever waits for it now; null when it is gone. */
export async function blockerOf(
  session: TargetSession,
  pid: number,
  reason: string,
): Promise<Blocker | null> {
  const [row] = await session.query<Blocker>(
    `SELECT pid, usename::text AS "user", application_name, left(query, ${QUERY_LENGTH}) AS query,
            extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age_seconds, $2::text AS reason
     FROM pg_stat_activity WHERE pid = $1`,
    [pid, reason],
  );
  return row ?? null;
}
