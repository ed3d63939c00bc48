/** Advice that stands, as the rules of the next analysis are told of it. */
import { sql } from 'kysely';
import type { Dismissal, Recommendation, RecommendationState, StandingAdvice } from '../domain/index.ts';
import type { Database } from './database.ts';

/** What an analysis takes into account; what ended is in the target itself by now, or was given up. */
const STANDING: RecommendationState[] = [
  'open',
  'snoozed',
  'approved',
  'scheduled',
  'applying',
  'verifying',
  'needs_attention',
  'dismissed',
];

/** Newest generations in those states, by id. */
export async function standingAdvice(db: Database, targetId: string): Promise<StandingAdvice[]> {
  const newest = db
    .selectFrom('pgluthier.recommendation')
    .distinctOn('recommendation_id')
    .select([
      'recommendation_id',
      'rule',
      'state',
      'dismissal',
      sql<string>`body->>'key'`.as('key'),
      sql<Recommendation['change']>`body->'change'`.as('change'),
    ])
    .where('target_id', '=', targetId)
    .orderBy('recommendation_id')
    .orderBy('generation', 'desc')
    .as('newest');
  const rows = await db.selectFrom(newest).selectAll().where('state', 'in', STANDING).execute();
  return rows.map(({ recommendation_id, rule, key, change, state, dismissal }) => ({
    id: recommendation_id,
    rule,
    key,
    state: state as RecommendationState,
    change,
    dismissal: dismissal as Dismissal | null,
  }));
}
