/**
 * Which sets the planner is asked about around the search: the best one so far, those on the way to a greedy set, and the
 * target without the existing indexes that may leave.
 */
import { supersedes } from './covered.ts';
import type { Leaving } from './leaving.ts';
import type { Ask, PlanBook } from './search/plan-book.ts';
import type { Weighed } from './search/set-model.ts';
import type { Contender, SelectionInput } from './selection.ts';
import { BLOCK_BYTES } from './size-model.ts';
import type { AdvisorStatement } from './statement.ts';

/** Sets that are asked about at most while one is grown step by step. */
const GROWING_QUESTIONS = 3000;
/** Tables whose first in the queue is asked about before its turn comes. */
const GROWING_AT_ONCE = 24;
/** Of those that supersede an existing index, so many are asked about in its place before the search. */
const BEST_SUCCESSORS = 2;
/**
 * Asks about the statements whose cost under the set does not follow from what is known, until the deadline.
 * @returns how many there were.
 */
export async function askAbout(
  { book, deadline }: SelectionInput,
  set: ReadonlySet<string>,
  statements: readonly AdvisorStatement[],
): Promise<number> {
  const open = unknownOf(book, statements, set);
  if (open.length > 0) await book.ask(open, set, { deadline });
  return open.length;
}

/** Statements whose cost under the set does not follow from what is known. */
export function unknownOf(
  book: PlanBook,
  statements: readonly AdvisorStatement[],
  set: ReadonlySet<string>,
): AdvisorStatement[] {
  return statements.filter((statement) => book.known(statement, set) === null);
}

/** What may join a growing set. */
interface Growing {
  /** Among the contenders. */
  position: number;
  handle: string;
  table_oid: number;
  rank: number;
  /** In which the rank was reckoned. */
  round: number;
}

/**
 * A greedy set, each step asked of the planner: on its way it shows the plans that need several indexes together. What
 * an index saves mostly falls as others join, so its last known gain orders the queue and the front is asked again.
 */
export async function growByPlanner(
  input: SelectionInput,
  weighed: readonly Weighed[],
  rivals: ReadonlyMap<number, ReadonlySet<number>>,
): Promise<void> {
  const { book, contenders, statements } = input;
  const set = new Set(book.present);
  const members: number[] = [];
  let bytes = 0;
  let asked = 0;
  const touching = new Map<string, AdvisorStatement[]>(contenders.map(({ handle }) => [handle, []]));
  for (const statement of statements) {
    for (const handle of book.relevant(statement)) touching.get(handle)?.push(statement);
  }
  const rank = (position: number, gain: number) =>
    gain / Math.sqrt(Math.max(BLOCK_BYTES, weighed[position]?.size_bytes ?? 0));
  const queue: Growing[] = contenders
    .map((contender, position) => {
      const gain = contender.alone - (weighed[position]?.charge ?? 0);
      const { handle, table_oid } = contender;
      return { position, handle, table_oid, rank: rank(position, gain), round: -1 };
    })
    .filter((item) => item.rank > 0)
    .sort((a, b) => b.rank - a.rank);
  for (let round = 0; asked < GROWING_QUESTIONS && Date.now() < input.deadline; ) {
    const [first] = queue;
    if (!first || first.rank <= 0) return;
    const { size_bytes = 0, charge = 0 } = weighed[first.position] ?? {};
    const full = input.budget_bytes !== null && bytes + size_bytes > input.budget_bytes;
    if (full || members.some((member) => rivals.get(first.position)?.has(member))) {
      queue.shift();
    } else if (first.round === round) {
      queue.shift();
      set.add(first.handle);
      members.push(first.position);
      bytes += size_bytes;
      round += 1;
    } else {
      const beside = new Set([...set, first.handle]);
      const touched = touching.get(first.handle) ?? [];
      if (unknownOf(book, touched, set).length + unknownOf(book, touched, beside).length > 0) {
        asked += await book.askEach(frontOf(queue, set, touching, round), input.deadline);
      }
      const gain = touched.reduce((sum, statement) => {
        const [before, after] = [book.known(statement, set), book.known(statement, beside)];
        return sum + ((before?.charged ?? 0) - (after?.charged ?? 0)) * statement.query.calls;
      }, 0);
      first.rank = rank(first.position, gain - charge);
      first.round = round;
      queue.shift();
      const place = queue.findIndex((item) => item.rank < first.rank);
      queue.splice(place === -1 ? queue.length : place, 0, first);
    }
  }
}

/**
 * The front of the queue with the set as it is and with each beside it: of further tables, too, for what joins on one
 * mostly changes nothing on another.
 */
function* frontOf(
  queue: readonly Growing[],
  set: ReadonlySet<string>,
  touching: ReadonlyMap<string, AdvisorStatement[]>,
  round: number,
): Generator<Ask> {
  const tables = new Set<number>();
  // One set for all of them: a copy for each would take longer than all else on thousands of indexes.
  const beside = new Set(set);
  for (const { handle, table_oid, round: known, rank } of queue) {
    if (tables.size >= GROWING_AT_ONCE || rank <= 0) return;
    if (known === round || tables.has(table_oid)) continue;
    tables.add(table_oid);
    const statements = touching.get(handle) ?? [];
    yield { statements, set };
    beside.add(handle);
    yield { statements, set: beside };
    beside.delete(handle);
  }
}

/**
 * What is the target like without an existing index, by itself and with the best of those that supersede it: asked of
 * the statements whose plans need it.
 */
export async function askAboutLeaving(input: SelectionInput, leaving: readonly Leaving[]): Promise<void> {
  if (leaving.length > 0) await input.book.askEach(setsWithout(input, leaving), input.deadline);
}

function* setsWithout(
  { book, statements, contenders }: SelectionInput,
  leaving: readonly Leaving[],
): Generator<Ask> {
  const users = usersOf(statements, book, book.present);
  const onTable = byTable(contenders);
  // One set for all of them: a copy for each would take longer than all else on thousands of indexes.
  const set = new Set(book.present);
  for (const { handle, table_oid, index } of leaving) {
    const needing = users.get(handle) ?? [];
    if (needing.length === 0) continue;
    set.delete(handle);
    yield { statements: needing, set };
    const best = (onTable.get(table_oid) ?? [])
      .filter((one) => supersedes(one.candidate.definition, index))
      .sort((a, b) => b.alone - b.write.cost - (a.alone - a.write.cost))
      .slice(0, BEST_SUCCESSORS);
    for (const one of best) {
      set.add(one.handle);
      yield { statements: needing, set };
      set.delete(one.handle);
    }
    set.add(handle);
  }
}

/** The set without each existing index that it still has beside one that supersedes it. */
export function askWithout(input: SelectionInput, set: ReadonlySet<string>): Promise<number> {
  return input.book.askEach(replacedOnes(input, set), input.deadline);
}

function* replacedOnes(
  { statements, contenders, leaving }: SelectionInput,
  set: ReadonlySet<string>,
): Generator<Ask> {
  const chosen = byTable(contenders.filter(({ handle }) => set.has(handle)));
  const touching = new Map<number, AdvisorStatement[]>();
  for (const statement of statements) {
    for (const oid of statement.tables) {
      const list = touching.get(oid);
      if (list) list.push(statement);
      else touching.set(oid, [statement]);
    }
  }
  const without = new Set(set);
  for (const { handle, table_oid, index } of leaving) {
    if (!set.has(handle)) continue;
    const isReplaced = (chosen.get(table_oid) ?? []).some((one) =>
      supersedes(one.candidate.definition, index),
    );
    if (!isReplaced) continue;
    without.delete(handle);
    yield { statements: touching.get(table_oid) ?? [], set: without };
    without.add(handle);
  }
}

/** Statements by the indexes that their plans use under a set, as far as they are known. */
export function usersOf(
  statements: readonly AdvisorStatement[],
  book: PlanBook,
  set: ReadonlySet<string>,
): Map<string, AdvisorStatement[]> {
  const users = new Map<string, AdvisorStatement[]>();
  for (const statement of statements) {
    for (const name of book.known(statement, set)?.indexes ?? []) {
      const list = users.get(name);
      if (list) list.push(statement);
      else users.set(name, [statement]);
    }
  }
  return users;
}

function byTable(contenders: readonly Contender[]): Map<number, Contender[]> {
  const tables = new Map<number, Contender[]>();
  for (const one of contenders) {
    const list = tables.get(one.table_oid);
    if (list) list.push(one);
    else tables.set(one.table_oid, [one]);
  }
  return tables;
}
