/** The index advisor's run: statements, candidates, what-if, selection. */
import type { Limit, NotAnalysed, Rejection, RuleContext, WhatIf } from '../../domain/index.ts';
import { usageCatalog } from '../../workload/index.ts';
import { tableOf } from './candidates/candidate.ts';
import { advisorCatalog } from './catalog.ts';
import { type IndexesOfRun, openRun } from './contenders.ts';
import { askUnder, toldCost } from './evidence.ts';
import { unreadableLimit } from './existing-expressions.ts';
import { geneticLimit } from './genetic.ts';
import { columnsSet, markLateRows } from './late-rows.ts';
import { BATCH } from './make-candidates.ts';
import { withObservedReads } from './observed-reads.ts';
import { PlanBook } from './search/plan-book.ts';
import { type Selection, selectIndexes } from './selection.ts';
import { type AdvisorStatement, prepareStatement } from './statement.ts';

/** An index must save this share of the workload's cost; below it measurement noise is larger. */
const MINIMUM_GAIN = 0.002;
/** The same where a budget of bytes says already how much indexes may be. */
const MINIMUM_GAIN_IN_BUDGET = 0.0005;
/** A statement may cost so much more than now, by its share, because another index does an existing one's work. */
const MAX_REGRESSION = 0.1;

/**
 * Shares of the time after which the search asks no more, for its evidence takes questions, too, and after which it ends:
 * what the last answers told is searched once more, which on hundreds of tables takes seconds.
 */
const TIME_TO_SEARCH = 0.85;
const TIME_TO_END = 0.9;

/** Sizes of whole sets are right to within this share of them where they were built (docs/index-benchmarks.md). */
const SIZE_ERROR = 0.01;

/** A budget is of real bytes: a set that fills it by the model's bytes must not overrun it once it is built. */
export const heldBack = (bytes: number | null) =>
  bytes === null ? null : Math.floor(bytes * (1 - SIZE_ERROR));

export interface IndexAdvice {
  statements: AdvisorStatement[];
  not_analysed: NotAnalysed[];
  selection: Selection;
  /** Cost of one call now and with the chosen set, by query_id; not asked: the most that it can be with the set. */
  costs: Map<string, { before: number; after: number; indexes: Set<string>; is_asked: boolean }>;
  book: PlanBook;
  /**
   * Σ calls × the least that each statement costs under any set of the candidates that statements asked for, as far as
   * the planner was asked about all of them together: no choice among them can cost less, unless it `is_estimate`.
   * Writes and bytes are not in it.
   */
  floor: number;
  /**
   * Of some statements the floor has what the planner said of the candidates that were made for them: others' could do
   * better. Or plans come from genetic search, which may find a better one by chance.
   */
  floor_is_estimate: boolean;
  /** Σ calls × cost of the statements as it is now. */
  base: number;
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
  const started = Date.now();
  const shareOfTime = (share: number) => started + share * Math.max(0, context.deadline - started);
  const rejections: Rejection[] = [];
  const limits: Limit[] = [];
  const { statements, notAnalysed } = await plannableStatements(context, book);
  const base = total(statements, book);
  const budget_bytes = heldBack(context.index_budget_bytes);
  const run: IndexesOfRun = await openRun(context, whatIf, {
    statements,
    book,
    base,
    budget_bytes,
    rejections,
    rule,
  });
  const selection = await selectIndexes({
    statements,
    contenders: run.contenders,
    leaving: run.leaving,
    in_stages: run.in_stages,
    weighMore: run.weighMore,
    widen: run.widen,
    max_regression: context.max_regression ?? MAX_REGRESSION,
    max_indexes_per_table: context.max_indexes_per_table ?? null,
    indexes_on: run.indexesOn,
    book,
    base,
    budget_bytes,
    tables_bytes: bytesRead(context, statements),
    minimum_gain: context.index_budget_bytes === null ? MINIMUM_GAIN : MINIMUM_GAIN_IN_BUDGET,
    progress: context.progress,
    deadline: shareOfTime(TIME_TO_SEARCH),
    last_deadline: shareOfTime(TIME_TO_END),
  });
  run.rejectOthers();
  if (selection.cut_short || rejections.some(({ code }) => code === 'deadline')) {
    limits.push({
      scope: rule,
      code: 'deadline_exceeded',
      message: 'The search for indexes ended at its time limit; the set is good, but a better one may exist.',
      remedy: null,
    });
  }
  limits.push(...geneticLimit(rule, statements));
  limits.push(...unreadableLimit(rule, advisorCatalog(context.snapshot), statements));
  await askUnder(book, statements, selection.handles, context.deadline);
  const costs: IndexAdvice['costs'] = new Map();
  for (const statement of statements) {
    const before = book.known(statement, book.present);
    const told = toldCost(book, statement, selection.handles);
    if (before && told) {
      const { cost: after, indexes, is_asked } = told;
      costs.set(statement.query.query_id, { before: before.cost, after, indexes, is_asked });
    }
  }
  for (const { erased, query } of statements) {
    for (const candidate of erased) {
      const reason = `statement ${query.query_id} compares this, but pg_stat_statements keeps no constants: an index needs the one that stands at $n. Give the statement as the application sends it (--workload) to have it weighed.`;
      rejections.push({ rule, candidate, code: 'constant_erased', reason });
    }
  }
  const dearer = regressed(costs, context.max_regression ?? MAX_REGRESSION);
  if (dearer > 0) {
    limits.push({
      scope: rule,
      code: 'statement_regressed',
      message: `${dearer} statement(s) cost more with the recommended indexes than the limit on regressions allows: statistics of new expressions changed what the planner expects.`,
      remedy: 'Look at the statements that a recommendation makes dearer before it is approved.',
    });
  }
  const unsized = new Set(
    rejections.filter(({ code }) => code === 'index_size_invalid').map(({ candidate }) => candidate),
  );
  if (unsized.size > 0) {
    limits.push({
      scope: rule,
      code: 'index_size_invalid',
      message: `${unsized.size} candidate(s) were not weighed, for PgLuthier's size model gave no number for them: a defect of ours. The rejections name them.`,
      remedy: 'Report it with the tables’ definitions and their rows of pg_stats.',
    });
  }
  for (const { contender, code, reason, nearness } of selection.left) {
    const { candidate } = contender;
    rejections.push({
      rule,
      candidate: candidate.key,
      code,
      reason,
      table: tableOf(candidate),
      ...(nearness ? { nearness } : {}),
    });
  }
  const advice = { statements, not_analysed: notAnalysed, selection, costs, book, base, rejections };
  const all = new Set([...book.present, ...run.asked()]);
  const open = statements.filter((statement) => !book.isBoundProven(statement, all));
  limits.push(...estimatedFloor(rule, open));
  const isEstimate = open.length > 0 || statements.some(({ is_genetic }) => is_genetic === true);
  return {
    ...advice,
    limits,
    floor: floorOf(statements, { book, costs, all }),
    floor_is_estimate: isEstimate,
  };
}

/** @param all candidates that were there together. */
function floorOf(
  statements: readonly AdvisorStatement[],
  { book, costs, all }: Pick<IndexAdvice, 'book' | 'costs'> & { all: ReadonlySet<string> },
): number {
  return statements.reduce((sum, statement) => {
    // What was made out of others on the way was not there when all were asked about together.
    const least = Math.min(
      book.lower(statement, all),
      costs.get(statement.query.query_id)?.after ?? Number.POSITIVE_INFINITY,
    );
    return sum + least * statement.query.calls;
  }, 0);
}

/** What is owed to statements that the planner was not asked about with all candidates. */
function estimatedFloor(rule: string, open: readonly AdvisorStatement[]): Limit[] {
  if (open.length === 0) return [];
  return [
    {
      scope: rule,
      code: 'floor_estimated',
      message: `The floor of the costs is an estimate: there was no time to ask about ${open.length} statement(s) with all candidates on their tables, so it takes for granted that those made for other statements do no better than those made for them.`,
      remedy: 'Give the analysis more time (--time-limit).',
    },
  ];
}

/** Statements that cost more than they may. The planner drops paths within 1 % of another's cost (STD_FUZZ_FACTOR). */
function regressed(costs: IndexAdvice['costs'], most: number): number {
  return [...costs.values()].filter(({ before, after }) => after > (1 + most) * 1.01 * before).length;
}

/** Calls × cost as it is now, where it is known. */
function total(statements: readonly AdvisorStatement[], book: PlanBook): number {
  return statements.reduce(
    (sum, statement) => sum + (book.known(statement, book.present)?.cost ?? 0) * statement.query.calls,
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
  const { tables } = advisorCatalog(context.snapshot);
  const statements: AdvisorStatement[] = [];
  const notAnalysed: IndexAdvice['not_analysed'] = [];
  const { queries } = context.workload;
  const isSet = await columnsSet(context.workload, catalog);
  for (let start = 0; start < queries.length; start += BATCH) {
    context.progress(`reading statements: ${start} of ${queries.length}`);
    const batch: AdvisorStatement[] = [];
    for (const query of queries.slice(start, start + BATCH)) {
      const prepared = await prepareStatement(query, context.snapshot, catalog);
      if ('reason' in prepared) notAnalysed.push({ query_id: query.query_id, ...prepared });
      else {
        await markLateRows(prepared, isSet, { catalog, tables });
        batch.push(prepared);
      }
    }
    await book.ask(batch, book.present);
    const observed = batch.map((statement) => withObservedReads(statement, book, tables));
    for (const [position, statement] of observed.entries()) {
      const before = batch[position];
      if (before !== undefined && before !== statement) book.takeOver(statement, before);
    }
    await book.ask(observed, book.present);
    for (const statement of observed) {
      const cost = await book.cost(statement, book.present);
      if ('error' in cost) {
        const { query_id } = statement.query;
        notAnalysed.push({ query_id, code: 'refused_by_planner', reason: cost.error });
      } else statements.push(statement);
    }
  }
  return { statements, notAnalysed };
}
