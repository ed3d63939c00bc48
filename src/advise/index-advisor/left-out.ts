/** Why contenders are not in the chosen set, in words, and which of them exclude each other. */
import type { WeighedContender } from './charges.ts';
import type { searchSets } from './search/local-search.ts';

import type { Contender, Selection, SelectionInput } from './selection.ts';

/** A block-range index and a plain B-tree that lead with the same column do the same work in two ways. */
export function alternatives(contenders: readonly Contender[]): Map<number, Set<number>> {
  const leading = new Map<string, { brin: number[]; btree: number[] }>();
  for (const [position, { candidate, table_oid }] of contenders.entries()) {
    const { method, keys, where } = candidate.definition;
    const column = keys[0]?.column ?? null;
    if (column === null || where !== null || (method !== 'brin' && method !== 'btree')) continue;
    const key = `${table_oid} ${column}`;
    const group = leading.get(key) ?? { brin: [], btree: [] };
    group[method].push(position);
    leading.set(key, group);
  }
  const rivals = new Map<number, Set<number>>();
  for (const { brin, btree } of leading.values()) {
    for (const one of brin) rivals.set(one, new Set(btree));
    for (const one of btree) if (brin.length > 0) rivals.set(one, new Set(brin));
  }
  return rivals;
}

/** Why each contender that is not in the set is not. */
export function reasons(
  input: SelectionInput,
  weighed: readonly WeighedContender[],
  final: ReturnType<typeof searchSets>,
): Selection['left'] {
  const room = (input.budget_bytes ?? Number.POSITIVE_INFINITY) - final.bytes;
  return input.contenders.flatMap((contender, position) => {
    if (final.has[position]) return [];
    const charge = weighed[position]?.charge ?? 0;
    const saved = final.gainOf([position]) + charge;
    const rival = [...(final.model.rivals[position] ?? [])].find((other) => final.has[other]);
    if (rival !== undefined) {
      const other = input.contenders[rival]?.candidate.key;
      const reason = `${other} serves the same ranges; a B-tree and a block-range index on one column are alternatives`;
      return [{ contender, code: 'dominated_by_chosen', reason }];
    }
    if (saved > charge && contender.size_bytes > room) {
      const reason = `its ${megabytes(contender.size_bytes)} do not fit into what is left of the budget, and no other set of this size does more`;
      return [{ contender, code: 'over_budget', reason }];
    }
    const share = (cost: number) => `${((100 * cost) / Math.max(1, input.base)).toFixed(2)} %`;
    const switching = weighed[position]?.switching ?? 0;
    const margin =
      switching > 0
        ? `; ${share(switching)} of that is what it must do better than advice that stands and whose place it would take`
        : '';
    if (contender.alone > charge) {
      const reason = `alone it would save ${share(contender.alone)} of the workload's cost, beside the chosen indexes ${share(saved)}, less than it costs (${share(charge)}${margin})`;
      return [{ contender, code: 'dominated_by_chosen', reason }];
    }
    const reason = `it saves ${share(contender.alone)} of the workload's cost, less than it costs (${share(charge)}${margin})`;
    return [{ contender, code: 'too_small_gain', reason }];
  });
}

/** For people. */
export function megabytes(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
