/**
 * The least that any set of the advisor's own candidates can cost within a budget: the Lagrangian dual of the choice of
 * indexes (CoPhy: Dash, Polyzotis, Ailamaki, VLDB 2011), with each statement's priced minimum proven by branch and bound
 * against the planner, not by the plans that happen to be known. It rests on an index more never making a plan dearer,
 * which PostgreSQL keeps to within 1 % (STD_FUZZ_FACTOR of pathnode.c). Writes and what an index must earn are not in it.
 */
import { askBeside } from '../src/advise/index-advisor/beside.ts';
import { CandidateMaker } from '../src/advise/index-advisor/make-candidates.ts';
import { PlanBook } from '../src/advise/index-advisor/search/plan-book.ts';
import { type AdvisorStatement, prepareStatement } from '../src/advise/index-advisor/statement.ts';
import { registerCandidates } from '../src/advise/index-advisor/weigh-questions.ts';
import type { Snapshot, Workload } from '../src/domain/index.ts';
import { openTwin } from '../src/whatif/index.ts';
import { usageCatalog } from '../src/workload/index.ts';

/** Times that prices are made better by the plans that the proofs have shown. */
const ROUNDS = 8;
const STEPS = 3000;
/** Sets of one statement that are asked about in a proof; then the least of what is open is its bound. */
const MOST_NODES = 300;

/** Prices of the candidates by statement, and of a byte. */
interface Prices {
  byte: number;
  of: Map<AdvisorStatement, Map<string, number>>;
}

/** A bound, and what it took. */
export interface Bound {
  cost: number;
  candidates: number;
  questions: number;
}

/**
 * @param best what a set is known to cost: steps of the dual are measured by it.
 * @param budget bytes.
 * @throws Error for a statement with several samples: the proof has one plan a statement.
 */
export async function boundWithin(
  { snapshot, workload }: { snapshot: Snapshot; workload: Workload },
  budget: number,
  best: number,
): Promise<Bound> {
  const twin = await openTwin(snapshot);
  try {
    const context = {
      snapshot,
      window: null,
      workload,
      what_if: twin,
      index_budget_bytes: budget,
      progress: () => {},
      deadline: Number.POSITIVE_INFINITY,
    };
    const catalog = await usageCatalog(snapshot);
    const statements: AdvisorStatement[] = [];
    for (const query of workload.queries) {
      const prepared = await prepareStatement(query, snapshot, catalog);
      if ('reason' in prepared) throw new Error(prepared.reason);
      if (prepared.samples.length !== 1) throw new Error(`${query.query_id} has several samples`);
      statements.push(prepared);
    }
    const run = { rejections: [], rule: 'bound', isStanding: () => false };
    const maker = new CandidateMaker(context, twin, statements, run);
    const made = await maker.fromStatements(statements, Number.POSITIVE_INFINITY);
    const book = new PlanBook(twin);
    await book.ask(statements, book.present);
    registerCandidates(made, { maker, book });
    const relevant = statements.map((one) => [one, [...book.relevant(one)]] as const);
    await askBeside(book, book.present, new Map(relevant), Number.POSITIVE_INFINITY);
    const bytes = new Map(made.map(({ contender }) => [contender.handle, contender.reserved_bytes]));
    let cost = 0;
    let prices: Prices = { byte: (0.2 * best) / budget, of: new Map() };
    for (let round = 0; round < ROUNDS; round += 1) {
      prices = priced(book, statements, { bytes, budget, best }, prices);
      let bound = rest(prices, bytes) - prices.byte * budget;
      for (const statement of statements) {
        const least = await provenLeast(book, statement, prices.of.get(statement) ?? new Map());
        bound += least * statement.query.calls;
      }
      cost = Math.max(cost, bound);
    }
    return { cost, candidates: made.length, questions: twin.questions };
  } finally {
    await twin.close();
  }
}

/** Σ over the candidates of what their bytes are worth less than the statements would pay, where that is below nothing. */
function rest({ byte, of }: Prices, bytes: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const [handle, size] of bytes) sum += Math.min(0, byte * size - paid(of, handle));
  return sum;
}

function paid(of: Prices['of'], handle: string): number {
  let sum = 0;
  for (const [statement, prices] of of) sum += (prices.get(handle) ?? 0) * statement.query.calls;
  return sum;
}

/** Subgradient steps on the dual of the plans that are known; the best prices found. */
function priced(
  book: PlanBook,
  statements: readonly AdvisorStatement[],
  { bytes, budget, best }: { bytes: ReadonlyMap<string, number>; budget: number; best: number },
  start: Prices,
): Prices {
  const plans = statements.map((one) => book.plans(one)[0]?.plans ?? []);
  let byte = start.byte;
  const of = new Map(statements.map((one) => [one, new Map(start.of.get(one))]));
  let highest = Number.NEGATIVE_INFINITY;
  let found: Prices = start;
  let scale = 1;
  let idle = 0;
  for (let step = 0; step < STEPS; step += 1) {
    let value = -byte * budget;
    const used = statements.map((statement, place) => {
      const prices = of.get(statement) ?? new Map<string, number>();
      let least = Number.POSITIVE_INFINITY;
      let needs: readonly string[] = [];
      for (const plan of plans[place] ?? []) {
        const cost = plan.needs.reduce((sum, one) => sum + (prices.get(one) ?? 0), plan.cost);
        if (cost < least) [least, needs] = [cost, plan.needs];
      }
      value += least * statement.query.calls;
      return new Set(needs);
    });
    const bought = new Set(
      [...bytes].filter(([one, size]) => byte * size < paid(of, one)).map(([one]) => one),
    );
    value += rest({ byte, of }, bytes);
    if (value > highest + 1) {
      highest = value;
      found = { byte, of: new Map([...of].map(([one, prices]) => [one, new Map(prices)])) };
      idle = 0;
    } else if (++idle > 60) [scale, idle] = [scale * 0.7, 0];
    // Of a byte in units of the mean candidate's size, so that its price moves as fast as the others.
    const unit = budget / 4;
    const over = ([...bought].reduce((sum, one) => sum + (bytes.get(one) ?? 0), 0) - budget) / unit;
    const slopes = statements.map((_, place) => {
      const names = new Set([...(used[place] ?? []), ...bought]);
      return [...names].map((one): [string, number] => [
        one,
        Number(used[place]?.has(one) ?? false) - Number(bought.has(one)),
      ]);
    });
    const norm = slopes.flat().reduce((sum, [, slope]) => sum + slope * slope, over * over);
    if (norm === 0) break;
    const length = (scale * Math.max(1, best - value)) / norm;
    byte = Math.max(0, byte + (length * over) / unit);
    statements.forEach((statement, place) => {
      const prices = of.get(statement) ?? new Map<string, number>();
      for (const [one, slope] of slopes[place] ?? []) {
        prices.set(one, Math.max(0, (prices.get(one) ?? 0) + length * slope));
      }
    });
  }
  return found;
}

/** The least of plan cost and prices of what the plan needs, over all sets: no set is cheaper. Plans shown go to the book. */
export async function provenLeast(
  book: PlanBook,
  statement: AdvisorStatement,
  prices: ReadonlyMap<string, number>,
): Promise<number> {
  const priceOf = (one: string) => prices.get(one) ?? 0;
  const sum = (some: Iterable<string>) => [...some].reduce((total, one) => total + priceOf(one), 0);
  let least = Number.POSITIVE_INFINITY;
  for (const plan of book.plans(statement)[0]?.plans ?? []) {
    least = Math.min(least, plan.cost + sum(plan.needs));
  }
  let open = Number.POSITIVE_INFINITY;
  let nodes = 0;
  const visit = async (
    given: ReadonlySet<string>,
    forced: ReadonlySet<string>,
    above: number,
  ): Promise<void> => {
    const set = new Set(given);
    let floor = above;
    for (;;) {
      for (const one of set) if (!forced.has(one) && floor + priceOf(one) >= least) set.delete(one);
      if (nodes >= MOST_NODES) {
        open = Math.min(open, floor);
        return;
      }
      if (book.known(statement, set) === null) nodes += 1;
      await book.ask([statement], set);
      const cost = book.known(statement, set)?.cost ?? 0;
      const needs = book.plan(statement, 0, set)?.needs ?? [];
      least = Math.min(least, cost + sum(needs));
      floor = Math.max(floor, cost + sum(forced));
      if (floor >= least) return;
      if ([...set].some((one) => !forced.has(one) && floor + priceOf(one) >= least)) continue;
      const [dearest] = needs
        .filter((one) => !forced.has(one) && priceOf(one) > 0)
        .toSorted((a, b) => priceOf(b) - priceOf(a));
      if (dearest === undefined) return;
      await visit(new Set([...set].filter((one) => one !== dearest)), forced, floor);
      await visit(set, new Set([...forced, dearest]), floor + priceOf(dearest));
      return;
    }
  };
  await visit(new Set(book.relevant(statement)), new Set(), 0);
  return Math.min(least, open);
}
