/** Recommendations of several rules about one index: each says what the other one makes of it. */
import type { IndexDefinition, RecommendationDraft } from '../../domain/index.ts';

const COULD_BE_UNIQUE = 'index/could-be-unique';

/**
 * An index that one rule would rebuild and another one drop: both stay, for either may be dismissed, with a note. So has
 * a new index on a column that another rule finds unique.
 */
export function withContradictions(drafts: readonly RecommendationDraft[]): RecommendationDraft[] {
  const name = ({ schema, name: index }: { schema: string; name: string }) => JSON.stringify([schema, index]);
  const drops = new Map<string, string>();
  const rebuilds = new Set<string>();
  for (const { change, rule } of drafts) {
    if (change.kind === 'index.drop') drops.set(name(change), rule);
    if (change.kind === 'index.reindex') rebuilds.add(name(change));
  }
  const unique = new Set(drafts.flatMap(({ rule, key }) => (rule === COULD_BE_UNIQUE ? [key] : [])));
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
    const column = change.kind === 'index.create' ? onlyColumn(change.index) : null;
    if (change.kind === 'index.create' && column !== null) {
      const { schema, table } = change.index;
      const key = couldBeUniqueKey({ schema, table, column });
      if (unique.has(key)) {
        return noted(
          `${COULD_BE_UNIQUE} saw no value of ${column} twice: if that is meant, make it a CREATE UNIQUE INDEX, which answers the same.`,
        );
      }
    }
    return draft;
  });
}

/** The key of the finding that a column could be unique. */
export const couldBeUniqueKey = ({
  schema,
  table,
  column,
}: {
  schema: string;
  table: string;
  column: string;
}) => `finding could-be-unique ${schema}.${table} (${column})`;

/** The column of a B-tree over all rows that has no other key; null: it is another index. */
function onlyColumn({ method, keys, where }: IndexDefinition): string | null {
  const [first, ...others] = keys;
  return method === 'btree' && where === null && others.length === 0 ? (first?.column ?? null) : null;
}
