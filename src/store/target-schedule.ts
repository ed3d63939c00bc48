/** When targets are due, and which replica has which. Times are the caller's clock's: replicas' clocks agree to seconds. */
import { sql } from 'kysely';
import type { Database } from './database.ts';
import { advisoryLocks, lockExclusively } from './locks.ts';

export interface TargetSchedule {
  target_id: string;
  next_due_at: string;
  lease_owner: string | null;
  consecutive_failures: number;
  last_error_code: string | null;
  last_success_at: string | null;
}

export interface Claim {
  target_id: string;
  /** Its last collection failed. */
  suspect: boolean;
  consecutive_failures: number;
}

export interface TargetScheduleStore {
  /**
   * Takes targets that are due and nobody has: of each server one, healthy ones before suspects of the same server,
   * the longest due first. Paused ones are never due; new ones are at once.
   */
  claim(request: {
    owner: string;
    now: Date;
    /** At most so many of each kind. */
    healthy: number;
    suspects: number;
    lease_until: Date;
  }): Promise<Claim[]>;
  /**
   * Gives a target back with how it went; nothing happens if the lease was lost meanwhile.
   * @param end.owner as it was claimed by: unique to the claim, where a process may claim a target again.
   * @param end.error_code of a failure; null: it went well; absent: it was not tried to the end, which says nothing.
   */
  giveBack(end: {
    target_id: string;
    owner: string;
    now: Date;
    next_due_at: Date;
    error_code?: string | null;
  }): Promise<void>;
  list(): Promise<TargetSchedule[]>;
  /** Ids of targets whose last collections failed, at least so many in a row. */
  failing(inARow: number): Promise<Map<string, string>>;
}

/** host:port of an address `host:port/database`. */
const serverOf = sql<string>`regexp_replace(t.address, '/[^/]*$', '')`;

export function targetScheduleStore(db: Database): TargetScheduleStore {
  return {
    claim: async ({ owner, now, healthy, suspects, lease_until }) =>
      db.transaction().execute(async (transaction) => {
        // One replica at a time: two could take two databases of one server.
        await lockExclusively(transaction, advisoryLocks.schedule);
        await sql`
          INSERT INTO pgluthier.target_schedule (target_id, server, next_due_at, consecutive_failures)
          SELECT t.target_id, ${serverOf}, ${now}, 0 FROM pgluthier.target AS t
          WHERE NOT EXISTS (SELECT 1 FROM pgluthier.target_schedule AS s WHERE s.target_id = t.target_id)
          ON CONFLICT DO NOTHING`.execute(transaction);
        const { rows } = await sql<Claim>`
          WITH ready AS (
            SELECT DISTINCT ON (s.server) s.target_id, s.next_due_at, s.consecutive_failures > 0 AS suspect
            FROM pgluthier.target_schedule AS s JOIN pgluthier.target AS t USING (target_id)
            WHERE t.paused_at IS NULL AND s.next_due_at <= ${now} AND (s.lease_until IS NULL OR s.lease_until <= ${now})
              AND NOT EXISTS (SELECT 1 FROM pgluthier.target_schedule AS b
                              WHERE b.server = s.server AND b.lease_until > ${now})
            ORDER BY s.server, s.consecutive_failures > 0, s.next_due_at, s.target_id
          ), taken AS (
            (SELECT target_id FROM ready WHERE NOT suspect ORDER BY next_due_at, target_id LIMIT ${healthy})
            UNION ALL
            (SELECT target_id FROM ready WHERE suspect ORDER BY next_due_at, target_id LIMIT ${suspects})
          )
          UPDATE pgluthier.target_schedule AS s SET lease_owner = ${owner}, lease_until = ${lease_until}
          FROM taken WHERE s.target_id = taken.target_id
          RETURNING s.target_id, s.consecutive_failures > 0 AS suspect, s.consecutive_failures`.execute(
          transaction,
        );
        return rows;
      }),
    giveBack: async ({ target_id, owner, now, next_due_at, error_code }) => {
      await db
        .updateTable('pgluthier.target_schedule')
        .set((given) => ({
          lease_owner: null,
          lease_until: null,
          next_due_at,
          ...(error_code === undefined ? {} : { last_error_code: error_code }),
          ...(error_code === null ? { consecutive_failures: 0, last_success_at: now } : {}),
          ...(typeof error_code === 'string'
            ? { consecutive_failures: given('consecutive_failures', '+', 1) }
            : {}),
        }))
        .where('target_id', '=', target_id)
        .where('lease_owner', '=', owner)
        .execute();
    },
    list: async () =>
      db
        .selectFrom('pgluthier.target_schedule')
        .select([
          'target_id',
          'next_due_at',
          'lease_owner',
          'consecutive_failures',
          'last_error_code',
          'last_success_at',
        ])
        .orderBy('target_id')
        .execute(),
    failing: async (inARow) => {
      const rows = await db
        .selectFrom('pgluthier.target_schedule')
        .select(['target_id', 'last_error_code'])
        .where('consecutive_failures', '>=', inARow)
        .execute();
      return new Map(rows.map((row) => [row.target_id, row.last_error_code ?? 'unknown']));
    },
  };
}
