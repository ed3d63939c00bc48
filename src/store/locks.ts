/** What writers of the store wait for each other on. */
import { sql } from 'kysely';
import type { DatabaseTransaction } from './database.ts';
import { notFound } from './errors.ts';

/** Advisory locks: any numbers do, as long as no other tool takes them. In ASCII: 'PGLU' and its last letter's kin. */
export const advisoryLocks = {
  migrations: 0x50474c55,
  partitions: 0x50474c50,
  audit: 0x50474c41,
  schedule: 0x50474c53,
  targetList: 0x50474c54,
  applies: 0x50474c42,
} as const;

/** Until the transaction ends. */
export async function lockExclusively(transaction: DatabaseTransaction, lock: number): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(${sql.lit(lock)})`.execute(transaction);
}

/**
 * Holds a target until the transaction ends. `write`: one at a time saves its snapshots, takes over its advice or
 * drops its leftovers. `read`: it shall not be removed meanwhile. `remove`: waits for both.
 * @throws PgLuthierError `target_not_found`.
 */
export async function holdTarget(
  transaction: DatabaseTransaction,
  targetId: string,
  mode: 'read' | 'write' | 'remove',
): Promise<void> {
  const query = transaction
    .selectFrom('pgluthier.target')
    .select('target_id')
    .where('target_id', '=', targetId);
  const locking = {
    read: () => query.forKeyShare(),
    write: () => query.forNoKeyUpdate(),
    remove: () => query.forUpdate(),
  };
  const row = await locking[mode]().executeTakeFirst();
  if (!row) throw notFound('target', targetId);
}
