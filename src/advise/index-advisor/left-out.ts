/** Why contenders are not in the chosen set, in words, and which of them exclude each other. */
import {
  bytesWords,
  costShareWords,
  LEAST_COST_SHARE,
  type Nearness,
  savingWords,
} from '../../domain/index.ts';
import type { WeighedContender } from './charges.ts';
import type { searchSets } from './search/local-search.ts';
import type { Contender, SelectionInput } from './selection.ts';

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

/** One that is not in the set, why, and how near it came. */
export interface LeftOut {
  contender: Contender;
  code: string;
  reason: string;
  nearness?: Nearness;
}

/** Why each contender that is not in the set is not. */
export function reasons(
  input: SelectionInput,
  weighed: readonly WeighedContender[],
  final: ReturnType<typeof searchSets>,
): LeftOut[] {
  const readBy = statementsByHandle(input);
  const of: Judged = { input, final, share: (cost) => cost / Math.max(1, input.base), readBy };
  return input.contenders.flatMap((_, position) => {
    if (final.has[position]) return [];
    const charge = weighed[position]?.charge ?? 0;
    const rivals = [...(final.model.rivals[position] ?? [])].filter((other) => final.has[other]);
    if (rivals.length > 0) return [asAlternative(of, position, rivals)];
    return [asOneMore(of, position, { charge, switching: weighed[position]?.switching ?? 0 })];
  });
}

interface Judged {
  input: SelectionInput;
  final: ReturnType<typeof searchSets>;
  /** Of the workload's cost now. */
  share: (cost: number) => number;
  readBy: ReadonlyMap<string, string[]>;
}

/** One of which the set has an alternative: what the set would cost with it in that one's place. */
function asAlternative({ input, final, share, readBy }: Judged, position: number, rivals: number[]): LeftOut {
  const contender = input.contenders[position] as Contender;
  const others = rivals.flatMap((rival) => input.contenders[rival] ?? []);
  const { value } = final;
  final.begin();
  final.remove(rivals);
  final.add([position]);
  // What the recommended one takes the place of, this one may not: then the existing index stays.
  if (final.value >= final.model.never) {
    const here = (one: number) => final.model.candidates[one]?.table_oid === contender.table_oid;
    final.add(final.model.present.filter(here));
  }
  const isPossible = final.value < final.model.never;
  const short_by = share(final.value - value);
  const bytes = final.bytes;
  final.takeBack();
  const names = others.map(({ candidate }) => candidate.key).join(' and ');
  const [are, begin, serve] = others.length === 1 ? ['is', 'begins', 'serves'] : ['are', 'begin', 'serve'];
  const isBegun = [contender, ...others].every(({ candidate }) => candidate.definition.method === 'btree');
  const because = isBegun
    ? `${names} ${are} recommended and ${begin} with the same keys, so that one of them would be redundant`
    : `${names} ${are} recommended and ${serve} the same ranges: a B-tree and a block-range index on one column are alternatives`;
  const sizes = `${bytesWords(contender.size_bytes)} for ${bytesWords(others.reduce((sum, one) => sum + one.size_bytes, 0))}`;
  const instead = !isPossible
    ? `with this one in its place (${sizes}) a statement could get dearer than it may, by the plans that are known`
    : bytes > (input.budget_bytes ?? Number.POSITIVE_INFINITY)
      ? `this one in its place (${sizes}) does not fit into the budget`
      : short_by > LEAST_COST_SHARE
        ? `this one in its place (${sizes}) would cost ${costShareWords(short_by)} of the workload's cost more, plans, writes and disk space together`
        : `this one in its place (${sizes}) would make next to no difference`;
  const instead_of = others[0]?.candidate.key ?? null;
  const nearness = {
    ...measures(contender, share, readBy),
    saves_beside: null,
    must_save: null,
    instead_of,
    short_by,
  };
  return {
    contender,
    code: 'alternative_of_chosen',
    reason: `${because}; ${instead}`,
    ...(isPossible ? { nearness } : {}),
  };
}

/** One that could join the set: what it would save there, and what it must. */
function asOneMore(
  { input, final, share, readBy }: Judged,
  position: number,
  { charge, switching }: { charge: number; switching: number },
): LeftOut {
  const contender = input.contenders[position] as Contender;
  const room = (input.budget_bytes ?? Number.POSITIVE_INFINITY) - final.bytes;
  const saved = final.gainOf([position]) + charge;
  const lost = luredBy(final, position);
  const known = measures(contender, share, readBy);
  const nearness = {
    ...known,
    saves_beside: share(saved),
    must_save: share(charge),
    instead_of: null,
    short_by: share(charge - saved),
  };
  const told = (code: string, reason: string): LeftOut => ({ contender, code, reason, nearness });
  const parts = [
    contender.write.cost > 0 ? `${costShareWords(known.writes)} for its writes` : '',
    switching > 0
      ? `${costShareWords(share(switching))} for doing better than advice that stands and whose place it would take`
      : '',
  ].filter(Boolean);
  const must = `${costShareWords(share(charge))} of the workload's cost to be worth having${parts.length > 0 ? ` (of it ${parts.join(', ')})` : ''}`;
  const beside = `beside the recommended indexes it would ${savingWords(share(saved), ['save', 'cost'])}`;
  if (saved > charge && contender.reserved_bytes > room) {
    const size = bytesWords(contender.reserved_bytes);
    return told(
      'over_budget',
      `its ${size} do not fit into the ${bytesWords(Math.max(0, room))} that are left of the budget, and no other set of this size does more; ${beside}, and it must save ${must}`,
    );
  }
  if (lost > 0 && saved + lost > charge) {
    return told(
      'lures_limits',
      `beside the recommended indexes it would save ${costShareWords(share(saved + lost))} of the workload's cost, but the planner would also read it for other LIMITs, whose rows may come late: ${costShareWords(share(lost))} is feared of that, and it must save ${must}`,
    );
  }
  if (contender.alone > charge) {
    return told(
      'dominated_by_chosen',
      `by itself it would save ${costShareWords(share(contender.alone))}, ${beside}; it must save ${must}`,
    );
  }
  if (contender.beaten_by !== undefined) {
    return told(
      'beaten_by_smaller',
      `where it helps the planner prefers ${contender.beaten_by}, which is no larger; by the plans that are known ${beside}; it must save ${must}`,
    );
  }
  const alone =
    known.saves_alone === null
      ? beside
      : `it ${savingWords(known.saves_alone, ['saves', 'costs'])} by itself, ${beside}`;
  return told('too_small_gain', `${alone}; it must save ${must}`);
}

/** What is the same of all that were weighed. */
function measures(
  contender: Contender,
  share: (cost: number) => number,
  readBy: ReadonlyMap<string, string[]>,
): Pick<Nearness, 'size_bytes' | 'saves_alone' | 'writes' | 'query_ids'> {
  // Those that were made out of others were never asked about by themselves; of the beaten only the bounds are known.
  const wasAsked = contender.merged_of.length === 0 && contender.beaten_by === undefined;
  return {
    size_bytes: contender.size_bytes,
    saves_alone: wasAsked ? share(contender.alone) : null,
    writes: share(contender.write.cost),
    query_ids: readBy.get(contender.handle) ?? [],
  };
}

/** query_ids of the statements with a plan that needs it, by handle. */
function statementsByHandle({ book, statements }: SelectionInput): Map<string, string[]> {
  const byHandle = new Map<string, string[]>();
  for (const statement of statements) {
    const needed = new Set(book.plans(statement).flatMap(({ plans }) => plans.flatMap(({ needs }) => needs)));
    for (const handle of needed) {
      const ids = byHandle.get(handle);
      if (ids) ids.push(statement.query.query_id);
      else byHandle.set(handle, [statement.query.query_id]);
    }
  }
  return byHandle;
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
