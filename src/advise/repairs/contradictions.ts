/** Recommendations of several rules about one index: each says what the other one makes of it. */
import type { RecommendationDraft } from '../../domain/index.ts';

/** An index that one rule would rebuild and another one drop: both stay, for either may be dismissed, with a note. */
export function withContradictions(drafts: readonly RecommendationDraft[]): RecommendationDraft[] {
  const name = ({ schema, name: index }: { schema: string; name: string }) => JSON.stringify([schema, index]);
  const drops = new Map<string, string>();
  const rebuilds = new Set<string>();
  for (const { change, rule } of drafts) {
    if (change.kind === 'index.drop') drops.set(name(change), rule);
    if (change.kind === 'index.reindex') rebuilds.add(name(change));
  }
  return drafts.map((draft) => {
    const { change } = draft;
    const noted = (note: string) => ({
      ...draft,
      risk: { ...draft.risk, notes: [...draft.risk.notes, note] },
    });
    if (change.kind === 'index.reindex' && drops.has(name(change))) {
      return noted(
        `${drops.get(name(change))} proposes to drop this index: then there is nothing to rebuild.`,
      );
    }
    if (change.kind === 'index.drop' && rebuilds.has(name(change))) {
      return noted(
        'It is bloated: index/bloated proposes to rebuild it, after which its plans cost less than here.',
      );
    }
    return draft;
  });
}
