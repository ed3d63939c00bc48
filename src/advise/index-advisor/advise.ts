/** The index advisor's run: statements, candidates, what-if, selection. */
import {
  type Limit,
  PgLuthierError,
  type Rejection,
  type RuleContext,
  type WhatIf,
} from '../../domain/index.ts';
import { usageCatalog } from '../../workload/index.ts';
import { type Candidate, candidatesOf } from './candidates.ts';
import { advisorCatalog } from './catalog.ts';
import { CostBook } from './cost-book.ts';
import { coveringIndex } from './covered.ts';
import { bytesOf, type Contender, type Selection, selectIndexes } from './selection.ts';
import { indexSize } from './size-model.ts';
import { type AdvisorStatement, prepareStatement } from './statement.ts';
import { writeCost } from './write-cost.ts';

/** An index must save this share of the workload's cost; below it measurement noise is larger. */
const MINIMUM_GAIN = 0.002;
/** Alone, a candidate must make some statement this much cheaper, or it is not asked about again. */
const MINIMUM_STATEMENT_GAIN = 0.02;
/** Planner cost units: below this a plan costs next to nothing either way. */
const MINIMUM_ABSOLUTE_GAIN = 1;

export interface IndexAdvice {
  statements: AdvisorStatement[];
  not_analysed: { query_id: string; reason: string }[];
  selection: Selection;
  /** Cost of one call now and with the chosen set, by query_id. */
  costs: Map<string, { before: number; after: number; indexes: Set<string> }>;
  book: CostBook;
  rejections: Rejection[];
  limits: Limit[];
}

/** Runs the whole search. */
export async function adviseIndexes(
  context: RuleContext,
  whatIf: WhatIf,
  rule: string,
): Promise<IndexAdvice> {
  const book = new CostBook(whatIf);
  const rejections: Rejection[] = [];
  const limits: Limit[] = [];
  const { statements, notAnalysed } = await plannableStatements(context, book);
  const contenders = await weighCandidates(context, whatIf, statements, book, rejections, rule);
  context.progress(`choosing among ${contenders.length} candidate indexes`);
  const selection = await selectIndexes({
    statements,
    contenders,
    book,
    budget_bytes: context.index_budget_bytes,
    minimum_gain: MINIMUM_GAIN,
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
  const costs = new Map<string, { before: number; after: number; indexes: Set<string> }>();
  for (const statement of statements) {
    const before = await book.cost(statement, []);
    const after = await book.cost(statement, selection.chosen);
    if ('cost' in before && 'cost' in after) {
      costs.set(statement.query.query_id, { before: before.cost, after: after.cost, indexes: after.indexes });
    }
  }
  for (const { contender, code, reason } of selection.left) {
    rejections.push({ rule, candidate: contender.candidate.key, code, reason });
  }
  return { statements, not_analysed: notAnalysed, selection, costs, book, rejections, limits };
}

/** Statements with samples that the planner takes; the others with their reason. */
async function plannableStatements(
  context: RuleContext,
  book: CostBook,
): Promise<{ statements: AdvisorStatement[]; notAnalysed: IndexAdvice['not_analysed'] }> {
  const catalog = await usageCatalog(context.snapshot);
  const statements: AdvisorStatement[] = [];
  const notAnalysed: IndexAdvice['not_analysed'] = [];
  for (const [position, query] of context.workload.queries.entries()) {
    if (position % 50 === 0)
      context.progress(`reading statements: ${position} of ${context.workload.queries.length}`);
    const prepared = await prepareStatement(query, context.snapshot, catalog);
    if ('reason' in prepared) {
      notAnalysed.push({ query_id: query.query_id, reason: prepared.reason });
      continue;
    }
    const cost = await book.cost(prepared, []);
    if ('error' in cost) notAnalysed.push({ query_id: query.query_id, reason: cost.error });
    else statements.push(prepared);
  }
  return { statements, notAnalysed };
}

/** Each candidate made once and asked about alone, for the statements that it was made for. */
async function weighCandidates(
  context: RuleContext,
  whatIf: WhatIf,
  statements: AdvisorStatement[],
  book: CostBook,
  rejections: Rejection[],
  rule: string,
): Promise<Contender[]> {
  const catalog = advisorCatalog(context.snapshot);
  const wanted = new Map<string, { candidate: Candidate; by: AdvisorStatement[] }>();
  for (const statement of statements) {
    for (const [key, candidate] of candidatesOf(statement.usages, catalog)) {
      const known = wanted.get(key) ?? { candidate, by: [] };
      known.by.push(statement);
      wanted.set(key, known);
    }
  }
  const contenders: Contender[] = [];
  let done = 0;
  for (const { candidate, by } of wanted.values()) {
    done += 1;
    if (done % 20 === 0) context.progress(`asking the planner: candidate ${done} of ${wanted.size}`);
    if (Date.now() > context.deadline) {
      rejections.push({
        rule,
        candidate: candidate.key,
        code: 'deadline',
        reason: 'not weighed: the time was used up',
      });
      continue;
    }
    const existing = coveringIndex(candidate.definition, candidate.table.indexes);
    if (existing) {
      const reason = `${existing.schema}.${existing.name} (${existing.keys.join(', ')}) does this already`;
      rejections.push({ rule, candidate: candidate.key, code: 'covered_by_existing', reason });
      continue;
    }
    const size = indexSize({
      definition: candidate.definition,
      table: candidate.table,
      selectivity: candidate.selectivity,
    });
    let handle: string;
    try {
      handle = await whatIf.addIndex(candidate.definition, size);
    } catch (error) {
      if (!(error instanceof PgLuthierError)) throw error;
      const reason = `PostgreSQL refuses it: ${error.message}`;
      rejections.push({ rule, candidate: candidate.key, code: 'refused_by_postgresql', reason });
      continue;
    }
    const contender: Contender = {
      handle,
      table_oid: candidate.table.row.oid,
      candidate,
      size,
      size_bytes: bytesOf(size),
      write: writeCost(
        candidate,
        size,
        statements,
        context.snapshot,
        context.workload.source === 'cumulative',
      ),
      alone: 0,
    };
    const helps = await gainAlone(contender, by, book);
    if (helps) contenders.push(contender);
    else {
      const reason = 'no statement that it was made for gets noticeably cheaper with it';
      rejections.push({ rule, candidate: candidate.key, code: 'no_gain', reason });
    }
  }
  return contenders;
}

async function gainAlone(contender: Contender, by: AdvisorStatement[], book: CostBook): Promise<boolean> {
  let helps = false;
  for (const statement of by) {
    const before = await book.cost(statement, []);
    const after = await book.cost(statement, [contender]);
    if (!('cost' in before) || !('cost' in after)) continue;
    const gain = before.cost - after.cost;
    if (gain > 0) contender.alone += gain * statement.query.calls;
    if (gain > MINIMUM_ABSOLUTE_GAIN && gain > MINIMUM_STATEMENT_GAIN * before.cost) helps = true;
  }
  return helps;
}
