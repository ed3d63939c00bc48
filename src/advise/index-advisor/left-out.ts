/** Why contenders are not in the chosen set, in words, and which of them exclude each other. */
import type { WeighedContender } from './charges.ts';
import type { searchSets } from './search/local-search.ts';

import type { Contender, Selection, SelectionInput } from './selection.ts';

/**
 * A block-range index and a plain B-tree that lead with the same column do the same work in two ways; and of two
 * B-trees one of which begins as the other, the shorter would be redundant from its first day.
 */
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
  const alike = new Map<string, number[]>();
  for (const [position, { candidate, table_oid }] of contenders.entries()) {
    const { method, keys, where } = candidate.definition;
    if (method !== 'btree') continue;
    const key = JSON.stringify([table_oid, where, keys[0]?.column, keys[0]?.expression]);
    alike.set(key, [...(alike.get(key) ?? []), position]);
  }
  for (const group of alike.values()) {
    for (const one of group) {
      for (const other of group) {
        if (one === other || !beginsAs(contenders[other], contenders[one])) continue;
        rivals.set(one, (rivals.get(one) ?? new Set()).add(other));
        rivals.set(other, (rivals.get(other) ?? new Set()).add(one));
      }
    }
  }
  return rivals;
}

/** Whether the longer one's keys begin with all of the shorter one's, and it holds what that includes. */
function beginsAs(longer: Contender | undefined, shorter: Contender | undefined): boolean {
  if (!longer || !shorter) return false;
  const [long, short] = [longer.candidate.definition, shorter.candidate.definition];
  if (short.keys.length > long.keys.length) return false;
  if (!short.keys.every((key, position) => JSON.stringify(key) === JSON.stringify(long.keys[position]))) {
    return false;
  }
  const held = new Set([...long.keys.map(({ column }) => column), ...long.include]);
  return short.include.every((name) => held.has(name));
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
      const isBegun = [contender.candidate, input.contenders[rival]?.candidate].every(
        (one) => one?.definition.method === 'btree',
      );
      const reason = isBegun
        ? `${other} begins with the same keys: one of the two would be redundant`
        : `${other} serves the same ranges; a B-tree and a block-range index on one column are alternatives`;
      return [{ contender, code: 'dominated_by_chosen', reason }];
    }
    if (saved > charge && contender.reserved_bytes > room) {
      const reason = `its ${megabytes(contender.reserved_bytes)} do not fit into what is left of the budget, and no other set of this size does more`;
      return [{ contender, code: 'over_budget', reason }];
    }
    const share = (cost: number) => {
      const percent = (100 * cost) / Math.max(1, input.base);
      return `${percent.toFixed(Math.abs(percent) < 0.1 ? 4 : 2)} %`;
    };
    const switching = weighed[position]?.switching ?? 0;
    const margin =
      switching > 0
        ? `; ${share(switching)} of that is what it must do better than advice that stands and whose place it would take`
        : '';
    const lost = luredBy(final, position);
    if (lost > 0 && saved + lost > charge) {
      const reason = `beside the chosen indexes it would save ${share(saved + lost)} of the workload's cost, but the planner would also read it for other LIMITs, whose rows may come late: ${share(lost)} is feared of that, and it costs ${share(charge)}${margin}`;
      return [{ contender, code: 'lures_limits', reason }];
    }
    if (contender.alone > charge) {
      const reason = `alone it would save ${share(contender.alone)} of the workload's cost, beside the chosen indexes ${share(saved)}, less than it costs (${share(charge)}${margin})`;
      return [{ contender, code: 'dominated_by_chosen', reason }];
    }
    if (contender.beaten_by !== undefined) {
      const reason = `where it helps the planner prefers ${contender.beaten_by}, which is no larger; beside the chosen indexes it would save ${share(saved)} by the plans that are known, less than it costs (${share(charge)}${margin})`;
      return [{ contender, code: 'beaten_by_smaller', reason }];
    }
    const reason = `it saves ${share(contender.alone)} of the workload's cost, less than it costs (${share(charge)}${margin})`;
    return [{ contender, code: 'too_small_gain', reason }];
  });
}

/** What is feared of statements whose plans the planner would change for one with it, planner cost units of the workload. */
function luredBy({ model, has }: ReturnType<typeof searchSets>, position: number): number {
  let lost = 0;
  for (const sample of model.samplesOf[position] ?? []) {
    const before = model.costOf(sample, has);
    has[position] = 1;
    lost += Math.max(0, model.costOf(sample, has) - before);
    has[position] = 0;
  }
  return lost;
}

/** For people. */
export function megabytes(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} kB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
