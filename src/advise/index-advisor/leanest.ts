/**
 * Members of the best set that a leaner index would do for: of the same columns fewer, or smaller, for no higher cost.
 * The search does not ask about what saves next to nothing, and keeps what it has where another is as good; a DBA asks
 * what the last column of an index is for.
 */
import { usersOf } from './asking.ts';
import { askBeside } from './beside.ts';
import type { SetState } from './search/set-state.ts';
import type { Contender, SelectionInput } from './selection.ts';
import { membersByTable, standsFor } from './stand-in.ts';

/** Share of a set's value that is no difference: sums of many costs are no more exact. */
const NO_DIFFERENCE = 1e-9;

function columnsOf({ candidate: { definition } }: Contender): Set<string> {
  const keys = definition.keys.map(({ column, expression }) => column ?? expression ?? '');
  return new Set([...keys, ...definition.include]);
}

/** Whether it has no column that the other has not, and fewer of them or fewer bytes; and takes no more of a budget. */
function isLeaner(one: Contender, other: Contender): boolean {
  if (one.size_bytes > other.size_bytes || one.reserved_bytes > other.reserved_bytes) return false;
  const [a, b] = [columnsOf(one), columnsOf(other)];
  return [...a].every((name) => b.has(name)) && (a.size < b.size || one.size_bytes < other.size_bytes);
}

/** Of each member that may be exchanged, those that are leaner, the leanest first. */
function leanerOf({ contenders }: SelectionInput, set: ReadonlySet<string>): Map<Contender, Contender[]> {
  const members = membersByTable(contenders, set);
  const leaner = new Map<Contender, Contender[]>();
  for (const one of contenders) {
    if (set.has(one.handle)) continue;
    const replaced = standsFor(one, members);
    for (const { position, member } of members.get(one.table_oid) ?? []) {
      if (!replaced.has(position) || member.standing === 'committed' || !isLeaner(one, member)) continue;
      leaner.set(member, [...(leaner.get(member) ?? []), one]);
    }
  }
  for (const list of leaner.values())
    list.sort((a, b) => columnsOf(a).size - columnsOf(b).size || a.size_bytes - b.size_bytes);
  return leaner;
}

/**
 * The set with each member exchanged for the leanest that does its work for no higher value.
 * @param found the best set by the plans known.
 * @param again makes a set better by the plans that are known by then, from these members.
 */
export async function leanest(
  input: SelectionInput,
  found: SetState,
  again: (members: readonly number[]) => SetState,
): Promise<SetState> {
  const state = (await askLeaner(input, membersOf(input, found))) > 0 ? again(found.members()) : found;
  const { contenders } = input;
  const places = new Map(contenders.map((one, position) => [one, position]));
  for (const [member, leaner] of leanerOf(input, membersOf(input, state))) {
    const from = places.get(member) ?? -1;
    const instead = leaner
      .map((one) => places.get(one) ?? -1)
      .find((to) => isFree(state, from, to) && isNoLoss(state, from, to));
    if (instead === undefined) continue;
    state.remove([from]);
    state.add([instead]);
  }
  return state;
}

/** Whether nothing but the member itself excludes the other. */
const isFree = (state: SetState, from: number, to: number) =>
  (state.model.rivals[to] ?? []).every((rival) => rival === from || state.has[rival] !== 1);

const isNoLoss = (state: SetState, from: number, to: number) =>
  state.lossOfExchange(from, to) <= NO_DIFFERENCE * Math.abs(state.value);

/** Handles of all of the set, the existing indexes that stay with them. */
function membersOf({ contenders, leaving }: SelectionInput, { has }: SetState): Set<string> {
  return new Set(
    [...contenders, ...leaving].filter((_, position) => has[position] === 1).map(({ handle }) => handle),
  );
}

/**
 * Asks what the statements of each member cost with a leaner one in its place, as far as the bounds leave open that
 * they cost no more.
 * @returns how many members there was something to ask about.
 */
async function askLeaner(input: SelectionInput, set: ReadonlySet<string>): Promise<number> {
  const { book, statements, deadline } = input;
  const users = usersOf(statements, book, set);
  let open = 0;
  for (const [member, leaner] of leanerOf(input, set)) {
    if (Date.now() > deadline) break;
    const using = users.get(member.handle) ?? [];
    const without = new Set(set);
    without.delete(member.handle);
    const swapped = new Set(without);
    const mayDo = (handle: string) => {
      swapped.add(handle);
      const could = using.every((one) => book.couldSave(one, set, swapped) >= 0);
      swapped.delete(handle);
      return could;
    };
    const left = leaner.map(({ handle }) => handle).filter(mayDo);
    const wanted = new Map(
      using.map((one) => [one, left.filter((handle) => book.relevant(one).has(handle))]),
    );
    const stillMayDo = (handles: ReadonlySet<string>) => new Set([...handles].filter(mayDo));
    if ((await askBeside(book, without, wanted, deadline, stillMayDo)) > 0) open += 1;
  }
  return open;
}
