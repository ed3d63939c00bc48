/** What the planner is asked about candidates before the search: all of a statement's together, some, and each alone. */
import type { Rejection, RuleContext } from '../../domain/index.ts';
import { askBeside, askBestBeside, type Rated } from './beside.ts';
import { BATCH, type CandidateMaker, type Made } from './make-candidates.ts';
import type { PlanBook } from './search/plan-book.ts';
import { isInforming, isRelevant } from './search/relevance.ts';
import type { Contender } from './selection.ts';
import type { AdvisorStatement } from './statement.ts';

/** Alone, a candidate must make some statement this much cheaper, or it is not asked about again. */
const MINIMUM_STATEMENT_GAIN = 0.02;
/** Planner cost units: below this a plan costs next to nothing either way. */
const MINIMUM_ABSOLUTE_GAIN = 1;
/** Share of the workload's cost below which a statement's whole possible gain is not looked into. */
export const NEGLIGIBLE = 1e-5;

export const isNoticeable = (gain: number, before: number) =>
  gain > MINIMUM_ABSOLUTE_GAIN && gain > MINIMUM_STATEMENT_GAIN * before;

/**
 * Statements times their candidates above which a workload is large. Of the promising ones: only the best for their bytes
 * are asked about by themselves, for where each candidate serves many statements, asking about all would use up the time
 * (113 joins of up to 17 tables, 84 MB and 60 s: the set found costs half as much).
 */
export const MANY_PAIRS = 1500;

/** Share of the time left for weighing that asking with all candidates may take, or the statements' own stand for them. */
const TIME_FOR_ALL = 0.1;
/** Statements that are asked about with all candidates in order to see how long that takes. */
const PROBED = 12;

/** Statements between two looks at the clock. */
const STATEMENTS_AT_ONCE = 32;

export interface Weighing {
  maker: CandidateMaker;
  statements: readonly AdvisorStatement[];
  made: readonly Made[];
  book: PlanBook;
  /** Calls × cost of all statements without new indexes. */
  base: number;
  /** Bytes that a set may take; null: no limit. */
  budget_bytes: number | null;
  rejections: Rejection[];
  rule: string;
}

/**
 * Whether asking about each statement with all candidates takes little of the time left, too: others' candidates can do
 * better for a statement than its own, and what is missed so is not found later. Where a guess leaves that open, some
 * statements are asked about so.
 * @param milliseconds that asking with the statements' own took.
 */
export async function isTimeForAll(
  { deadline }: RuleContext,
  { statements, made, book }: Weighing,
  milliseconds: number,
): Promise<boolean> {
  const there = TIME_FOR_ALL * (deadline - Date.now());
  const relevant = statements.reduce((sum, statement) => sum + book.relevant(statement).size, 0);
  // At most planning takes longer by as much with each index.
  const most = milliseconds * (relevant / Math.max(1, pairsOf(made)));
  if (most <= there) return true;
  const step = Math.ceil(statements.length / PROBED);
  const some = statements.filter((_, place) => place % step === 0);
  if (most * (some.length / statements.length) > there) return false;
  const set = new Set([...book.present, ...made.map(({ contender }) => contender.handle)]);
  const started = Date.now();
  await book.askEach(
    some.map((statement) => ({ statements: [statement], set })),
    deadline,
  );
  return (Date.now() - started) * (statements.length / some.length) <= there;
}

/**
 * Tells the book which statements each of them can matter to.
 * @param isLarge what was made for other statements only is told apart; else all count as the statement's own.
 */
export function registerCandidates(
  made: readonly Made[],
  { maker, book }: Pick<Weighing, 'maker' | 'book'>,
  isLarge = false,
): void {
  for (const { contender, by } of made) {
    const own = new Set(by);
    for (const statement of maker.touching(contender.table_oid)) {
      if (!isRelevant(statement, contender.candidate)) continue;
      const informs = isInforming(statement, contender.candidate);
      book.register(contender, statement, { informs, is_own: !isLarge || own.has(statement) });
    }
  }
}

export interface AskedTogether {
  /** Statements that get cheaper, with calls × what they save. */
  promising: Map<AdvisorStatement, number>;
  /** The same, with the candidates that they were asked about with. */
  asked: Map<AdvisorStatement, ReadonlySet<string>>;
  /** Candidates that their plans need then. */
  needed: Set<string>;
  /** Statements that there was no time for. */
  late: Set<AdvisorStatement>;
}

/**
 * Each statement with all candidates; of large workloads with those that were made for it: the other statements' on its
 * tables are several times as many, each makes planning longer, and they are taken to do no better (`lowerBound`).
 */
export async function askAboutAll(
  context: RuleContext,
  { statements, made, book, base }: Weighing,
  isLarge: boolean,
): Promise<AskedTogether> {
  const all = new Set(made.map(({ contender }) => contender.handle));
  const own = new Map<AdvisorStatement, Set<string>>();
  for (const { contender, by } of isLarge ? made : []) {
    for (const one of by) own.set(one, (own.get(one) ?? new Set(book.present)).add(contender.handle));
  }
  // Where none was made for it, others' are all that could help.
  const ownOf = (statement: AdvisorStatement) => own.get(statement) ?? all;
  const promising = new Map<AdvisorStatement, number>();
  const asked = new Map<AdvisorStatement, ReadonlySet<string>>();
  const needed = new Set<string>();
  const late = new Set<AdvisorStatement>();
  for (let start = 0; start < statements.length; start += BATCH) {
    context.progress(`asking about all candidates together: ${start} of ${statements.length} statements`);
    const batch = statements.slice(start, start + BATCH).filter((one) => book.relevant(one).size > 0);
    await book.askEach(
      batch.map((statement) => ({ statements: [statement], set: ownOf(statement) })),
      context.deadline,
    );
    for (const statement of batch) {
      if (Date.now() > context.deadline && book.known(statement, ownOf(statement)) === null) {
        late.add(statement);
        continue;
      }
      const before = book.known(statement, book.present)?.cost ?? 0;
      const gain = before - book.lower(statement, ownOf(statement));
      if (gain * statement.query.calls <= NEGLIGIBLE * base || !isNoticeable(gain, before)) continue;
      promising.set(statement, gain * statement.query.calls);
      asked.set(statement, ownOf(statement));
      for (const { plans } of book.plans(statement)) {
        for (const plan of plans) for (const handle of plan.needs) needed.add(handle);
      }
    }
  }
  return { promising, asked, needed, late };
}

/** Statements times the candidates that were made for them. */
export const pairsOf = (made: readonly { by: readonly AdvisorStatement[] }[]): number =>
  made.reduce((sum, { by }) => sum + by.length, 0);

/** Whether it is a whole index on one column: the form in which most statements could share it. */
const isPlain = ({ candidate: { definition } }: Contender): boolean =>
  definition.keys.length === 1 && definition.include.length === 0 && definition.where === null;

/**
 * Of large workloads: plans that fit into a budget together. With all of its candidates a statement's plan needs wide
 * indexes on each of its tables, which nothing else shares; so each statement is asked about with its plain ones alone,
 * and then with each by itself that one of its plans needs: those are the most likely to join, and time may end before
 * the others' turn.
 * @param needed what these plans need is added to it.
 */
export async function askAboutShareable(
  { deadline }: RuleContext,
  { made, book }: Weighing,
  promising: ReadonlyMap<AdvisorStatement, number>,
  needed: Set<string>,
): Promise<void> {
  const byHope = [...promising].sort(([, a], [, b]) => b - a).map(([one]) => one);
  const plain = new Map(byHope.map((one) => [one, new Set(book.present)]));
  for (const { contender, by } of made) {
    if (isPlain(contender)) for (const one of by) plain.get(one)?.add(contender.handle);
  }
  await book.askEach(
    [...plain].map(([statement, set]) => ({ statements: [statement], set })),
    deadline,
  );
  const parts = byHope.flatMap((statement) => {
    const handles = new Set(
      book.plans(statement).flatMap(({ plans }) => plans.flatMap(({ needs }) => needs)),
    );
    for (const handle of handles) needed.add(handle);
    return [...handles]
      .filter((handle) => !book.present.has(handle))
      .map((handle) => ({ statements: [statement], set: new Set([...book.present, handle]) }));
  });
  await book.askEach(parts, deadline);
}

/**
 * Of large workloads: each statement with all candidates of its tables, so that what is taken of those that were made for
 * others (`lowerBound`) is known. First those that most is left to save of.
 * @param needed what these plans need is added to it.
 */
export async function askAboutOthers(
  context: RuleContext,
  { statements, book }: Weighing,
  promising: ReadonlyMap<AdvisorStatement, number>,
  needed: Set<string>,
): Promise<void> {
  context.progress('asking about the candidates of other statements');
  const open = statements
    .filter((one) => !book.isBoundProven(one, book.relevant(one)))
    .sort((a, b) => (promising.get(b) ?? 0) - (promising.get(a) ?? 0));
  await book.askEach(
    open.map((statement) => ({ statements: [statement], set: book.relevant(statement) })),
    context.deadline,
  );
  for (const { plans } of open.flatMap((statement) => book.plans(statement))) {
    for (const { needs } of plans) for (const handle of needs) needed.add(handle);
  }
}

/**
 * Each candidate alone, for the promising statements that it was made for; within a budget, of those that were made for
 * a single one of them, and of large workloads of all, only the best for their bytes.
 * @returns handles of those that there was no time for; of those that one no larger was preferred to, that one.
 */
export async function askAboutEach(
  context: RuleContext,
  { made, book }: Weighing,
  promising: ReadonlyMap<AdvisorStatement, number>,
): Promise<{ unasked: Set<string>; beaten: Map<string, string> }> {
  const helped = made.map(({ contender, by }) => ({ contender, by: by.filter((one) => promising.has(one)) }));
  const pairs = pairsOf(helped);
  const onlyBest = (by: readonly AdvisorStatement[]) => by.length === 1 || pairs > MANY_PAIRS;
  // What can save the most comes first, which need not be what costs the most: time may end before the others' turn.
  const byHope = [...promising].sort(([, a], [, b]) => b - a);
  const wanted = new Map(byHope.map(([one]) => [one, { shared: [] as Rated[], own: [] as Rated[] }]));
  for (const { contender, by } of helped) {
    // Without a budget growing a set starts from what each saves alone.
    const isOwn = context.index_budget_bytes !== null && onlyBest(by);
    for (const one of by) wanted.get(one)?.[isOwn ? 'own' : 'shared'].push(contender);
  }
  const all = [...wanted];
  const unasked = new Set<string>();
  const beaten = new Map<string, string>();
  for (let start = 0; start < all.length; start += STATEMENTS_AT_ONCE) {
    const some = all.slice(start, start + STATEMENTS_AT_ONCE);
    context.progress(`asking about each candidate: ${start} of ${all.length} statements`);
    if (Date.now() > context.deadline) {
      for (const [, { shared, own }] of some)
        for (const { handle } of [...shared, ...own]) unasked.add(handle);
      continue;
    }
    const shared = some.map(([one, of]) => [one, of.shared.map(({ handle }) => handle)] as const);
    await askBeside(book, book.present, new Map(shared), context.deadline);
    const own = some.map(([one, of]) => [one, of.own] as const);
    const worse = await askBestBeside(book, book.present, new Map(own), context.deadline);
    for (const [handle, by] of worse) beaten.set(handle, by);
    // What was answered by then counts; of what was not, "no gain" would be a guess.
    if (Date.now() > context.deadline)
      for (const [, of] of some) for (const { handle } of [...of.shared, ...of.own]) unasked.add(handle);
  }
  return { unasked, beaten };
}
