/**
 * Equalities serve one statement in either order of the keys; the other order is worth having where somebody else looks
 * for the column that it leads with. Where nobody does, all that it has is the planner's belief that rows lie in the
 * order of the first key (× 0.75 for further ones: btcostestimate() of selfuncs.c), true of a column with one value, too.
 */
import type { Candidate } from './candidates.ts';
import type { AdvisorStatement } from './statement.ts';

interface Asked {
  candidate: Candidate;
  by: readonly AdvisorStatement[];
}

/**
 * Keys of those that are another's mirror, wanted after it, and lead with what no other statement wants to lead with.
 * @param wanted in the order in which they were wanted.
 */
export function idleMirrors(wanted: readonly Asked[]): Set<string> {
  const leading = new Map<string, Asked[]>();
  for (const asked of wanted) {
    const key = firstKey(asked.candidate);
    leading.set(key, [...(leading.get(key) ?? []), asked]);
  }
  const seen = new Set<string>();
  const idle = new Set<string>();
  for (const { candidate, by } of wanted) {
    const { keys } = candidate.definition;
    const names = keys.map((key) => key.column ?? key.expression);
    const isMirror = keys.length > 1 && seen.has(shapeOf(candidate, names.toReversed()));
    seen.add(shapeOf(candidate, names));
    if (!isMirror) continue;
    const others = leading.get(firstKey(candidate)) ?? [];
    if (!others.some((other) => other.by.some((one) => !by.includes(one)))) idle.add(candidate.key);
  }
  return idle;
}

const firstKey = ({ definition, table }: Candidate) =>
  JSON.stringify([table.row.oid, definition.keys[0]?.column, definition.keys[0]?.expression]);

const shapeOf = ({ definition, table }: Candidate, names: readonly (string | null)[]) =>
  JSON.stringify([table.row.oid, definition.method, definition.where, definition.include, names]);
