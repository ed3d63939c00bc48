/** What time does to recommendations: a snooze ends, what nobody used grows too old. */
import type { RecommendationEvent } from '../domain/index.ts';
import type { Database } from './database.ts';
import { lockNewest, step } from './transitions.ts';

interface Due {
  target_id: string;
  recommendation_id: string;
}

/** Each in a transaction of its own; one that was decided on meanwhile is left alone. */
async function stepEach(
  db: Database,
  due: readonly Due[],
  event: RecommendationEvent,
  reason: string,
  states: readonly string[],
): Promise<number> {
  let stepped = 0;
  for (const { target_id, recommendation_id } of due) {
    await db.transaction().execute(async (transaction) => {
      const row = await lockNewest(transaction, target_id, recommendation_id);
      if (!states.includes(row.state)) return;
      await step(transaction, target_id, row, event, { actor: 'time', reason });
      stepped += 1;
    });
  }
  return stepped;
}

export async function wake(db: Database, now: Date): Promise<number> {
  const due = await db
    .selectFrom('pgluthier.recommendation')
    .select(['target_id', 'recommendation_id'])
    .where('state', '=', 'snoozed')
    .where('snoozed_until', '<=', now.toISOString())
    .execute();
  return stepEach(db, due, 'wake', 'its snooze is over', ['snoozed']);
}

export async function expire(db: Database, targetId: string, before: Date): Promise<number> {
  const undecided = await db
    .selectFrom('pgluthier.recommendation')
    .select(['target_id', 'recommendation_id'])
    .where('target_id', '=', targetId)
    .where('state', '=', 'open')
    .where('last_seen', '<', before.toISOString())
    .execute();
  const unused = await db
    .selectFrom('pgluthier.recommendation as r')
    .select(['r.target_id', 'r.recommendation_id'])
    .where('r.target_id', '=', targetId)
    .where('r.state', 'in', ['approved', 'scheduled'])
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('pgluthier.approval as a')
            .select('a.actor')
            .whereRef('a.target_id', '=', 'r.target_id')
            .whereRef('a.recommendation_id', '=', 'r.recommendation_id')
            .whereRef('a.generation', '=', 'r.generation')
            .where('a.approved_at', '>=', before.toISOString()),
        ),
      ),
    )
    .execute();
  return (
    (await stepEach(db, undecided, 'expire', 'nobody decided on it, and no analysis renewed it', ['open'])) +
    (await stepEach(db, unused, 'expire', 'its approval was not used', ['approved', 'scheduled']))
  );
}
