/**
 * Statements that PostgreSQL plans by genetic search (GEQO): it tries some join orders out of very many, drawn by what
 * others cost, so that an index which no plan uses can still lead it elsewhere. What a plan of such a statement costs
 * beside other indexes does not follow from it.
 */
import type { Limit, Snapshot, StatementUsage } from '../../domain/index.ts';

/** Defaults of PostgreSQL, where the snapshot does not have them. */
const GEQO_THRESHOLD = 12;
const COLLAPSE_LIMIT = 8;

/**
 * Whether some list of joins may be as long as geqo_threshold (make_rel_from_joinlist() of allpaths.c). Lists grow
 * beyond from_collapse_limit and join_collapse_limit only by what one FROM clause lists itself, comma by comma
 * (deconstruct_recurse() of initsplan.c); explicit joins are cut into lists of join_collapse_limit at most.
 */
export function isGenetic({ settings }: Pick<Snapshot, 'settings'>, usage: StatementUsage): boolean {
  const text = (name: string) => settings.find((row) => row.name === name)?.setting;
  if (text('geqo') === 'off') return false;
  const collapse = Math.max(
    Number(text('from_collapse_limit') ?? COLLAPSE_LIMIT),
    Number(text('join_collapse_limit') ?? COLLAPSE_LIMIT),
  );
  const longest = Math.max(usage.widest_from, Math.min(usage.relations.length, collapse));
  return longest >= Number(text('geqo_threshold') ?? GEQO_THRESHOLD);
}

/** What is owed to it; none where no statement is planned so. */
export function geneticLimit(rule: string, statements: readonly { is_genetic?: boolean }[]): Limit[] {
  const count = statements.filter(({ is_genetic }) => is_genetic === true).length;
  if (count === 0) return [];
  return [
    {
      scope: rule,
      code: 'genetic_search',
      message: `${count} statement(s) join so many tables that PostgreSQL plans them by genetic search (geqo_threshold): another index can change their plans by chance. Costs told of them are those of the very sets that they are told of, but the set was chosen, and the floor reckoned, by costs that may be off by some per cent.`,
      remedy:
        'A higher geqo_threshold makes their plans dependable, where the time that planning takes then allows it.',
    },
  ];
}
