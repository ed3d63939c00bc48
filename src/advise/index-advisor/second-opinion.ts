/** What a second planner says of an index, as evidence. */
import { type AffectedStatement, amountWords, type Evidence } from '../../domain/index.ts';
import type { CrossCheck } from './cross-check.ts';
import type { Contender } from './selection.ts';

/** Two sums over the statements that it makes cheaper: each planner's, both with the indexes that both have. */
export function secondOpinion(
  contender: Contender,
  affects: readonly AffectedStatement[],
  checked: CrossCheck | null,
): Evidence[] {
  if (checked === null || checked.not_made.has(contender.handle)) return [];
  const both = affects.flatMap(({ query_id, calls }) => {
    const costs = checked.costs.get(query_id);
    return costs ? [{ ours: costs.ours * calls, theirs: costs.theirs * calls }] : [];
  });
  if (both.length === 0) return [];
  const sum = (pick: 'ours' | 'theirs') => both.reduce((total, item) => total + item[pick], 0);
  return [
    {
      name: `cost of the ${both.length} statement(s) that it changes, by the twin and by ${checked.engine}`,
      value: `${amountWords(sum('ours'))} and ${amountWords(sum('theirs'))} cost units`,
      unit: null,
      source: `twin EXPLAIN and ${checked.engine} EXPLAIN × calls`,
      level: 'simulated',
      formula: 'Σ calls × plan cost, with the chosen indexes that both planners make',
    },
  ];
}
