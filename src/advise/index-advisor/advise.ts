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
import { coveringIndex } from './covered.ts';
import { PlanBook } from './search/plan-book.ts';
import { isInforming, isRelevant } from './search/relevance.ts';
import { bytesOf, type Contender, type Selection, selectIndexes } from './selection.ts';
import { indexSize } from './size-model.ts';
import { type AdvisorStatement, prepareStatement } from './statement.ts';
import { writeCost } from './write-cost.ts';

/** An index must save this share of the workload's cost; below it measurement noise is larger. */
const MINIMUM_GAIN = 0.002;
/** The same where a budget of bytes says already how much indexes may be. */
const MINIMUM_GAIN_IN_BUDGET = 0.0005;
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
  book: PlanBook;
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
  const contenders = await weighCandidates(context, statements, made, book, base, rejections, rule);
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
  return { statements, not_analysed: notAnalysed, selection, costs, book, rejections, limits };
}

const NOTHING: ReadonlySet<string> = new Set();
/** Statements that are read and asked about at once. */
const BATCH = 50;

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

/** A candidate that the engine has taken, with the statements that it was made for. */
interface Made {
  contender: Contender;
  by: AdvisorStatement[];
}

/** Each candidate once, but those that an existing index serves or PostgreSQL refuses. */
async function makeCandidates(
  context: RuleContext,
  whatIf: WhatIf,
  statements: AdvisorStatement[],
  rejections: Rejection[],
  rule: string,
): Promise<Made[]> {
  const catalog = advisorCatalog(context.snapshot);
  const wanted = new Map<string, { candidate: Candidate; by: AdvisorStatement[] }>();
  for (const statement of statements) {
    for (const [key, candidate] of candidatesOf(statement.usages, catalog)) {
      const known = wanted.get(key) ?? { candidate, by: [] };
      known.by.push(statement);
      wanted.set(key, known);
    }
  }
  const made: Made[] = [];
  let done = 0;
  for (const { candidate, by } of wanted.values()) {
    done += 1;
    if (done % 50 === 0) context.progress(`making candidate ${done} of ${wanted.size}`);
    const reject = (code: string, reason: string) =>
      rejections.push({ rule, candidate: candidate.key, code, reason });
    if (Date.now() > context.deadline) {
      reject('deadline', 'not weighed: the time was used up');
      continue;
    }
    const existing = coveringIndex(candidate.definition, candidate.table.indexes);
    if (existing) {
      reject(
        'covered_by_existing',
        `${existing.schema}.${existing.name} (${existing.keys.join(', ')}) does this already`,
      );
      continue;
    }
    const { definition, table, selectivity } = candidate;
    const size = indexSize({ definition, table, selectivity });
    try {
      const contender: Contender = {
        handle: await whatIf.addIndex(definition, size),
        table_oid: table.row.oid,
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
      made.push({ contender, by });
    } catch (error) {
      if (!(error instanceof PgLuthierError)) throw error;
      reject('refused_by_postgresql', `PostgreSQL refuses it: ${error.message}`);
    }
  }
  return made;
}

/**
 * All candidates together show which statements could get cheaper at all; each alone is asked about only for those.
 * What helps none of them, alone or together with others, is no contender.
 */
async function weighCandidates(
  context: RuleContext,
  statements: AdvisorStatement[],
  made: Made[],
  book: PlanBook,
  base: number,
  rejections: Rejection[],
  rule: string,
): Promise<Contender[]> {
  const byTable = new Map<number, AdvisorStatement[]>();
  for (const statement of statements) {
    for (const oid of statement.tables) byTable.set(oid, [...(byTable.get(oid) ?? []), statement]);
  }
  for (const { contender } of made) {
    for (const statement of byTable.get(contender.table_oid) ?? []) {
      if (!isRelevant(statement, contender.candidate)) continue;
      book.register(contender, statement, isInforming(statement, contender.candidate));
    }
  }
  const all = new Set(made.map(({ contender }) => contender.handle));
  const needed = new Set<string>();
  const promising = new Set<AdvisorStatement>();
  for (let start = 0; start < statements.length; start += BATCH) {
    context.progress(`asking about all candidates together: ${start} of ${statements.length} statements`);
    const batch = statements.slice(start, start + BATCH).filter((one) => book.relevant(one).size > 0);
    await book.ask(batch, all);
    for (const statement of batch) {
      const before = book.known(statement, NOTHING)?.cost ?? 0;
      const gain = before - book.lower(statement, all);
      const worth = gain * statement.query.calls > NEGLIGIBLE * base;
      if (worth && isNoticeable(gain, before)) promising.add(statement);
      for (const { plans } of book.plans(statement)) {
        if (worth) for (const plan of plans) for (const handle of plan.needs) needed.add(handle);
      }
    }
  }
  const contenders: Contender[] = [];
  for (const [position, { contender, by }] of made.entries()) {
    if (position % 50 === 0) context.progress(`asking about candidate ${position} of ${made.length}`);
    const asked = by.filter((statement) => promising.has(statement));
    if (Date.now() < context.deadline) await book.ask(asked, [contender.handle]);
    const set = new Set([contender.handle]);
    let helps = needed.has(contender.handle);
    for (const statement of asked) {
      const before = book.known(statement, NOTHING)?.cost ?? 0;
      const gain = before - (book.known(statement, set)?.cost ?? before);
      if (gain > 0) contender.alone += gain * statement.query.calls;
      if (isNoticeable(gain, before)) helps = true;
    }
    if (helps) contenders.push(contender);
    else {
      const reason = 'no statement that it was made for gets noticeably cheaper with it';
      rejections.push({ rule, candidate: contender.candidate.key, code: 'no_gain', reason });
    }
  }
  return contenders;
}

/** Share of the workload's cost below which a statement's whole possible gain is not looked into. */
const NEGLIGIBLE = 1e-5;

const isNoticeable = (gain: number, before: number) =>
  gain > MINIMUM_ABSOLUTE_GAIN && gain > MINIMUM_STATEMENT_GAIN * before;
