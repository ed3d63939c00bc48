/** One thing is said by one rule: a finding that another rule makes with more to it becomes a rejection that names that one. */
import type { RecommendationDraft, Rejection } from '../domain/index.ts';

export interface SaidOnce {
  recommendations: RecommendationDraft[];
  rejections: Rejection[];
}

/**
 * @param yields by key of a recommendation, the keys that all have to be there for it to go.
 * What goes stays in the rejections, so that nobody looks for it in vain.
 */
export function saidOnce(
  drafts: readonly RecommendationDraft[],
  yields: ReadonlyMap<string, readonly string[]>,
): SaidOnce {
  const byKey = new Map(drafts.map((draft) => [draft.key, draft]));
  const recommendations: RecommendationDraft[] = [];
  const rejections: Rejection[] = [];
  for (const draft of drafts) {
    const others = (yields.get(draft.key) ?? []).map((key) => byKey.get(key));
    const first = others[0];
    if (!first || others.includes(undefined)) {
      recommendations.push(draft);
      continue;
    }
    rejections.push({
      rule: draft.rule,
      candidate: draft.title,
      code: 'said_elsewhere',
      reason: `${first.rule} says it: ${first.title}${others.length > 1 ? ', and more' : ''}`,
      key: draft.key,
    });
  }
  return { recommendations, rejections };
}
