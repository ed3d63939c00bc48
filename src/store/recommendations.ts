/** Recommendations and their life. Every change of state is one transaction with its audit row. */
import {
  nextState,
  PgLuthierError,
  type Recommendation,
  type RecommendationEvent,
  type RecommendationState,
} from '../domain/index.ts';
import { appendAudit } from './audit.ts';
import { type Database, type DatabaseTransaction, notFound } from './database.ts';

export interface RecommendationFilter {
  state?: RecommendationState | undefined;
  kind?: string | undefined;
  rule?: string | undefined;
  severity?: string | undefined;
  limit: number;
  cursor?: string | undefined;
}

export interface TransitionOptions {
  actor: string;
  /** The plan that the actor saw; another one now is a conflict. */
  expected_plan_hash?: string;
  reason?: string;
  details?: Record<string, unknown>;
}

export interface RecommendationStore {
  /**
   * Takes over what an analysis proposes: open ones are renewed, dismissed ones stay away, those at work are left
   * alone, an approved one whose plan changed loses its approval, open ones that are no longer proposed are superseded.
   * `rules` are those that ran: advice of others says nothing about them.
   */
  upsertFromAnalysis(
    targetId: string,
    analysisId: string,
    recommendations: Recommendation[],
    options: { now: Date; rules: string[] },
  ): Promise<void>;
  list(
    targetId: string,
    filter: RecommendationFilter,
  ): Promise<{ items: Recommendation[]; next_cursor: string | null }>;
  /** The newest generation. @throws PgLuthierError `recommendation_not_found`. */
  get(targetId: string, id: string): Promise<Recommendation>;
  /**
   * One step of the life, exactly once whatever happens at the same time.
   * @throws PgLuthierError `invalid_state_transition` (409), `recommendation_changed` (409).
   */
  transition(
    targetId: string,
    id: string,
    event: RecommendationEvent,
    options: TransitionOptions,
  ): Promise<Recommendation>;
}

interface RecommendationRow {
  recommendation_id: string;
  generation: number;
  state: string;
  plan_hash: string;
  body: unknown;
}

function toRecommendation(row: RecommendationRow): Recommendation {
  return {
    ...(row.body as Omit<Recommendation, 'state'>),
    state: row.state as RecommendationState,
  };
}

const severityOrder = ['critical', 'high', 'medium', 'low', 'info'];

export function recommendationStore(db: Database): RecommendationStore {
  return {
    upsertFromAnalysis: (targetId, analysisId, recommendations, { now, rules }) =>
      db.transaction().execute(async (transaction) => {
        const known = await newestGenerations(transaction, targetId);
        for (const recommendation of recommendations) {
          await takeOver(
            transaction,
            targetId,
            analysisId,
            recommendation,
            known.get(recommendation.id),
            now,
          );
        }
        const proposed = new Set(recommendations.map((recommendation) => recommendation.id));
        const ran = new Set(rules);
        for (const row of known.values()) {
          const stale = row.state === 'open' && ran.has(row.rule) && !proposed.has(row.recommendation_id);
          if (stale) {
            await step(transaction, targetId, row, 'supersede', {
              actor: 'analysis',
              reason: 'no longer proposed',
              details: { analysis_id: analysisId },
            });
          }
        }
      }),
    list: async (targetId, filter) => {
      let query = db
        .selectFrom('pgluthier.recommendation as r')
        .select(['r.recommendation_id', 'r.generation', 'r.state', 'r.plan_hash', 'r.body', 'r.severity'])
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
        );
      if (filter.state) query = query.where('r.state', '=', filter.state);
      if (filter.kind) query = query.where('r.kind', '=', filter.kind);
      if (filter.rule) query = query.where('r.rule', '=', filter.rule);
      if (filter.severity) query = query.where('r.severity', '=', filter.severity);
      const rows = await query.execute();
      const order = (row: { severity: string; recommendation_id: string }) =>
        `${severityOrder.indexOf(row.severity)} ${row.recommendation_id}`;
      const after = filter.cursor ? Buffer.from(filter.cursor, 'base64url').toString('utf8') : '';
      const sorted = rows
        .toSorted((a, b) => (order(a) < order(b) ? -1 : 1))
        .filter((row) => order(row) > after);
      const page = sorted.slice(0, filter.limit);
      const last = page.at(-1);
      return {
        items: page.map(toRecommendation),
        next_cursor:
          last && sorted.length > page.length ? Buffer.from(order(last)).toString('base64url') : null,
      };
    },
    get: async (targetId, id) => {
      const row = await db
        .selectFrom('pgluthier.recommendation')
        .selectAll()
        .where('target_id', '=', targetId)
        .where('recommendation_id', '=', id)
        .orderBy('generation', 'desc')
        .limit(1)
        .executeTakeFirst();
      if (!row) throw notFound('recommendation', id);
      return toRecommendation(row);
    },
    transition: (targetId, id, event, options) =>
      db.transaction().execute(async (transaction) => {
        const row = await lockNewest(transaction, targetId, id);
        return toRecommendation(await step(transaction, targetId, row, event, options));
      }),
  };
}

type LockedRow = RecommendationRow & { rule: string };

/** The newest generation of each recommendation of a target, locked until the transaction ends. */
async function newestGenerations(
  transaction: DatabaseTransaction,
  targetId: string,
): Promise<Map<string, LockedRow>> {
  const rows = await transaction
    .selectFrom('pgluthier.recommendation')
    .select(['recommendation_id', 'generation', 'state', 'plan_hash', 'body', 'rule'])
    .where('target_id', '=', targetId)
    .orderBy('recommendation_id')
    .orderBy('generation')
    .forUpdate()
    .execute();
  return new Map(rows.map((row) => [row.recommendation_id, row]));
}

/** One recommendation's newest generation, locked: a second decision at the same time waits here, then sees the first. */
export async function lockNewest(
  transaction: DatabaseTransaction,
  targetId: string,
  id: string,
): Promise<LockedRow> {
  const row = await transaction
    .selectFrom('pgluthier.recommendation')
    .select(['recommendation_id', 'generation', 'state', 'plan_hash', 'body', 'rule'])
    .where('target_id', '=', targetId)
    .where('recommendation_id', '=', id)
    .orderBy('generation', 'desc')
    .limit(1)
    .forUpdate()
    .executeTakeFirst();
  if (!row) throw notFound('recommendation', id);
  return row;
}

/** One step of a locked row by the domain's table, with its audit row and, for an approval, its record. */
export async function step(
  transaction: DatabaseTransaction,
  targetId: string,
  row: RecommendationRow,
  event: RecommendationEvent,
  options: TransitionOptions,
): Promise<RecommendationRow> {
  const from = row.state as RecommendationState;
  const to = nextState(from, event);
  if (to === undefined) {
    throw new PgLuthierError({
      code: 'invalid_state_transition',
      status: 409,
      message: `This recommendation is ${from}; ${event.replaceAll('_', ' ')} is not possible from there.`,
      remedy: 'Read it again: somebody else may have decided meanwhile.',
      details: { state: from },
    });
  }
  if (options.expected_plan_hash !== undefined && options.expected_plan_hash !== row.plan_hash) {
    throw new PgLuthierError({
      code: 'recommendation_changed',
      status: 409,
      message: 'The plan of this recommendation is no longer the one with this hash.',
      remedy: 'Read it again and decide on what it says now.',
      details: { plan_hash: row.plan_hash },
    });
  }
  const updated = await transaction
    .updateTable('pgluthier.recommendation')
    .set({ state: to })
    .where('target_id', '=', targetId)
    .where('recommendation_id', '=', row.recommendation_id)
    .where('generation', '=', row.generation)
    .returning(['recommendation_id', 'generation', 'state', 'plan_hash', 'body'])
    .executeTakeFirstOrThrow();
  if (event === 'approve') {
    await transaction
      .insertInto('pgluthier.approval')
      .values({
        target_id: targetId,
        recommendation_id: row.recommendation_id,
        generation: row.generation,
        plan_hash: row.plan_hash,
        actor: options.actor,
        approved_at: new Date(),
      })
      .execute();
  }
  await appendAudit(transaction, {
    actor: options.actor,
    action: `recommendation.${event}`,
    target_id: targetId,
    subject_id: row.recommendation_id,
    details: {
      from,
      to,
      plan_hash: row.plan_hash,
      ...(options.reason === undefined ? {} : { reason: options.reason }),
      ...options.details,
    },
  });
  return updated;
}

/** Ended lives: the same advice, proposed again, starts a new generation. */
const ended = new Set(['succeeded', 'inconclusive', 'failed']);
/** Being worked on, or set aside by a person: an analysis does not touch them. */
const untouched = new Set(['dismissed', 'applying', 'verifying', 'needs_attention']);

async function takeOver(
  transaction: DatabaseTransaction,
  targetId: string,
  analysisId: string,
  recommendation: Recommendation,
  known: LockedRow | undefined,
  now: Date,
): Promise<void> {
  if (known && untouched.has(known.state)) return;
  const { state: _, ...body } = recommendation;
  if (!known || ended.has(known.state)) {
    await transaction
      .insertInto('pgluthier.recommendation')
      .values({
        target_id: targetId,
        recommendation_id: recommendation.id,
        generation: (known?.generation ?? 0) + 1,
        fingerprint: recommendation.fingerprint,
        rule: recommendation.rule,
        kind: recommendation.kind,
        severity: recommendation.severity,
        state: 'open',
        plan_hash: recommendation.plan_hash,
        body: JSON.stringify(body),
        analysis_id: analysisId,
        first_seen: now,
        last_seen: now,
      })
      .execute();
    return;
  }
  const details = { analysis_id: analysisId };
  if (known.state === 'superseded') {
    await step(transaction, targetId, known, 'reopen', {
      actor: 'analysis',
      reason: 'proposed again',
      details,
    });
  }
  if (known.state === 'approved' && known.plan_hash !== recommendation.plan_hash) {
    const reason = 'the plan changed after its approval';
    await step(transaction, targetId, known, 'revoke_approval', { actor: 'analysis', reason, details });
  }
  await transaction
    .updateTable('pgluthier.recommendation')
    .set({
      severity: recommendation.severity,
      plan_hash: recommendation.plan_hash,
      body: JSON.stringify(body),
      analysis_id: analysisId,
      last_seen: now,
    })
    .where('target_id', '=', targetId)
    .where('recommendation_id', '=', known.recommendation_id)
    .where('generation', '=', known.generation)
    .execute();
}
