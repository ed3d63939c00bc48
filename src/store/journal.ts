/** The journal of an apply: what was about to be sent, and what came of it. */
import { sql } from 'kysely';
import { type ApplyState, type Journal, type JournalEntry, PgLuthierError } from '../domain/index.ts';
import type { Database } from './database.ts';

const OPEN: ReadonlySet<string> = new Set(['queued', 'running'] satisfies ApplyState[]);

function notOpen(applyId: string, state: string | undefined): PgLuthierError {
  return new PgLuthierError({
    code: 'apply_not_open',
    status: 409,
    message: `Apply ${applyId} is ${state ?? 'not there'}: another process has brought it to an end.`,
    remedy: 'See its outcome; nothing more was sent.',
  });
}

/** Each call is a transaction of its own that waits for the disk, whatever the server's default is. */
export function journal(db: Database, targetId: string, applyId: string): Journal {
  const durable = sql`SELECT set_config('synchronous_commit', 'on', true)`;
  return {
    intend: (entry) =>
      db.transaction().execute(async (transaction) => {
        await durable.execute(transaction);
        // Another process may have ended it as interrupted while we were on our way: nothing more is sent then.
        const apply = await transaction
          .selectFrom('pgluthier.apply')
          .select('state')
          .where('target_id', '=', targetId)
          .where('apply_id', '=', applyId)
          .forShare()
          .executeTakeFirst();
        if (apply === undefined || !OPEN.has(apply.state)) throw notOpen(applyId, apply?.state);
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
