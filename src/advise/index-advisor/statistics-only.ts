/**
 * Chosen indexes on expressions that no plan reads. What they seem to save comes of their statistics, which change what
 * the planner expects and not what has to be read: no room and no writes are worth that. CREATE STATISTICS on the
 * expression tells the planner the same (since 14).
 */
import type { WeighedContender } from './charges.ts';
import type { searchSets } from './search/local-search.ts';
import type { Selection, SelectionInput } from './selection.ts';

/** Planner cost units, times all that the workload costs: no member that is charged with so much joins a set. */
const NEVER_TIMES = 16;

type Found = ReturnType<typeof searchSets>;

/** Positions of the contenders in a set that have an expression for a key and stand in no statement's plan. */
async function unread(
  { contenders, statements, book, deadline }: SelectionInput,
  weighed: readonly WeighedContender[],
  found: Found,
): Promise<Set<number>> {
  const set = new Set(found.members().map((position) => weighed[position]?.handle ?? ''));
  const idle = new Set<number>();
  for (const [position, { candidate, handle, table_oid }] of contenders.entries()) {
    if (!found.has[position] || candidate.definition.keys.every(({ expression }) => expression === null))
      continue;
    const touching = statements.filter(({ tables }) => tables.has(table_oid));
    await book.ask(touching, set, { deadline, exactly: true });
    const costs = touching.map((statement) => book.known(statement, set));
    // Of what there was no time for, nobody knows that it does not read the index.
    const isOpen = Date.now() > deadline && costs.includes(null);
    if (!isOpen && !costs.some((cost) => cost?.indexes.has(handle))) idle.add(position);
  }
  return idle;
}

/**
 * The best set without those that no plan reads: searched again until each is read.
 * @param again searches with these weights from these members.
 */
export async function withoutUnread(
  input: SelectionInput,
  first: { weighed: readonly WeighedContender[]; found: Found },
  again: (weighed: WeighedContender[], members: number[]) => Found,
): Promise<{ found: Found; left: Selection['left'] }> {
  let { weighed, found } = first;
  const left: Selection['left'] = [];
  for (
    let idle = await unread(input, weighed, found);
    idle.size > 0;
    idle = await unread(input, weighed, found)
  ) {
    for (const position of idle) {
      const contender = input.contenders[position];
      if (!contender) continue;
      const [expression] = contender.candidate.definition.keys.flatMap((key) => key.expression ?? []);
      const reason = `no plan would read it: its statistics of ${expression} alone change what the planner expects, and CREATE STATISTICS does that without an index`;
      left.push({ contender, code: 'statistics_only', reason });
    }
    weighed = weighed.map((one, position) =>
      idle.has(position) ? { ...one, charge: NEVER_TIMES * (input.base + one.charge + 1) } : one,
    );
    found = again(
      [...weighed],
      found.members().filter((position) => !idle.has(position)),
    );
  }
  return { found, left };
}
