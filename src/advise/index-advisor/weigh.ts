/** From what statements want to contenders: made once in the engine, asked about where they could matter. */
import {
  type IndexSize,
  PgLuthierError,
  type Rejection,
  type RuleContext,
  type WhatIf,
} from '../../domain/index.ts';
import { CandidateSizes } from './candidate-size.ts';
import { type Candidate, candidatesOf } from './candidates.ts';
import { type AdvisorCatalog, advisorCatalog, constantKey } from './catalog.ts';
import { coveringIndex } from './covered.ts';
import { NOTHING, type PlanBook } from './search/plan-book.ts';
import { isInforming, isRelevant } from './search/relevance.ts';
import { bytesOf, type Contender } from './selection.ts';
import type { AdvisorStatement } from './statement.ts';
import { writeCost } from './write-cost.ts';

/** Statements that are asked about, and candidates that are made, at once. */
export const BATCH = 50;
/** Alone, a candidate must make some statement this much cheaper, or it is not asked about again. */
const MINIMUM_STATEMENT_GAIN = 0.02;
/** Planner cost units: below this a plan costs next to nothing either way. */
const MINIMUM_ABSOLUTE_GAIN = 1;
/** Share of the workload's cost below which a statement's whole possible gain is not looked into. */
const NEGLIGIBLE = 1e-5;

/** A partial index of more of the rows saves nothing over a whole one. */
const MAX_PARTIAL_SHARE = 0.5;

const isNoticeable = (gain: number, before: number) =>
  gain > MINIMUM_ABSOLUTE_GAIN && gain > MINIMUM_STATEMENT_GAIN * before;

/** A candidate that the engine has taken, with the statements that it was made for. */
export interface Made {
  contender: Contender;
  by: AdvisorStatement[];
}

/** Each candidate once, but those that an existing index serves or PostgreSQL refuses. */
export async function makeCandidates(
  context: RuleContext,
  whatIf: WhatIf,
  statements: readonly AdvisorStatement[],
  rejections: Rejection[],
  rule: string,
): Promise<Made[]> {
  const recurring = context.workload.source === 'files' ? recurringConstants(statements) : null;
  const catalog: AdvisorCatalog = { ...advisorCatalog(context.snapshot), recurring };
  const sizes = new CandidateSizes(catalog, context.snapshot, whatIf);
  const wanted = new Map<string, { candidate: Candidate; by: AdvisorStatement[]; size: IndexSize }>();
  const reject = (candidate: Candidate, code: string, reason: string) =>
    rejections.push({ rule, candidate: candidate.key, code, reason });
  const covered = new Set<string>();
  for (const statement of statements) {
    for (const [key, candidate] of candidatesOf(statement.usages, catalog)) {
      const known = wanted.get(key);
      if (known) known.by.push(statement);
      if (known || covered.has(key)) continue;
      const existing = coveringIndex(candidate.definition, candidate.table.indexes);
      if (existing) {
        covered.add(key);
        const does = `${existing.schema}.${existing.name} (${existing.keys.join(', ')}) does this already`;
        reject(candidate, 'covered_by_existing', does);
        continue;
      }
      const { definition, table, selectivity } = candidate;
      const share = await sizes.shareOf(definition);
      if (share !== null && share > MAX_PARTIAL_SHARE) {
        covered.add(key);
        reject(candidate, 'keeps_most_rows', `its condition keeps ${Math.round(100 * share)} % of the rows`);
        continue;
      }
      const size = await sizes.sizeOf(definition, table, share ?? selectivity);
      wanted.set(key, { candidate, by: [statement], size });
    }
  }
  const touching = statementsByTable(statements);
  const cumulative = context.workload.source === 'cumulative';
  const made: Made[] = [];
  const items = [...wanted.values()];
  for (let start = 0; start < items.length; start += BATCH) {
    context.progress(`making candidates: ${start} of ${items.length}`);
    const batch = items.slice(start, start + BATCH);
    const answers =
      Date.now() > context.deadline
        ? []
        : await whatIf.addIndexes(
            batch.map(({ candidate, size }) => ({ definition: candidate.definition, size })),
          );
    for (const [position, { candidate, by, size }] of batch.entries()) {
      const handle = answers[position];
      if (handle === undefined) {
        reject(candidate, 'deadline', 'not weighed: the time was used up');
      } else if (handle instanceof PgLuthierError) {
        reject(candidate, 'refused_by_postgresql', `PostgreSQL refuses it: ${handle.message}`);
      } else {
        const writers = touching.get(candidate.table.row.oid) ?? [];
        const contender: Contender = {
          handle,
          table_oid: candidate.table.row.oid,
          candidate,
          size,
          size_bytes: bytesOf(size),
          write: writeCost(candidate, size, writers, context.snapshot, cumulative, context.window),
          alone: 0,
        };
        made.push({ contender, by });
      }
    }
  }
  return made;
}

/** Of statements out of files, which show one call each: constants that stand in more than one place. */
function recurringConstants(statements: readonly AdvisorStatement[]): Set<string> {
  const places = new Map<string, number>();
  for (const { usages } of statements) {
    // The first is the statement as it is written; the others are of its samples.
    const [written] = usages;
    for (const { relation, literal, repeats = 1 } of written?.predicates ?? []) {
      const table = relation === null ? undefined : written?.relations[relation]?.table_oid;
      if (literal === null || table === undefined) continue;
      const key = constantKey(table, literal);
      places.set(key, (places.get(key) ?? 0) + repeats);
    }
  }
  return new Set([...places].filter(([, count]) => count > 1).map(([key]) => key));
}

function statementsByTable(statements: readonly AdvisorStatement[]): Map<number, AdvisorStatement[]> {
  const byTable = new Map<number, AdvisorStatement[]>();
  for (const statement of statements) {
    for (const oid of statement.tables) {
      const list = byTable.get(oid);
      if (list) list.push(statement);
      else byTable.set(oid, [statement]);
    }
  }
  return byTable;
}

interface Weighing {
  statements: readonly AdvisorStatement[];
  made: readonly Made[];
  book: PlanBook;
  /** Calls × cost of all statements without new indexes. */
  base: number;
  rejections: Rejection[];
  rule: string;
}

/**
 * All candidates together show which statements could get cheaper at all; each alone is asked about only for those.
 * What helps none of them, alone or together with others, is no contender.
 */
export async function weighCandidates(context: RuleContext, weighing: Weighing): Promise<Contender[]> {
  const { statements, made, book, base } = weighing;
  const touching = statementsByTable(statements);
  for (const { contender } of made) {
    for (const statement of touching.get(contender.table_oid) ?? []) {
      if (!isRelevant(statement, contender.candidate)) continue;
      book.register(contender, statement, isInforming(statement, contender.candidate));
    }
  }
  const { promising, needed } = await askAboutAll(context, weighing);
  await askAboutEach(context, weighing, promising);
  const contenders: Contender[] = [];
  for (const { contender, by } of made) {
    const set = new Set([contender.handle]);
    let helps = needed.has(contender.handle);
    for (const statement of by) {
      const before = book.known(statement, NOTHING)?.cost ?? 0;
      const gain = before - (book.known(statement, set)?.cost ?? before);
      if (gain > 0) contender.alone += gain * statement.query.calls;
      if (isNoticeable(gain, before) && gain * statement.query.calls > NEGLIGIBLE * base) helps = true;
    }
    if (helps) contenders.push(contender);
    else {
      const reason = 'no statement that it was made for gets noticeably cheaper with it';
      weighing.rejections.push({
        rule: weighing.rule,
        candidate: contender.candidate.key,
        code: 'no_gain',
        reason,
      });
    }
  }
  return contenders;
}

/** Statements that all candidates together make cheaper, and the candidates that their plans need then. */
async function askAboutAll(
  context: RuleContext,
  { statements, made, book, base }: Weighing,
): Promise<{ promising: Set<AdvisorStatement>; needed: Set<string> }> {
  const all = new Set(made.map(({ contender }) => contender.handle));
  const promising = new Set<AdvisorStatement>();
  const needed = new Set<string>();
  for (let start = 0; start < statements.length; start += BATCH) {
    context.progress(`asking about all candidates together: ${start} of ${statements.length} statements`);
    if (Date.now() > context.deadline) break;
    const batch = statements.slice(start, start + BATCH).filter((one) => book.relevant(one).size > 0);
    await book.ask(batch, all);
    for (const statement of batch) {
      const before = book.known(statement, NOTHING)?.cost ?? 0;
      const gain = before - book.lower(statement, all);
      if (gain * statement.query.calls <= NEGLIGIBLE * base || !isNoticeable(gain, before)) continue;
      promising.add(statement);
      for (const { plans } of book.plans(statement)) {
        for (const plan of plans) for (const handle of plan.needs) needed.add(handle);
      }
    }
  }
  return { promising, needed };
}

/**
 * Each candidate alone, for the promising statements that it was made for. Candidates that no such statement has in
 * common are asked about together: to each statement, one is alone.
 */
async function askAboutEach(
  context: RuleContext,
  { made, book }: Weighing,
  promising: ReadonlySet<AdvisorStatement>,
): Promise<void> {
  const relevantTo = new Map<string, AdvisorStatement[]>(made.map(({ contender }) => [contender.handle, []]));
  for (const statement of promising) {
    for (const handle of book.relevant(statement)) relevantTo.get(handle)?.push(statement);
  }
  const waves: { handles: string[]; statements: Set<AdvisorStatement> }[] = [];
  const taken = new Map<AdvisorStatement, Set<number>>();
  for (const { contender, by } of made) {
    const asked = by.filter((statement) => promising.has(statement));
    if (asked.length === 0) continue;
    const affected = relevantTo.get(contender.handle) ?? [];
    let number = 0;
    while (affected.some((statement) => taken.get(statement)?.has(number))) number += 1;
    for (const statement of affected) {
      const numbers = taken.get(statement) ?? new Set();
      taken.set(statement, numbers.add(number));
    }
    const wave = waves[number] ?? { handles: [], statements: new Set() };
    waves[number] = wave;
    wave.handles.push(contender.handle);
    for (const statement of asked) wave.statements.add(statement);
  }
  for (const [number, { handles, statements }] of waves.entries()) {
    context.progress(`asking about each candidate: round ${number + 1} of ${waves.length}`);
    if (Date.now() > context.deadline) return;
    await book.ask([...statements], handles);
  }
}
