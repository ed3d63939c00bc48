/** Recommendations and their life. Every change of state is one transaction with its audit row. */
import { sql } from 'kysely';
import {
  PgLuthierError,
  type Recommendation,
  type RecommendationEvent,
  type RecommendationState,
  type Rejection,
  type StandingAdvice,
  severitySchema,
} from '../domain/index.ts';
import { type DecidedAgainst, decidedAgainst } from './against-policy.ts';
import type { Database } from './database.ts';
import { notFound } from './errors.ts';
import { expire, isTimeDue, wake } from './lapse.ts';
import { holdTarget } from './locks.ts';
import { standingAdvice } from './standing-advice.ts';
import { takeOverAll } from './take-over.ts';
import { lockNewest, step, type TransitionOptions } from './transitions.ts';

interface RecommendationFilter {
  state?: RecommendationState | undefined;
  kind?: string | undefined;
  rule?: string | undefined;
  severity?: string | undefined;
  limit: number;
  /** As the page before gave it. */
  cursor?: string | undefined;
}

/** One life of a recommendation: advice that comes back after it was carried out begins another. */
interface RecommendationGeneration {
  generation: number;
  state: RecommendationState;
  plan_hash: string;
  /** The analysis that renewed it last. */
  analysis_id: string;
  first_seen: string;
  last_seen: string;
}

export interface RecommendationStore {
  /**
   * Takes over what an analysis proposes: open ones are renewed, dismissed ones stay away until their evidence changes
   * (`evidenceChange`) and are open again then, approved ones and those at work are left alone, but an approved one whose plan changed loses its approval, open ones that are no longer proposed are
   * superseded with the reason that `rejections` give, and those that ended (succeeded, inconclusive, failed) begin a
   * new generation. All or nothing. `rules` are those that came to a judgement: advice of others stays as it is.
   * @throws PgLuthierError `target_not_found`.
   */
  upsertFromAnalysis(
    targetId: string,
    analysisId: string,
    recommendations: Recommendation[],
    options: { now: Date; rules: string[]; rejections?: readonly Rejection[] },
  ): Promise<void>;
  /** What an analysis must know of earlier ones: newest generations that are open, decided on, at work or dismissed. */
  standing(targetId: string): Promise<StandingAdvice[]>;
  /**
   * Newest generations, most severe first.
   * @throws PgLuthierError `invalid_cursor` (400).
   */
  list(
    targetId: string,
    filter: RecommendationFilter,
  ): Promise<{ items: Recommendation[]; next_cursor: string | null }>;
  /** The newest generation. @throws PgLuthierError `recommendation_not_found`. */
  get(targetId: string, id: string): Promise<Recommendation>;
  /** All generations, newest first. @throws PgLuthierError `recommendation_not_found`. */
  history(targetId: string, id: string): Promise<RecommendationGeneration[]>;
  /**
   * One step of the life, exactly once whatever happens at the same time.
   * @throws PgLuthierError `recommendation_not_found`, `invalid_state_transition` (409; details.state is the current
   * state), `recommendation_changed` (409; details.plan_hash is the current plan's).
   */
  transition(
    targetId: string,
    id: string,
    event: RecommendationEvent,
    options: TransitionOptions,
  ): Promise<Recommendation>;
  /** Opens what was snoozed until now or earlier. */
  wake(now: Date): Promise<number>;
  /** Expires what nobody decided on, and approvals that were not used, since `before`. */
  expire(targetId: string, before: Date): Promise<number>;
  /** Is there a snooze that is over, a schedule, or a policy that approves? */
  isTimeDue(now: Date): Promise<boolean>;
  /** What of these, by id, a person decided against so that the policy may not approve it. See against-policy.ts. */
  decidedAgainst(targetId: string, items: readonly Recommendation[]): Promise<Map<string, DecidedAgainst>>;
  /** Those that wait for a window: oldest first, with who asked. */
  scheduled(targetId: string): Promise<{ id: string; scheduled_by: string }[]>;
}

function toRecommendation(row: {
  body: unknown;
  state: string;
  snoozed_until: string | null;
}): Recommendation {
  return {
    ...(row.body as Omit<Recommendation, 'state'>),
    state: row.state as RecommendationState,
    ...(row.snoozed_until === null ? {} : { snoozed_until: row.snoozed_until }),
  };
}

const severities = severitySchema.options;

/** Where a page ended: rank of the severity, and id. */
type Position = [rank: number, id: string];

function writeCursor(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

function readCursor(cursor: string): Position {
  let position: unknown;
  try {
    position = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    position = null;
  }
  if (
    Array.isArray(position) &&
    position.length === 2 &&
    Number.isSafeInteger(position[0]) &&
    typeof position[1] === 'string'
  ) {
    return [position[0], position[1]];
  }
  throw new PgLuthierError({
    code: 'invalid_cursor',
    status: 400,
    message: 'This cursor is none that a list gave.',
    remedy: "Take `next_cursor` of the page before as it is, or leave it out to start at the list's top.",
  });
}

export function recommendationStore(db: Database): RecommendationStore {
  return {
    upsertFromAnalysis: (targetId, analysisId, recommendations, { now, rules, rejections = [] }) =>
      db.transaction().execute(async (transaction) => {
        await holdTarget(transaction, targetId, 'write');
        const options = { now, rules: new Set(rules), rejections };
        await takeOverAll(transaction, targetId, analysisId, recommendations, options);
      }),
    standing: (targetId) => standingAdvice(db, targetId),
    list: async (targetId, filter) => {
      const rank = sql<number>`array_position(${severities}::text[], r.severity)`;
      // By bytes, as every replica compares them.
      const id = sql<string>`r.recommendation_id COLLATE "C"`;
      let query = db
        .selectFrom('pgluthier.recommendation as r')
        .select(['r.recommendation_id', 'r.state', 'r.body', 'r.snoozed_until', rank.as('rank')])
        .where('r.target_id', '=', targetId)
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('pgluthier.recommendation as later')
                .select('later.generation')
                .whereRef('later.target_id', '=', 'r.target_id')
                .whereRef('later.recommendation_id', '=', 'r.recommendation_id')
                .whereRef('later.generation', '>', 'r.generation'),
            ),
          ),
        )
        .orderBy(rank)
        .orderBy(id)
        .limit(filter.limit + 1);
      if (filter.state) query = query.where('r.state', '=', filter.state);
      if (filter.kind) query = query.where('r.kind', '=', filter.kind);
      if (filter.rule) query = query.where('r.rule', '=', filter.rule);
      if (filter.severity) query = query.where('r.severity', '=', filter.severity);
      if (filter.cursor !== undefined) {
        const [afterRank, afterId] = readCursor(filter.cursor);
        query = query.where(sql<boolean>`(${rank}, ${id}) > (${afterRank}::int, ${afterId}::text)`);
      }
      const rows = await query.execute();
      const page = rows.slice(0, filter.limit);
      const last = page.at(-1);
      return {
        items: page.map(toRecommendation),
        next_cursor:
          last && rows.length > page.length ? writeCursor([last.rank, last.recommendation_id]) : null,
      };
    },
    get: async (targetId, id) => {
      const row = await db
        .selectFrom('pgluthier.recommendation')
        .select(['state', 'body', 'snoozed_until'])
        .where('target_id', '=', targetId)
        .where('recommendation_id', '=', id)
        .orderBy('generation', 'desc')
        .limit(1)
        .executeTakeFirst();
      if (!row) throw notFound('recommendation', id);
      return toRecommendation(row);
    },
    history: async (targetId, id) => {
      const rows = await db
        .selectFrom('pgluthier.recommendation')
        .select(['generation', 'state', 'plan_hash', 'analysis_id', 'first_seen', 'last_seen'])
        .where('target_id', '=', targetId)
        .where('recommendation_id', '=', id)
        .orderBy('generation', 'desc')
        .execute();
      if (rows.length === 0) throw notFound('recommendation', id);
      return rows.map((row) => ({ ...row, state: row.state as RecommendationState }));
    },
    transition: (targetId, id, event, options) =>
      db.transaction().execute(async (transaction) => {
        const row = await lockNewest(transaction, targetId, id);
        return toRecommendation(await step(transaction, targetId, row, event, options));
      }),
    wake: (now) => wake(db, now),
    isTimeDue: (now) => isTimeDue(db, now),
    expire: (targetId, before) => expire(db, targetId, before),
    decidedAgainst: async (targetId, items) => {
      const found = new Map<string, DecidedAgainst>();
      for (const item of items) {
        const judged = { recommendation_id: item.id, plan_hash: item.plan_hash, body: item };
        const against = await decidedAgainst(db, targetId, judged);
        if (against) found.set(item.id, against);
      }
      return found;
    },
    scheduled: async (targetId) => {
      const rows = await db
        .selectFrom('pgluthier.recommendation')
        .select(['recommendation_id as id', 'scheduled_by'])
        .where('target_id', '=', targetId)
        .where('state', '=', 'scheduled')
        .orderBy('first_seen')
        .orderBy('recommendation_id')
        .execute();
      return rows.map(({ id, scheduled_by }) => ({ id, scheduled_by: scheduled_by ?? '' }));
    },
  };
}
