/** Exchanges of a set's member for another contender: which could be worth it, and what the planner says of them. */
import { unknownOf, usersOf } from './asking.ts';
import { askBeside } from './beside.ts';
import type { Room } from './room.ts';
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
  const exchanges = new Map<Contender, Exchange[]>();
  let found = 0;
  const swapped = new Set(set);
  search: for (const other of others) {
    if (Date.now() > input.deadline) break;
    const replaced = standsFor(other, members);
    const needed = room.costOf(other.reserved_bytes, replaced);
    const served = (touched.get(other.handle) ?? []).filter((one) => mayServe(other, one, book.skips));
    swapped.add(other.handle);
    const beside = hopeOf(input, served, set, swapped);
    for (const { position, member } of members.get(other.table_oid) ?? []) {
      if (found >= most) break search;
      if (!replaced.has(position)) continue;
      const using = (users.get(member.handle) ?? []).filter((one) => book.relevant(one).has(other.handle));
      if (using.length === 0) continue;
      swapped.delete(member.handle);
      const open = unknownOf(book, using, swapped);
      const apart = beside + room.worthOf(member.reserved_bytes - other.reserved_bytes) - needed;
      if (open.length > 0 && apart + hopeOf(input, open, set, swapped) > least) {
        const known = exchanges.get(member) ?? [];
        exchanges.set(member, [...known, { handle: other.handle, open, apart }]);
        found += 1;
      }
      swapped.add(member.handle);
    }
    swapped.delete(other.handle);
  }
  for (const [member, instead] of exchanges) await askInstead(input, set, { member, instead, least });
  return found;
}

/** What might do a member's work. */
interface Exchange {
  handle: string;
  /** Statements that use the member and whose plans with the other in its place are not known. */
  open: readonly AdvisorStatement[];
  /** The most that it could save but for those statements. */
  apart: number;
}

/** Those that might do a member's work, asked about together in its place; what could no longer save enough is dropped. */
async function askInstead(
  input: SelectionInput,
  set: ReadonlySet<string>,
  { member, instead, least }: { member: Contender; instead: readonly Exchange[]; least: number },
): Promise<void> {
  const without = new Set(set);
  without.delete(member.handle);
  const swapped = new Set(without);
  const wanted = new Map<AdvisorStatement, string[]>();
  for (const { handle, open } of instead) {
    for (const statement of open) wanted.set(statement, [...(wanted.get(statement) ?? []), handle]);
  }
  const promising = (handles: ReadonlySet<string>) => {
    const worth = instead.filter(({ handle, open, apart }) => {
      if (!handles.has(handle)) return false;
      swapped.add(handle);
      const potential = apart + hopeOf(input, open, set, swapped);
      swapped.delete(handle);
      return potential > least;
    });
    return new Set(worth.map(({ handle }) => handle));
  };
  await askBeside(input.book, without, wanted, input.deadline, promising);
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
