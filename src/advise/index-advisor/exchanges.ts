/** Exchanges of a set's member for another contender: which could be worth it, and what the planner says of them. */
import { unknownOf, usersOf } from './asking.ts';
import type { Room } from './room.ts';
import type { Ask } from './search/plan-book.ts';
import type { Contender, SelectionInput } from './selection.ts';
import { mayServe } from './serving.ts';
import { BLOCK_BYTES } from './size-model.ts';
import { membersByTable, standsFor } from './stand-in.ts';
import type { AdvisorStatement } from './statement.ts';

/** Exchanges of a member for another that are asked about in one round. */
const EXCHANGES = 32;
const SHARE_OF_EXCHANGES = 1 / 64;
/** Share of what the set costs now that an exchange could at least save, or it is not asked about. */
const LEAST_POTENTIAL = 5e-4;

/**
 * A member's work done by another contender: the statements whose plans use the member are asked about with the other
 * in its place. Beside the member it would not be used, so that nothing else shows what it could do instead. Asked about
 * is what could save something, by the bounds: through the plans of those statements and of others that the other might
 * serve, and through what the room that it leaves could hold.
 * @returns how many of them there was something to ask about.
 */
export async function askExchanges(
  input: SelectionInput,
  set: ReadonlySet<string>,
  room: Room,
): Promise<number> {
  const { book, statements, contenders } = input;
  const members = membersByTable(contenders, set);
  const users = usersOf(statements, book, set);
  const worth = ({ alone, size_bytes }: Contender) => alone / Math.sqrt(Math.max(BLOCK_BYTES, size_bytes));
  const others = contenders
    .filter((one) => !set.has(one.handle) && members.has(one.table_oid))
    .sort((a, b) => Number(b.merged_of.length > 0) - Number(a.merged_of.length > 0) || worth(b) - worth(a));
  const touched = statementsOf(input, others);
  const least = LEAST_POTENTIAL * room.value;
  const most = Math.max(EXCHANGES, SHARE_OF_EXCHANGES * contenders.length);
  const exchanges: Ask[] = [];
  const swapped = new Set(set);
  for (const other of others) {
    if (Date.now() > input.deadline) break;
    const replaced = standsFor(other, members);
    const needed = room.costOf(other.reserved_bytes, replaced);
    const served = (touched.get(other.handle) ?? []).filter((one) => mayServe(other, one, book.skips));
    swapped.add(other.handle);
    const beside = hopeOf(input, served, set, swapped);
    for (const { position, member } of members.get(other.table_oid) ?? []) {
      if (exchanges.length >= most) return book.askEach(exchanges, input.deadline);
      if (!replaced.has(position)) continue;
      const using = (users.get(member.handle) ?? []).filter((one) => book.relevant(one).has(other.handle));
      if (using.length === 0) continue;
      swapped.delete(member.handle);
      const open = unknownOf(book, using, swapped);
      const freed = room.worthOf(member.reserved_bytes - other.reserved_bytes);
      const potential = beside + hopeOf(input, open, set, swapped) + freed - needed;
      if (open.length > 0 && potential > least) exchanges.push({ statements: open, set: new Set(swapped) });
      swapped.add(member.handle);
    }
    swapped.delete(other.handle);
  }
  return book.askEach(exchanges, input.deadline);
}

/** Calls × the most that statements could save with another set, by what is known of them. */
function hopeOf(
  { book }: SelectionInput,
  statements: readonly AdvisorStatement[],
  set: ReadonlySet<string>,
  other: ReadonlySet<string>,
): number {
  return statements.reduce(
    (sum, statement) => sum + Math.max(0, book.couldSave(statement, set, other)) * statement.query.calls,
    0,
  );
}

/** Statements that each of the contenders can matter to, by its handle. */
function statementsOf(
  { book, statements }: SelectionInput,
  contenders: readonly Contender[],
): ReadonlyMap<string, readonly AdvisorStatement[]> {
  const touched = new Map<string, AdvisorStatement[]>(contenders.map(({ handle }) => [handle, []]));
  for (const statement of statements) {
    for (const handle of book.relevant(statement)) touched.get(handle)?.push(statement);
  }
  return touched;
}
