/** The journal of an apply: what was about to be sent, and what came of it. */
import { sql } from 'kysely';
import type { Journal, JournalEntry } from '../domain/index.ts';
import type { Database } from './database.ts';

/** Each call is a transaction of its own that waits for the disk, whatever the server's default is. */
export function journal(db: Database, targetId: string, applyId: string): Journal {
  const durable = sql`SELECT set_config('synchronous_commit', 'on', true)`;
  return {
    intend: (entry) =>
      db.transaction().execute(async (transaction) => {
        await durable.execute(transaction);
        const { last } = await transaction
          .selectFrom('pgluthier.journal')
          .select(({ fn }) => fn.max('step').as('last'))
          .where('target_id', '=', targetId)
          .where('apply_id', '=', applyId)
          .executeTakeFirstOrThrow();
        const number = (last ?? 0) + 1;
        await transaction
          .insertInto('pgluthier.journal')
          .values({
            target_id: targetId,
            apply_id: applyId,
            step: number,
            ...entry,
            state: 'intended',
            started_at: new Date(),
          })
          .execute();
        return number;
      }),
    settle: (number, { state, sqlstate: code, message }) =>
      db.transaction().execute(async (transaction) => {
        await durable.execute(transaction);
        const settled = await transaction
          .updateTable('pgluthier.journal')
          .set({ state, sqlstate: code, message, finished_at: new Date() })
          .where('target_id', '=', targetId)
          .where('apply_id', '=', applyId)
          .where('step', '=', number)
          .executeTakeFirst();
        if (settled.numUpdatedRows !== 1n) throw new Error(`journal step ${number} of ${applyId} is missing`);
      }),
    entries: async () => {
      const rows = await db
        .selectFrom('pgluthier.journal')
        .selectAll()
        .where('target_id', '=', targetId)
        .where('apply_id', '=', applyId)
        .orderBy('step')
        .execute();
      return rows.map(({ target_id: _target, apply_id: _apply, ...row }) => row as JournalEntry);
    },
  };
}
