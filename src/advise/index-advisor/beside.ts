/**
 * Which of many candidates would be used beside a set, each by itself: asked about in groups, for most would not be. A
 * plan that was chosen with a whole group there and uses none of it is the plan beside each of them (plan-book.ts); one
 * that uses a single one is the plan beside that one, and the others are asked about without it.
 */
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
 * @returns how many samples and groups there were something to ask about.
 */
export async function askBeside(
  book: PlanBook,
  set: ReadonlySet<string>,
  wanted: ReadonlyMap<AdvisorStatement, readonly string[]>,
  deadline: number,
): Promise<number> {
  // One set for all of them: a copy for each would take longer than all else on thousands of indexes.
  const scratch = new Set(set);
  const needsWith = ({ statement, sample, group }: Open) => {
    for (const one of group) scratch.add(one);
    const needs = book.needs(statement, sample, scratch);
    for (const one of group) scratch.delete(one);
    return needs;
  };
  let open = [...wanted].flatMap(([statement, handles]) =>
    statement.samples.flatMap((_, sample) => {
      const unknown = handles.filter((one) => needsWith({ statement, sample, group: [one] }) === null);
      return groupsOf(unknown).map((group): Open => ({ statement, sample, group }));
    }),
  );
  const begun = open.length;
  while (open.length > 0 && Date.now() < deadline) {
    await book.askEach(asksOf(scratch, open), deadline);
    open = open.flatMap((one) => {
      const needs = needsWith(one);
      const used = one.group.filter((handle) => needs?.includes(handle));
      if (needs === null || used.length === 0) return [];
      const others = one.group.filter((handle) => !used.includes(handle));
      const groups = used.length === 1 ? [others] : [...used.map((handle) => [handle]), others];
      return groups.filter(({ length }) => length > 0).map((group): Open => ({ ...one, group }));
    });
  }
  return begun;
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
