/** What one index saves beside nothing else that is new: the number that stays comparable from night to night. */
import type { RecommendationDraft } from '../../domain/index.ts';
import type { KnownCandidate, PlanBook } from './search/plan-book.ts';
import type { AdvisorStatement } from './statement.ts';

/** Planner cost units × calls, by query_id; statements in which nothing is saved are left out. */
export type Saving = ReadonlyMap<string, number>;

/** Asks the planner where the answer is not known. */
export async function savedAlone(
  { handle }: KnownCandidate,
  statements: readonly AdvisorStatement[],
  book: PlanBook,
): Promise<Saving> {
  const saving = new Map<string, number>();
  const beside = new Set([...book.present, handle]);
  const touched = statements.filter((statement) => book.relevant(statement).has(handle));
  // Asked together: each question by itself would switch the index on and off.
  const open = touched.filter((statement) => book.known(statement, beside) === null);
  if (open.length > 0) await book.ask(open, beside);
  for (const statement of touched) {
    const before = await book.cost(statement, book.present);
    const after = await book.cost(statement, beside);
    if (!('cost' in before) || !('cost' in after) || after.cost >= before.cost) continue;
    saving.set(statement.query.query_id, (before.cost - after.cost) * statement.query.calls);
  }
  return saving;
}

/**
 * The same where there is time to ask.
 * @param deadline epoch ms; after it nothing more is asked.
 * @returns null: not known, and there was no time.
 */
export async function savedAloneInTime(
  candidate: KnownCandidate,
  statements: readonly AdvisorStatement[],
  book: PlanBook,
  deadline: number,
): Promise<Saving | null> {
  const beside = new Set([...book.present, candidate.handle]);
  const touched = statements.filter((statement) => book.relevant(statement).has(candidate.handle));
  const open = touched.filter((statement) => book.known(statement, beside) === null);
  if (open.length > 0) await book.ask(open, beside, { deadline });
  const isKnown = open.every((statement) => book.known(statement, beside) !== null);
  // Of what still is not known, what the planner refuses is left out.
  return isKnown || Date.now() <= deadline ? savedAlone(candidate, touched, book) : null;
}

/** Statements that are named; they hold nearly all that is saved. */
const NAMED = 50;

/**
 * The same as shares of the workload's cost, the largest first.
 * @param base Σ calls × plan cost of the analysed statements.
 */
export function savedShares(saving: Saving, base: number): NonNullable<RecommendationDraft['gain']> {
  const share = (cost: number) => (base > 0 ? cost / base : 0);
  const sorted = [...saving].sort(([, a], [, b]) => b - a);
  return {
    saved_share: share(sorted.reduce((sum, [, cost]) => sum + cost, 0)),
    statements: sorted.slice(0, NAMED).map(([query_id, cost]) => ({ query_id, saved_share: share(cost) })),
  };
}
