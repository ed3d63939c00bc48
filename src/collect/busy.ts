/**
 * Relations that other sessions hold, or wait to hold, exclusively. Measuring a relation's size and printing its
 * expressions take a short lock on it and so wait behind DDL; a monitor must not. What had to wait is read again with
 * these left alone. Their tables' counters are kept, since a gap would look like a reset; without columns and indexes
 * nothing is advised on them.
 */
import { type Limit, quoteQualified } from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';
import { sqlVariant } from './variants.ts';

/** Quoted names by OID. */
export type Busy = Map<number, string>;

/**
 * pg_locks is looked at only after a lock_timeout: it stops the lock manager for a moment. Where it cannot be read
 * nothing is known to be busy, and the noun that had to wait says so.
 */
export async function findBusy(session: TargetSession): Promise<Busy> {
  const sql = sqlVariant('busy', String(session.server_version_num));
  const rows = await session
    .query<{ oid: number; schema: string; name: string }>(sql)
    .catch((error: unknown) => {
      if (error instanceof TargetQueryError) return [];
      throw error;
    });
  return new Map(rows.map((row) => [row.oid, quoteQualified(row.schema, row.name)]));
}

const NAMED_AT_MOST = 10;

/** What a snapshot that left busy relations alone has to say of itself. */
export function busyLimits(busy: Busy): Limit[] {
  if (busy.size === 0) return [];
  const names = [...busy.values()].sort();
  const shown = names.slice(0, NAMED_AT_MOST).join(', ');
  const more = names.length > NAMED_AT_MOST ? ` and ${names.length - NAMED_AT_MOST} more` : '';
  return [
    {
      scope: 'relations',
      code: 'relations_locked',
      message: `Other sessions held exclusive locks while collecting (${shown}${more}): of these relations only the counters and the catalog's sizes are kept, so that there is no advice on statements that use them.`,
      remedy: 'The next snapshot after the DDL has ended sees them.',
    },
  ];
}
