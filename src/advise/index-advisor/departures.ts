/**
 * Members of a set that may leave to make room: what their statements would cost without them. Plans that were chosen
 * without a member were mostly chosen without its neighbours, too, so that the model takes it for missed more than it is.
 */
import { unknownOf, usersOf } from './asking.ts';
import type { Room } from './room.ts';
import type { Ask } from './search/plan-book.ts';
import type { SetState } from './search/set-state.ts';
import type { SelectionInput } from './selection.ts';

/** Share of what the set costs that a member's leaving could at least be worth, or it is not asked about. */
const LEAST_POTENTIAL = 5e-4;
/** Members that are asked about in one round. */
const DEPARTURES = 32;

/**
 * Within a budget, the statements that use a member are asked about without it: where the room that it leaves could save
 * more, by what would join, than what its leaving is known to cost.
 * @param state the set as the search has it; its places are those of the contenders.
 * @returns how many members there was something to ask about.
 */
export async function askDepartures(
  input: SelectionInput,
  state: SetState,
  set: ReadonlySet<string>,
  room: Room,
): Promise<number> {
  const { book, statements, contenders } = input;
  if (input.budget_bytes === null) return 0;
  const users = usersOf(statements, book, set);
  const least = LEAST_POTENTIAL * room.value;
  const asks: Ask[] = [];
  // One set for all of them: a copy for each would take longer than all else on thousands of indexes.
  const without = new Set(set);
  for (const position of state.eachMember()) {
    const member = contenders[position];
    if (member === undefined || member.standing === 'committed') continue;
    if (asks.length >= DEPARTURES || Date.now() > input.deadline) break;
    without.delete(member.handle);
    const using = users.get(member.handle) ?? [];
    const open = unknownOf(book, using, without);
    const loss = (some: typeof using) =>
      some.reduce((sum, one) => sum - book.couldSave(one, set, without) * one.query.calls, 0);
    const known = loss(using.filter((one) => !open.includes(one)));
    const missed = state.lossOf(position);
    // No more than the model takes it for missed can turn out to be none.
    const potential = Math.min(missed - known, room.worthOf(member.reserved_bytes) - known);
    if (open.length > 0 && potential > least) asks.push({ statements: open, set: new Set(without) });
    without.add(member.handle);
  }
  return book.askEach(asks, input.deadline);
}
