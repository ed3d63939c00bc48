/** One thing is said by one rule: a finding that another rule makes with more to it becomes a rejection that names that one. */
import { quoteIdentifier, type RecommendationDraft, type Rejection } from '../domain/index.ts';

/** Its indexes are for look-ups by all of their columns, which no statement of the workload shows. */
const LOOKS_UP = 'index/unindexed-foreign-key';

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
  const drops = dropsSaidOnce(drafts);
  const recommendations: RecommendationDraft[] = [];
  const rejections: Rejection[] = [];
  for (const draft of drafts) {
    const served = drafts.find((other) => doesTheSame(other, draft));
    const drop = drops.get(draft.key) ?? draft;
    const others = served
      ? [served]
      : drop === draft
        ? (yields.get(draft.key) ?? []).map((key) => byKey.get(key))
        : [drop];
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

/**
 * Of several rules that drop one index the draft that stays, by key. An existing index in its place is worth more than
 * one that is yet to be built, as long as that stays itself: a drop is refused once what it counts on is gone.
 */
function dropsSaidOnce(drafts: readonly RecommendationDraft[]): Map<string, RecommendationDraft> {
  const going = new Set(
    drafts.flatMap(({ change }) => (change.kind === 'index.drop' ? [named(change)] : [])),
  );
  const worth = ({ change }: RecommendationDraft): number => {
    if (change.kind !== 'index.drop') return 0;
    if (change.covered_by && !going.has(named(change.covered_by))) return 2;
    return change.replaced_by ? 1 : 0;
  };
  const kept = new Map<string, RecommendationDraft>();
  for (const draft of drafts) {
    if (draft.change.kind !== 'index.drop') continue;
    const known = kept.get(draft.key);
    if (known === undefined || worth(draft) > worth(known)) kept.set(draft.key, draft);
  }
  return kept;
}

const named = ({ schema, name }: { schema: string; name: string }) => JSON.stringify([schema, name]);

/**
 * Whether the first is a new index that answers all that another rule's asks for: a B-tree over all rows of the table that
 * begins with its columns, in whatever order, for each of them is looked up.
 */
function doesTheSame({ rule, change }: RecommendationDraft, asked: RecommendationDraft): boolean {
  if (rule === asked.rule || asked.rule !== LOOKS_UP) return false;
  if (change.kind !== 'index.create' || asked.change.kind !== 'index.create') return false;
  const [{ schema, table, method, keys, where }, { index: wanted }] = [change.index, asked.change];
  if (schema !== wanted.schema || table !== wanted.table || method !== wanted.method) return false;
  if (where !== null && !wanted.keys.some(({ column }) => where === notNull(column ?? ''))) return false;
  const leading = new Set(keys.slice(0, wanted.keys.length).map(({ column }) => column));
  return wanted.keys.every(({ column }) => column !== null && leading.has(column));
}

const notNull = (column: string) => `${quoteIdentifier(column)} IS NOT NULL`;
