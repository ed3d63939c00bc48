/** Partial indexes: a condition that stands in the statement itself, with the other keys in the index. */
import { type Candidate, type KeyPart, makeBtree } from './candidate.ts';
import { literalSelectivity } from './literal.ts';
import type { Wish } from './wish.ts';

/** Most of the rows in a partial index: then it saves nothing over a whole one. */
const MAX_SHARE = 0.5;
export function partialCandidates({ literals, table }: Wish, sequences: KeyPart[][]): Candidate[] {
  const candidates: Candidate[] = [];
  for (const literal of literals) {
    const selectivity = literalSelectivity(literal, table);
    if (selectivity > MAX_SHARE || literal.literal === null) continue;
    const shape = { where: literal.literal, selectivity };
    const isConstant = literal.kind === 'equality' || literal.kind === 'is_null';
    for (const keys of sequences) {
      const rest = keys.filter((key) => key.column === null || !literal.columns.includes(key.column));
      if (rest.length > 0) candidates.push(makeBtree(table, rest, shape));
      if (rest.length < keys.length && !isConstant) candidates.push(makeBtree(table, keys, shape));
    }
    // Nothing else to sort by: the column itself keeps the index small and useful.
    const [column] = literal.columns;
    if (sequences.length === 0 && column !== undefined) {
      candidates.push(makeBtree(table, [{ column, expression: null, columns: [column] }], shape));
    }
  }
  return candidates;
}
