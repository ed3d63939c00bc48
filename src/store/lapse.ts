/** What time does to recommendations: a snooze ends, what nobody used grows too old. */
import { sql } from 'kysely';
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

/** Is there anything that a minute's look at the clock could begin? */
export async function isTimeDue(db: Database, now: Date): Promise<boolean> {
  const recommendation = await db
    .selectFrom('pgluthier.recommendation')
    .select('recommendation_id')
    .where(({ or, eb, and }) =>
      or([
        eb('state', '=', 'scheduled'),
        and([eb('state', '=', 'snoozed'), eb('snoozed_until', '<=', now.toISOString())]),
      ]),
    )
    .limit(1)
    .executeTakeFirst();
  if (recommendation) return true;
  const policy = await db
    .selectFrom('pgluthier.apply_policy')
    .select('target_id')
    .where(sql<boolean>`policy->>'mode' = 'auto' OR policy->>'revert' = 'perform'`)
    .limit(1)
    .executeTakeFirst();
  return policy !== undefined;
}
