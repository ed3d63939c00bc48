/** Daily partitions of pgluthier.snapshot: made when a day's first snapshot comes, dropped by retention. */
import { sql } from 'kysely';
import type { Database } from './database.ts';
import { advisoryLocks, lockExclusively } from './locks.ts';

const DAY_MS = 86_400_000;

/** The UTC day, `2026-11-23`, of a time. */
export function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10);
}

/** Midnights (UTC) around a day. */
export function dayBounds(day: string): { from: string; to: string } {
  const from = new Date(`${day}T00:00:00Z`);
  return { from: from.toISOString(), to: new Date(from.getTime() + DAY_MS).toISOString() };
}

function partitionName(day: string): string {
  return `snapshot_${day.replaceAll('-', '')}`;
}

/** By a query: to_regclass() answers from a cache that waiting for an advisory lock does not refresh. */
async function exists(db: Database, name: string): Promise<boolean> {
  const { rows } = await sql<{ there: boolean }>`
    SELECT EXISTS (
      SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'pgluthier' AND c.relname = ${name}
    ) AS there`.execute(db);
  return rows[0]?.there === true;
}

/** In a transaction of its own: it locks out every reader of the parent for as long as that transaction lasts. */
export async function ensurePartition(db: Database, day: string): Promise<void> {
  const name = partitionName(day);
  if (await exists(db, name)) return;
  const { from, to } = dayBounds(day);
  await db.transaction().execute(async (transaction) => {
    await lockExclusively(transaction, advisoryLocks.partitions);
    if (await exists(transaction, name)) return;
    await sql`CREATE TABLE ${sql.table(`pgluthier.${name}`)} PARTITION OF pgluthier.snapshot
      FOR VALUES FROM (${sql.lit(from)}) TO (${sql.lit(to)})`.execute(transaction);
  });
}

/** Drops the partitions of days before this one; their names. */
export async function dropPartitionsBefore(db: Database, day: string): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'pgluthier.snapshot'::regclass AND c.relname < ${partitionName(day)}
    ORDER BY 1`.execute(db);
  // One at a time: each waits for the readers of the moment, and holds up those that come after it.
  for (const { name } of rows) {
    await db.transaction().execute(async (transaction) => {
      await lockExclusively(transaction, advisoryLocks.partitions);
      await transaction.schema.dropTable(`pgluthier.${name}`).ifExists().execute();
    });
  }
  return rows.map((row) => row.name);
}

/** Days that have a partition, oldest first. */
export async function partitionDays(db: Database): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'pgluthier.snapshot'::regclass ORDER BY 1`.execute(db);
  return rows.map(({ name }) => {
    const digits = name.slice('snapshot_'.length);
    return `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}`;
  });
}

/**
 * Gives the space of deleted rows back: nothing is ever added to an old day that could use it. Readers of that day wait
 * meanwhile; where somebody holds it right now, it is left as it is.
 */
export async function compactPartition(db: Database, day: string): Promise<void> {
  await sql`VACUUM (FULL, SKIP_LOCKED) ${sql.table(`pgluthier.${partitionName(day)}`)}`.execute(db);
}
