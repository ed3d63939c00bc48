/** The disk that was granted to new indexes is granted once, whichever rules ask for it. */
import { bytesWords, type RecommendationDraft, type Rejection } from '../domain/index.ts';
import { TAKEN_OF_BUDGET } from './index-advisor/draft-evidence.ts';

/** It spends the budget by a search of its own, and comes first. */
const SPENDS_ITSELF = 'index/missing';

export interface WithinBudget {
  recommendations: RecommendationDraft[];
  rejections: Rejection[];
}

/**
 * What fits of all new indexes: first those that were chosen for the workload within the budget, then the others by what
 * they save for a byte. What does not fit is a rejection `over_budget`.
 * @param budget bytes; null: no limit.
 */
export function withinBudget(drafts: readonly RecommendationDraft[], budget: number | null): WithinBudget {
  const rejections: Rejection[] = [];
  if (budget === null) return { recommendations: [...drafts], rejections };
  const takes = ({ change, estimate, evidence }: RecommendationDraft) => {
    if (change.kind !== 'index.create') return 0;
    // What statistics leave open of one index is not there for another.
    const reserved = evidence.find(({ name }) => name === TAKEN_OF_BUDGET)?.value;
    return Math.max(0, estimate.size_bytes ?? 0, Number(reserved ?? 0));
  };
  const isOther = (draft: RecommendationDraft) => draft.rule !== SPENDS_ITSELF && takes(draft) > 0;
  const saves = ({ estimate }: RecommendationDraft) =>
    (estimate.cost_before ?? 0) - (estimate.cost_after ?? 0);
  let left = drafts.filter((draft) => !isOther(draft)).reduce((sum, draft) => sum - takes(draft), budget);
  const over = new Set<RecommendationDraft>();
  const others = drafts.filter(isOther).sort((a, b) => saves(b) / takes(b) - saves(a) / takes(a));
  for (const draft of others) {
    if (takes(draft) <= left) left -= takes(draft);
    else {
      over.add(draft);
      rejections.push({
        rule: draft.rule,
        candidate: draft.title,
        code: 'over_budget',
        reason: `its ${bytesWords(takes(draft))} do not fit into the ${bytesWords(Math.max(0, left))} that the other new indexes leave of the budget of ${bytesWords(budget)}`,
        key: draft.key,
      });
    }
  }
  return { recommendations: drafts.filter((draft) => !over.has(draft)), rejections };
}
