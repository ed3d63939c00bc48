/** From what rules hand over to recommendations with identity, SQL and the hash that an approval is bound to. */
import { createHash } from 'node:crypto';
import { buildPlan } from '../apply/index.ts';
import {
  isCommitted,
  type Recommendation,
  type RecommendationDraft,
  type Severity,
  type StandingAdvice,
} from '../domain/index.ts';
import type { SettingDialect } from '../report/index.ts';
import { byHand } from './by-hand.ts';

const severityRank: Record<Severity, number> = { critical: 0, high: 1, medium: 2, low: 3, info: 4 };

/** SHA-256 over target, rule and key: the same advice has the same fingerprint on every night. */
function fingerprintOf(targetKey: string, draft: RecommendationDraft): string {
  return createHash('sha256')
    .update(JSON.stringify([targetKey, draft.rule, draft.key]))
    .digest('hex');
}

/**
 * Completes drafts and ranks them: by severity, then by what they save.
 * @param targetKey the target's id, or its address where there is no store.
 * @param dialects how settings are changed there.
 * @param standing advice of earlier analyses: what is decided on shows its state.
 */
export function finaliseDrafts(
  targetKey: string,
  drafts: RecommendationDraft[],
  standing: readonly StandingAdvice[] = [],
  dialects: readonly SettingDialect[] = [],
): Recommendation[] {
  const seen = new Set<string>();
  const decided = new Map(standing.filter(isCommitted).map(({ id, state }) => [id, state]));
  return drafts
    .map((draft): Recommendation => {
      const fingerprint = fingerprintOf(targetKey, draft);
      const plan = buildPlan(draft.change);
      const hand = draft.setting ? byHand(draft.setting, dialects) : (draft.by_hand ?? []);
      const id = `rec_${fingerprint.slice(0, 20)}`;
      return {
        ...draft,
        id,
        fingerprint,
        kind: draft.change.kind,
        statements: plan.statements,
        rollback: plan.rollback,
        plan_hash: plan.plan_hash,
        state: decided.get(id) ?? 'open',
        ...(hand.length > 0 ? { by_hand: hand } : {}),
      };
    })
    .filter((recommendation) => {
      if (seen.has(recommendation.id)) return false;
      seen.add(recommendation.id);
      return true;
    })
    .sort((a, b) => severityRank[a.severity] - severityRank[b.severity] || savedCost(b) - savedCost(a));
}

function savedCost(recommendation: Recommendation): number {
  const { cost_before, cost_after } = recommendation.estimate;
  return cost_before === null || cost_after === null ? 0 : cost_before - cost_after;
}
