/** What becomes of a target's recommendations when an analysis proposes anew. */
import {
  type Dismissal,
  evidenceChange,
  evidenceOf,
  type Recommendation,
  type Rejection,
} from '../domain/index.ts';
import type { DatabaseTransaction } from './database.ts';
import { jsonText } from './json-text.ts';
import { lockAllNewest, type RecommendationRow, step } from './transitions.ts';

/** Ended lives: the same advice, proposed again, starts a new generation. */
const ended = new Set(['succeeded', 'inconclusive', 'failed']);
/** Being worked on, or set aside by a person: an analysis does not touch them. */
const untouched = new Set(['dismissed', 'snoozed', 'applying', 'verifying', 'needs_attention']);

/** Somebody agreed to the plan as it was. */
const agreed = new Set(['approved', 'scheduled']);
/** Set aside by an analysis or by time: proposed again they are open again. */
const lapsed = new Set(['superseded', 'expired']);
/** What goes when it is no longer proposed. */
const undecided = new Set(['open', 'snoozed']);

/** What a person approved stays word for word what they read, as long as it would do the same. */
function isApprovedAsItIs(row: RecommendationRow, recommendation: Recommendation): boolean {
  return agreed.has(row.state) && row.plan_hash === recommendation.plan_hash;
}

export interface TakeOverOptions {
  now: Date;
  /** Rules that came to a judgement: advice of others says nothing about what they advised. */
  rules: ReadonlySet<string>;
  /** Why what is no longer proposed is not. */
  rejections: readonly Rejection[];
}

/** What spoke for dismissed advice changed: in words, or null where it stays away. */
function changeOf(row: RecommendationRow, recommendation: Recommendation): string | null {
  if (row.state !== 'dismissed' || row.dismissal === null) return null;
  return evidenceChange((row.dismissal as Dismissal).evidence, evidenceOf(recommendation));
}

/** The caller holds the target, so that two analyses do not both begin the same recommendation. */
export async function takeOverAll(
  transaction: DatabaseTransaction,
  targetId: string,
  analysisId: string,
  recommendations: Recommendation[],
  { now, rules, rejections }: TakeOverOptions,
): Promise<void> {
  const known = await lockAllNewest(transaction, targetId);
  for (const recommendation of recommendations) {
    const row = known.get(recommendation.id);
    const change = row ? changeOf(row, recommendation) : null;
    if (!row || ended.has(row.state)) {
      await begin(transaction, targetId, analysisId, recommendation, (row?.generation ?? 0) + 1, now);
    } else if (change !== null) {
      const reason = `evidence changed: ${change}`;
      const details = { analysis_id: analysisId, dismissal: row.dismissal };
      const open = await step(transaction, targetId, row, 'reopen', { actor: 'analysis', reason, details });
      await renew(transaction, targetId, analysisId, recommendation, open, now);
    } else if (!untouched.has(row.state) && !isApprovedAsItIs(row, recommendation)) {
      await renew(transaction, targetId, analysisId, recommendation, row, now);
    }
  }
  const proposed = new Set(recommendations.map((recommendation) => recommendation.id));
  const because = new Map(rejections.flatMap((one) => (one.key ? [[`${one.rule} ${one.key}`, one]] : [])));
  for (const row of known.values()) {
    if (!undecided.has(row.state) || !rules.has(row.rule) || proposed.has(row.recommendation_id)) continue;
    const rejection = because.get(`${row.rule} ${(row.body as Recommendation).key}`);
    await step(transaction, targetId, row, 'supersede', {
      actor: 'analysis',
      reason: rejection ? `no longer proposed: ${rejection.reason}` : 'no longer proposed',
      details: { analysis_id: analysisId, ...(rejection ? { rejection_code: rejection.code } : {}) },
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

/** Its first row of a generation. */
export async function begin(
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
  if (lapsed.has(known.state)) {
    await step(transaction, targetId, known, 'reopen', {
      actor: 'analysis',
      reason: 'proposed again',
      details,
    });
  }
  if (agreed.has(known.state)) {
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
