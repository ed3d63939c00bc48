/** The index advisor's run: statements, candidates, what-if, selection. */
import type { Limit, Rejection, RuleContext, WhatIf } from '../../domain/index.ts';
import { usageCatalog } from '../../workload/index.ts';
import { NOTHING, PlanBook } from './search/plan-book.ts';
import { type Selection, selectIndexes } from './selection.ts';
import { type AdvisorStatement, prepareStatement } from './statement.ts';
import { BATCH, makeCandidates, weighCandidates } from './weigh.ts';

/** An index must save this share of the workload's cost; below it measurement noise is larger. */
const MINIMUM_GAIN = 0.002;
/** The same where a budget of bytes says already how much indexes may be. */
const MINIMUM_GAIN_IN_BUDGET = 0.0005;

export interface IndexAdvice {
  statements: AdvisorStatement[];
  not_analysed: { query_id: string; reason: string }[];
  selection: Selection;
  /** Cost of one call now and with the chosen set, by query_id. */
  costs: Map<string, { before: number; after: number; indexes: Set<string> }>;
  book: PlanBook;
  /**
   * Σ calls × the least that each statement costs under any set of the candidates, as far as the planner was asked
   * about all of them together: no choice among them can cost less. Writes and bytes are not in it.
   */
  floor: number;
  rejections: Rejection[];
  limits: Limit[];
}

/** Runs the whole search. */
export async function adviseIndexes(
  context: RuleContext,
  whatIf: WhatIf,
  rule: string,
): Promise<IndexAdvice> {
  const book = new PlanBook(whatIf);
  const rejections: Rejection[] = [];
  const limits: Limit[] = [];
  const { statements, notAnalysed } = await plannableStatements(context, book);
  const base = total(statements, book, NOTHING);
  const made = await makeCandidates(context, whatIf, statements, rejections, rule);
  const contenders = await weighCandidates(context, { statements, made, book, base, rejections, rule });
  context.progress(`choosing among ${contenders.length} candidate indexes`);
  const selection = await selectIndexes({
    statements,
    contenders,
    book,
    base,
    budget_bytes: context.index_budget_bytes,
    tables_bytes: bytesRead(context, statements),
    minimum_gain: context.index_budget_bytes === null ? MINIMUM_GAIN : MINIMUM_GAIN_IN_BUDGET,
    deadline: context.deadline,
  });
  if (selection.cut_short) {
    limits.push({
      scope: rule,
      code: 'deadline_exceeded',
      message: 'The search for indexes ended at its time limit; the set is good, but a better one may exist.',
      remedy: null,
    });
  }
  const chosen = new Set(selection.chosen.map((contender) => contender.handle));
  const costs = new Map<string, { before: number; after: number; indexes: Set<string> }>();
  for (const statement of statements) {
    const before = await book.cost(statement, NOTHING);
    const after = await book.cost(statement, chosen);
    if ('cost' in before && 'cost' in after) {
      costs.set(statement.query.query_id, { before: before.cost, after: after.cost, indexes: after.indexes });
    }
  }
  for (const { contender, code, reason } of selection.left) {
    rejections.push({ rule, candidate: contender.candidate.key, code, reason });
  }
  const all = new Set(made.map(({ contender }) => contender.handle));
  const floor = statements.reduce(
    (sum, statement) => sum + book.lower(statement, all) * statement.query.calls,
    0,
  );
  return { statements, not_analysed: notAnalysed, selection, costs, book, floor, rejections, limits };
}

/** Calls × cost, where it is known. */
function total(statements: readonly AdvisorStatement[], book: PlanBook, set: ReadonlySet<string>): number {
  return statements.reduce(
    (sum, statement) => sum + (book.known(statement, set)?.cost ?? 0) * statement.query.calls,
    0,
  );
}

/** Bytes of the tables that the statements touch. */
function bytesRead({ snapshot }: RuleContext, statements: readonly AdvisorStatement[]): number {
  const touched = new Set(statements.flatMap((statement) => [...statement.tables]));
  return snapshot.tables
    .filter((table) => touched.has(table.oid))
    .reduce((sum, table) => sum + table.main_pages * snapshot.server.block_size, 0);
}

/** Statements with samples that the planner takes; the others with their reason. */
async function plannableStatements(
  context: RuleContext,
  book: PlanBook,
): Promise<{ statements: AdvisorStatement[]; notAnalysed: IndexAdvice['not_analysed'] }> {
  const catalog = await usageCatalog(context.snapshot);
  const statements: AdvisorStatement[] = [];
  const notAnalysed: IndexAdvice['not_analysed'] = [];
  const { queries } = context.workload;
  for (let start = 0; start < queries.length; start += BATCH) {
    context.progress(`reading statements: ${start} of ${queries.length}`);
    const batch: AdvisorStatement[] = [];
    for (const query of queries.slice(start, start + BATCH)) {
      const prepared = await prepareStatement(query, context.snapshot, catalog);
      if ('reason' in prepared) notAnalysed.push({ query_id: query.query_id, reason: prepared.reason });
      else batch.push(prepared);
    }
    await book.ask(batch, NOTHING);
    for (const statement of batch) {
      const cost = await book.cost(statement, NOTHING);
      if ('error' in cost) notAnalysed.push({ query_id: statement.query.query_id, reason: cost.error });
      else statements.push(statement);
    }
  }
  return { statements, notAnalysed };
}
