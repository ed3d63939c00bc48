/**
 * What is asked about the chosen set after the search, so that drafts only look things up: the costs with it, without
 * each of its members, with each old index that it replaces. What could change most of what is told comes first; what
 * there is no time for is told as the most that it can be.
 */
import type { Limit } from '../../domain/index.ts';
import type { IndexAdvice } from './advise.ts';
import { type Saving, savedAloneInTime } from './alone.ts';
import { supersedes } from './covered.ts';
import { statementsByTable } from './make-candidates.ts';
import type { Ask, PlanBook } from './search/plan-book.ts';
import type { StatementCost } from './search/statement-plans.ts';
import type { Contender, Selection } from './selection.ts';
import type { AdvisorStatement } from './statement.ts';

/** What a concluded cost of a statement that is planned by genetic search is taken to be off by, as a share of it. */
const GENETIC_ERROR = 0.02;

/** Of the time that is left: for costs without each member, then for a second planner, then for what each saves alone. */
const TIME_FOR_COSTS = 0.6;
const TIME_FOR_CHECK = 0.4;
const TIME_FOR_GAINS = 0.4;

/** Epoch ms at which each kind of evidence ends; the plans have what is left. */
export class EvidenceTime {
  readonly deadline: number;

  constructor(deadline: number) {
    this.deadline = deadline;
  }

  get costs(): number {
    return this.#until(TIME_FOR_COSTS);
  }

  get check(): number {
    return this.#until(TIME_FOR_CHECK);
  }

  get gains(): number {
    return this.#until(TIME_FOR_GAINS);
  }

  #until(share: number): number {
    const now = Date.now();
    return now + share * Math.max(0, this.deadline - now);
  }
}

/** A cost that is told of a statement. */
export interface ToldCost extends StatementCost {
  /** False: there was no time to ask, so it is the most that it can be by the plans that are known. */
  is_asked: boolean;
}

/** What the planner said of the statement under the set, or the most that it can say; null: no plan is known. */
export function toldCost(
  book: PlanBook,
  statement: AdvisorStatement,
  set: ReadonlySet<string>,
): ToldCost | null {
  const known = book.known(statement, set, true);
  if (known) return { ...known, is_asked: true };
  const most = book.known(statement, set) ?? book.most(statement, set);
  return most ? { ...most, is_asked: false } : null;
}

/** Calls × by how much what can be told of the statement may be wrong; 0: it is known. */
function doubtOf(book: PlanBook, statement: AdvisorStatement, set: ReadonlySet<string>): number {
  if (book.known(statement, set, true)) return 0;
  const { calls } = statement.query;
  const concluded = book.known(statement, set);
  if (concluded) return calls * GENETIC_ERROR * concluded.cost;
  const most = book.most(statement, set)?.cost;
  if (most === undefined) return book.plans(statement).length > 0 ? Number.POSITIVE_INFINITY : 0;
  // Within the planner's fuzz there may be nothing between the two bounds; it is asked about all the same, at last.
  return calls * Math.max(Number.MIN_VALUE, most - book.lower(statement, set));
}

/** Asks what the statements cost under one set, those first of which least is known. */
export async function askUnder(
  book: PlanBook,
  statements: readonly AdvisorStatement[],
  set: ReadonlySet<string>,
  deadline: number,
): Promise<void> {
  const open = statements
    .map((statement) => ({ statement, doubt: doubtOf(book, statement, set) }))
    .filter(({ doubt }) => doubt > 0)
    .sort((a, b) => b.doubt - a.doubt);
  const asked = open.map(({ statement }) => statement);
  if (asked.length > 0) await book.ask(asked, set, { deadline, exactly: true });
}

/** What makes another set out of the chosen one, and whose statements are told with both. */
interface Change {
  table_oid: number;
  leaves: string | null;
  comes: readonly string[];
}

/** The chosen set without one of its members: what that replaces would still be there. */
export function withoutMember({ handle, candidate, table_oid }: Contender, { dropped }: Selection): Change {
  const old = dropped.filter(({ index }) => supersedes(candidate.definition, index));
  return { table_oid, leaves: handle, comes: old.map((one) => one.handle) };
}

/** The chosen set after a change. */
export function changed({ handles }: Selection, change: Change): Set<string> {
  const set = new Set(handles);
  apply(set, change);
  return set;
}

/** Asks about the chosen set without each of its members, and with each of the existing indexes that it replaces. */
export async function askWithoutEach(advice: IndexAdvice, deadline: number): Promise<void> {
  const { book, selection, statements } = advice;
  const changes: Change[] = [
    ...selection.chosen.map((one) => withoutMember(one, selection)),
    ...selection.dropped.map(({ handle, table_oid }) => ({ table_oid, leaves: null, comes: [handle] })),
  ];
  // One set for all of them: a copy for each would take longer than all else on thousands of indexes.
  const scratch = new Set(selection.handles);
  const touching = statementsByTable(statements);
  const open = changes.flatMap((change) => {
    apply(scratch, change);
    const doubts = (touching.get(change.table_oid) ?? []).map((statement) => ({
      change,
      statement,
      doubt: doubtOf(book, statement, scratch),
    }));
    takeBack(scratch, change);
    return doubts.filter(({ doubt }) => doubt > 0);
  });
  open.sort((a, b) => b.doubt - a.doubt);
  await book.askEach(asksOf(open, scratch), deadline);
}

/** @param scratch the chosen set; while an ask is looked at it is changed. */
function* asksOf(
  open: readonly { change: Change; statement: AdvisorStatement }[],
  scratch: Set<string>,
): Generator<Ask> {
  for (const { change, statement } of open) {
    apply(scratch, change);
    yield { statements: [statement], set: scratch, exactly: true };
    takeBack(scratch, change);
  }
}

function apply(set: Set<string>, { leaves, comes }: Change): void {
  if (leaves !== null) set.delete(leaves);
  for (const one of comes) set.add(one);
}

function takeBack(set: Set<string>, { leaves, comes }: Change): void {
  for (const one of comes) set.delete(one);
  if (leaves !== null) set.add(leaves);
}

/**
 * What each chosen index saves by itself, those first that saved most when candidates were weighed.
 * @returns without those that there was no time for.
 */
export async function gainsOf(
  { book, selection, statements }: IndexAdvice,
  deadline: number,
): Promise<Map<Contender, Saving>> {
  const touching = statementsByTable(statements);
  const gains = new Map<Contender, Saving>();
  for (const one of selection.chosen.toSorted((a, b) => b.alone - a.alone)) {
    const saving = await savedAloneInTime(one, touching.get(one.table_oid) ?? [], book, deadline);
    if (saving !== null) gains.set(one, saving);
  }
  return gains;
}

/** What is owed to costs that were not asked about; none where all were. */
export function notAsked(rule: string, count: number): Limit[] {
  if (count === 0) return [];
  return [
    {
      scope: rule,
      code: 'cost_not_asked',
      message: `There was no time to ask for ${count} of the costs that recommended indexes are told with (statements with the set, and without one of its indexes): in their place is the most that they can be, by the plans that are known, so that what an index saves beside the others may be less.`,
      remedy: 'Give the analysis more time (--time-limit).',
    },
  ];
}
