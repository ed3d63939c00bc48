/**
 * Within a full budget, members that leave for others of whatever table: what the statements would cost with the ones in
 * place of the others. A plan that was shown with both is no answer without the one, so that the model of a set takes
 * what is not known to be as dear as with neither of them, and never makes the exchange.
 */
import { unknownOf } from './asking.ts';
import type { Ask } from './search/plan-book.ts';
import type { SetState } from './search/set-state.ts';
import type { SelectionInput } from './selection.ts';

/** Share of what the set costs that a swap is to save, were nothing used together, or it is not asked about. */
const LEAST_POTENTIAL = 5e-4;
/** Swaps and statements that are asked about in one round at most. */
const SWAPS = 32;
const MOST_PAIRS = 300;

/** By their places in the model. */
interface Swap {
  joining: readonly number[];
  leaving: readonly number[];
  /** What it would save if what leaves and what joins had nothing to do with each other. */
  saved: number;
}

/**
 * Asks about the sets in which what joins has taken the place of the members that are least missed for their bytes,
 * those first that could save the most.
 * @param state the set as the search has it, which found none of these worth it.
 * @returns how many of them there was something to ask about.
 */
export async function askSwaps(
  input: SelectionInput,
  state: SetState,
  set: ReadonlySet<string>,
): Promise<number> {
  const { book, statements, budget_bytes } = input;
  if (budget_bytes === null) return 0;
  const handles = (places: readonly number[]) =>
    places.flatMap((place) => state.model.candidates[place]?.handle ?? []);
  const asks: Ask[] = [];
  let pairs = 0;
  for (const { joining, leaving } of swapsOf(input, state, budget_bytes)) {
    if (asks.length >= SWAPS || pairs >= MOST_PAIRS || Date.now() > input.deadline) break;
    const swapped = new Set([...set, ...handles(joining)]);
    for (const handle of handles(leaving)) swapped.delete(handle);
    const open = unknownOf(book, statements, swapped);
    if (open.length === 0) continue;
    pairs += open.length;
    asks.push({ statements: open, set: swapped });
  }
  return book.askEach(asks, input.deadline);
}

/** Those that could be worth it, the most first. */
function swapsOf({ contenders }: SelectionInput, state: SetState, budgetBytes: number): Swap[] {
  const { bundles, candidates } = state.model;
  const bytesOf = (place: number) => candidates[place]?.size_bytes ?? 0;
  const members = state
    .members()
    .filter((place) => bytesOf(place) > 0 && contenders[place]?.standing !== 'committed')
    .map((place) => ({ place, bytes: bytesOf(place), loss: Math.max(0, state.lossOf(place)) }))
    .sort((a, b) => a.loss / a.bytes - b.loss / b.bytes);
  const least = LEAST_POTENTIAL * state.value;
  const swaps: Swap[] = [];
  for (const [place, bundle] of bundles.entries()) {
    const gain = state.gainAt(place);
    const over = state.bytes + state.bytesOf(bundle) - budgetBytes;
    if (gain <= least || over <= 0 || state.clashes(bundle)) continue;
    const joining = bundle.filter((one) => !state.has[one]);
    // One that the plan needs may leave, too: without it there may be another as good.
    const leaving = leastMissed(members, over);
    const saved = gain - leaving.reduce((sum, { loss }) => sum + loss, 0);
    if (leaving.length === 0 || saved <= least) continue;
    swaps.push({ joining, leaving: leaving.map((one) => one.place), saved });
  }
  return swaps.sort((a, b) => b.saved - a.saved);
}

/**
 * Members that make so much room with little loss: the cheapest for their bytes, or a single one.
 * @param members the cheapest for their bytes first.
 * @returns none: all together do not make as much room.
 */
function leastMissed<T extends { bytes: number; loss: number }>(members: readonly T[], over: number): T[] {
  const several: T[] = [];
  let left = over;
  for (const one of members) {
    if (left <= 0) break;
    several.push(one);
    left -= one.bytes;
  }
  const enough = members.filter(({ bytes }) => bytes >= over).sort((a, b) => a.loss - b.loss);
  const [single] = enough;
  if (left > 0) return [];
  const loss = several.reduce((sum, one) => sum + one.loss, 0);
  return single && single.loss <= loss ? [single] : several;
}
