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
import type { AdvisorStatement } from './statement.ts';

/** Share of a set's value that is no difference: sums of many costs are no more exact. */
const NO_DIFFERENCE = 1e-9;

function columnsOf({ candidate: { definition } }: Contender): Set<string> {
  const keys = definition.keys.map(({ column, expression }) => column ?? expression ?? '');
  return new Set([...keys, ...definition.include]);
}

/** Whether it has no column that the other has not, and fewer of them or fewer bytes. */
function isLeaner(one: Contender, other: Contender): boolean {
  if (one.size_bytes > other.size_bytes) return false;
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
 * Asks what the statements of each member cost with a leaner one in its place, as far as the bounds leave open that
 * they cost no more.
 * @returns how many members there was something to ask about.
 */
export async function askLeaner(input: SelectionInput, set: ReadonlySet<string>): Promise<number> {
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
    const wanted = new Map<AdvisorStatement, string[]>();
    for (const statement of using) {
      const handles = leaner.map(({ handle }) => handle).filter(mayDo);
      wanted.set(
        statement,
        handles.filter((handle) => book.relevant(statement).has(handle)),
      );
    }
    const asked = await askBeside(
      book,
      without,
      wanted,
      deadline,
      (handles) => new Set([...handles].filter(mayDo)),
    );
    if (asked > 0) open += 1;
  }
  return open;
}

/** Exchanges each member for the leanest that does its work for no higher value of the set, by the plans known. */
export function makeLean(state: SetState, input: SelectionInput, set: ReadonlySet<string>): void {
  const { contenders } = input;
  const places = new Map(contenders.map((one, position) => [one, position]));
  for (const [member, leaner] of leanerOf(input, set)) {
    const from = places.get(member) ?? -1;
    for (const one of leaner) {
      const to = places.get(one) ?? -1;
      const isFree = (state.model.rivals[to] ?? []).every(
        (rival) => rival === from || state.has[rival] !== 1,
      );
      if (!isFree || state.lossOfExchange(from, to) > NO_DIFFERENCE * Math.abs(state.value)) continue;
      state.remove([from]);
      state.add([to]);
      break;
    }
  }
}
