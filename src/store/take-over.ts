/** What becomes of a target's recommendations when an analysis proposes anew. */
import type { Recommendation } from '../domain/index.ts';
import type { DatabaseTransaction } from './database.ts';
import { jsonText } from './json-text.ts';
import { lockAllNewest, type RecommendationRow, step } from './transitions.ts';

/** Ended lives: the same advice, proposed again, starts a new generation. */
const ended = new Set(['succeeded', 'inconclusive', 'failed']);
/** Being worked on, or set aside by a person: an analysis does not touch them. */
const untouched = new Set(['dismissed', 'applying', 'verifying', 'needs_attention']);

/** What a person approved stays word for word what they read, as long as it would do the same. */
function isApprovedAsItIs(row: RecommendationRow, recommendation: Recommendation): boolean {
  return row.state === 'approved' && row.plan_hash === recommendation.plan_hash;
}

/** The caller holds the target, so that two analyses do not both begin the same recommendation. */
export async function takeOverAll(
  transaction: DatabaseTransaction,
  targetId: string,
  analysisId: string,
  recommendations: Recommendation[],
  { now, rules }: { now: Date; rules: ReadonlySet<string> },
): Promise<void> {
  const known = await lockAllNewest(transaction, targetId);
  for (const recommendation of recommendations) {
    const row = known.get(recommendation.id);
    if (!row || ended.has(row.state)) {
      await begin(transaction, targetId, analysisId, recommendation, (row?.generation ?? 0) + 1, now);
    } else if (!untouched.has(row.state) && !isApprovedAsItIs(row, recommendation)) {
      await renew(transaction, targetId, analysisId, recommendation, row, now);
    }
  }
  const proposed = new Set(recommendations.map((recommendation) => recommendation.id));
  for (const row of known.values()) {
    if (row.state !== 'open' || !rules.has(row.rule) || proposed.has(row.recommendation_id)) continue;
    await step(transaction, targetId, row, 'supersede', {
      actor: 'analysis',
      reason: 'no longer proposed',
      details: { analysis_id: analysisId },
    });
  }
}

/** Columns that follow the newest proposal. */
function proposal(recommendation: Recommendation, analysisId: string, now: Date) {
  const { state: _, ...body } = recommendation;
  return {
    severity: recommendation.severity,
    plan_hash: recommendation.plan_hash,
    body: jsonText(body),
    analysis_id: analysisId,
    last_seen: now,
  };
}

async function begin(
  transaction: DatabaseTransaction,
  targetId: string,
  analysisId: string,
  recommendation: Recommendation,
  generation: number,
  now: Date,
): Promise<void> {
  await transaction
    .insertInto('pgluthier.recommendation')
    .values({
      target_id: targetId,
      recommendation_id: recommendation.id,
      generation,
      fingerprint: recommendation.fingerprint,
      rule: recommendation.rule,
      kind: recommendation.kind,
      state: 'open',
      first_seen: now,
      ...proposal(recommendation, analysisId, now),
    })
    .execute();
}

async function renew(
  transaction: DatabaseTransaction,
  targetId: string,
  analysisId: string,
  recommendation: Recommendation,
  known: RecommendationRow,
  now: Date,
): Promise<void> {
  const details = { analysis_id: analysisId };
  if (known.state === 'superseded') {
    await step(transaction, targetId, known, 'reopen', {
      actor: 'analysis',
      reason: 'proposed again',
      details,
    });
  }
  if (known.state === 'approved') {
    await step(transaction, targetId, known, 'revoke_approval', {
      actor: 'analysis',
      reason: 'the plan changed after its approval',
      details: { ...details, new_plan_hash: recommendation.plan_hash },
    });
  }
  await transaction
    .updateTable('pgluthier.recommendation')
    .set(proposal(recommendation, analysisId, now))
    .where('target_id', '=', targetId)
    .where('recommendation_id', '=', known.recommendation_id)
    .where('generation', '=', known.generation)
    .execute();
}
