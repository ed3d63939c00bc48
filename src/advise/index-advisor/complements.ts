/**
 * Candidates that pay only beside others: of a loop's two sides the outer one is hardly worth an index as long as each of
 * its rows reads the inner table whole. Beside nothing they show no gain, and with all candidates at once the planner takes
 * the form that does the most, which may hold more columns than what it does is worth. So the leaner forms are asked about
 * beside the rest of that plan.
 */
import { askBeside } from './beside.ts';
import type { Made } from './make-candidates.ts';
import type { PlanBook } from './search/plan-book.ts';
import type { AdvisorStatement } from './statement.ts';

export interface Complements {
  made: readonly Made[];
  book: PlanBook;
  /** Each of the statements that are looked into, with all that it was asked about with. */
  asked: ReadonlyMap<AdvisorStatement, ReadonlySet<string>>;
  /** Whether it is worth looking into that a call costs so much less than before. */
  isGain(gain: number, before: number, statement: AdvisorStatement): boolean;
  /** epoch ms after which no more are asked. */
  deadline: number;
}

/** @returns handles of the candidates that help beside what the plan with all needs besides. */
export async function askAboutComplements(run: Complements): Promise<Set<string>> {
  const { book, asked, isGain, deadline } = run;
  const byStatement = new Map<AdvisorStatement, Made['contender'][]>();
  for (const { contender, by } of run.made) {
    for (const one of by) byStatement.set(one, [...(byStatement.get(one) ?? []), contender]);
  }
  const helping = new Set<string>();
  for (const [statement, all] of asked) {
    const own = byStatement.get(statement) ?? [];
    const needed = neededWith(book, statement, all);
    // One index alone is asked about beside nothing.
    if (needed.size < 2) continue;
    const before = book.known(statement, book.present)?.cost ?? 0;
    for (const handle of needed) {
      const alone = before - (book.known(statement, new Set([...book.present, handle]))?.cost ?? before);
      const full = own.find((one) => one.handle === handle);
      if (full === undefined || isGain(alone, before, statement)) continue;
      const rest = new Set([...book.present, ...needed]);
      rest.delete(handle);
      const leaner = own.filter(
        (one) =>
          one.table_oid === full.table_oid && one.size_bytes < full.size_bytes && !needed.has(one.handle),
      );
      if (leaner.length === 0 || Date.now() > deadline) continue;
      await book.askEach([{ statements: [statement], set: rest }], deadline);
      await askBeside(book, rest, new Map([[statement, leaner.map((one) => one.handle)]]), deadline);
      const without = book.known(statement, rest)?.cost;
      if (without === undefined) continue;
      for (const one of leaner) {
        const cost = book.known(statement, new Set([...rest, one.handle]))?.cost ?? without;
        if (isGain(without - cost, without, statement)) helping.add(one.handle);
      }
    }
  }
  return helping;
}

/** What the plans of its samples need where all are there. */
function neededWith(
  book: PlanBook,
  statement: AdvisorStatement,
  all: ReadonlySet<string>,
): ReadonlySet<string> {
  const needs = statement.samples.flatMap((_, sample) => book.plan(statement, sample, all)?.needs ?? []);
  return new Set(needs.filter((handle) => !book.present.has(handle)));
}
