/**
 * Which of many candidates would be used beside a set, each by itself: asked about in groups, for most would not be. A
 * plan that was chosen with a whole group there and uses none of it is the plan beside each of them (statement-plans.ts); one
 * that uses a single one is the plan beside that one, and the others are asked about without it.
 */
import type { KnownPlan } from './search/known-plan.ts';
import type { Ask, PlanBook } from './search/plan-book.ts';
import type { AdvisorStatement } from './statement.ts';

/** Candidates that are there at once: planning takes longer with each, and few may be used before one question pays. */
const GROUP = 10;

/** One sample, and those that its plan is not known with. */
interface Open {
  statement: AdvisorStatement;
  sample: number;
  group: readonly string[];
}

/**
 * Asks until each sample's plan is known, or follows, under the set with each of the candidates.
 * @param wanted candidates that are not in the set, by the statement that they are asked about for.
 * @param deadline epoch ms after which no more are asked.
 * @param left of the candidates that are still open after a turn, those that are worth asking about further: each answer
 * tells something about the others of its group, too.
 * @returns how many samples and groups there were something to ask about.
 */
export async function askBeside(
  book: PlanBook,
  set: ReadonlySet<string>,
  wanted: ReadonlyMap<AdvisorStatement, readonly string[]>,
  deadline: number,
  left: (handles: ReadonlySet<string>) => ReadonlySet<string> = (handles) => handles,
): Promise<number> {
  // One set for all of them: a copy for each would take longer than all else on thousands of indexes.
  const scratch = new Set(set);
  let open = [...wanted].flatMap(([statement, handles]) =>
    statement.samples.flatMap((_, sample) => {
      const isUnknown = (one: string) =>
        planWith(book, scratch, { statement, sample, group: [one] }) === null;
      return groupsOf(handles.filter(isUnknown)).map((group): Open => ({ statement, sample, group }));
    }),
  );
  const begun = open.length;
  while (open.length > 0 && Date.now() < deadline) {
    await book.askEach(asksOf(scratch, open), deadline);
    const next = open.flatMap((one) => apart(one, planWith(book, scratch, one), (others) => others));
    const worth = left(new Set(next.flatMap(({ group }) => group)));
    open = next.flatMap((one) => {
      const group = one.group.filter((handle) => worth.has(handle));
      return group.length > 0 ? [{ ...one, group }] : [];
    });
  }
  return begun;
}

/** What is to be asked about for a statement, with what decides which of two is the better one. */
export interface Rated {
  handle: string;
  table_oid: number;
  size_bytes: number;
}

/**
 * The same where only the best for their bytes matter: what is no smaller than one of its table and group that the
 * planner preferred to it, without hope for a LIMIT's rows, is not asked about by itself.
 * @returns of what another was preferred to, the other: by handle.
 */
export async function askBestBeside(
  book: PlanBook,
  set: ReadonlySet<string>,
  wanted: ReadonlyMap<AdvisorStatement, readonly Rated[]>,
  deadline: number,
): Promise<Map<string, string>> {
  const scratch = new Set(set);
  const beaten = new Map<string, string>();
  const sizes = new Map([...wanted.values()].flat().map((one) => [one.handle, one.size_bytes]));
  const sizeOf = (handle: string) => sizes.get(handle) ?? 0;
  let open = [...wanted].flatMap(([statement, rated]) => {
    const groups = tablesOf(rated).flatMap(groupsOf);
    return statement.samples.flatMap((_, sample) =>
      groups.map((group): Open => ({ statement, sample, group })),
    );
  });
  while (open.length > 0 && Date.now() < deadline) {
    await book.askEach(asksOf(scratch, open), deadline);
    open = open.flatMap((one) => {
      const plan = planWith(book, scratch, one);
      return apart(one, plan, (others, used) => {
        // What the planner preferred because it hopes for a LIMIT's rows early may be the worse one.
        if (plan !== null && plan.early_end_risk > 0) return others;
        const isBeaten = (other: string) => sizeOf(other) >= sizeOf(used);
        for (const other of others) if (isBeaten(other)) beaten.set(other, used);
        return others.filter((other) => !isBeaten(other));
      });
    });
  }
  return beaten;
}

/** The plan with the whole group beside the set; null: it was not asked. */
function planWith(book: PlanBook, scratch: Set<string>, { statement, sample, group }: Open) {
  for (const one of group) scratch.add(one);
  const plan = book.plan(statement, sample, scratch);
  for (const one of group) scratch.delete(one);
  return plan;
}

/**
 * What is still not known of a group once its plan is.
 * @param left which of the others are to be asked about where the plan uses a single one.
 */
function apart(
  one: Open,
  plan: KnownPlan | null,
  left: (others: string[], used: string) => string[],
): Open[] {
  const used = one.group.filter((handle) => plan?.needs.includes(handle));
  const [first, second] = used;
  if (first === undefined) return [];
  const others = one.group.filter((handle) => !used.includes(handle));
  const groups = second === undefined ? [left(others, first)] : [...used.map((handle) => [handle]), others];
  return groups.filter(({ length }) => length > 0).map((group) => ({ ...one, group }));
}

/** The handles of each table, the smallest first. */
function tablesOf(rated: readonly Rated[]): string[][] {
  const tables = new Map<number, Rated[]>();
  for (const one of rated) {
    const list = tables.get(one.table_oid);
    if (list) list.push(one);
    else tables.set(one.table_oid, [one]);
  }
  return [...tables.values()].map((list) =>
    list.toSorted((a, b) => a.size_bytes - b.size_bytes).map(({ handle }) => handle),
  );
}

/** @param scratch the set; while an ask is looked at it has the group, too. */
function* asksOf(scratch: Set<string>, open: readonly Open[]): Generator<Ask> {
  for (const { statement, sample, group } of open) {
    for (const one of group) scratch.add(one);
    yield { statements: [statement], sample, set: scratch };
    for (const one of group) scratch.delete(one);
  }
}

function groupsOf(handles: readonly string[]): string[][] {
  const groups: string[][] = [];
  for (let start = 0; start < handles.length; start += GROUP)
    groups.push(handles.slice(start, start + GROUP));
  return groups;
}
