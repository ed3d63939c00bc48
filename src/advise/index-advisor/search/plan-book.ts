/**
 * The plans of all statements: asks the planner what does not follow from what it has shown (statement-plans.ts), and tells
 * what is known.
 */
import type { PlanCost, PlannableStatement, Question, WhatIf } from '../../../domain/index.ts';
import type { AdvisorStatement } from '../statement.ts';
import { both, type KnownPlan, NOTHING } from './known-plan.ts';
import { Pace } from './pace.ts';
import { type Matters, type SamplePlans, type StatementCost, StatementPlans } from './statement-plans.ts';

/** A candidate that the engine has taken, or an existing index that may leave. */
export interface KnownCandidate {
  /** The engine's, or `schema.name` of an existing index. */
  handle: string;
  table_oid: number;
}

/** Statements to be asked about under a set of handles; the set may change afterwards. */
export interface Ask {
  statements: readonly AdvisorStatement[];
  set: ReadonlySet<string>;
  /** The place of the one sample of each that is asked about; absent: all of them. */
  sample?: number;
  /** Of statements whose plans do not follow from others (genetic search), what was concluded is asked about, too. */
  exactly?: boolean;
}

/** What of an `Ask` is not known yet. */
interface OpenAsk extends Question {
  set: ReadonlySet<string>;
  /** One for each of the statements. */
  samples: { plans: StatementPlans; place: number; sample: PlannableStatement }[];
}

/** Candidates of a statement among which one that is not used tells something. */
const OFFERED_AMONG = 12;

const NOTHING_OPEN: OpenAsk = {
  set: NOTHING,
  configuration: { created: [], hidden: [] },
  samples: [],
  statements: [],
};

export class PlanBook {
  /** Answers that needed no question. */
  concluded = 0;
  /** Existing indexes that may leave: what is there as long as nothing is changed. */
  readonly #leaving = new Set<string>();
  readonly #whatIf: WhatIf;
  readonly #pace = new Pace();
  readonly #statements = new Map<AdvisorStatement, StatementPlans>();
  readonly #candidates = new Map<string, KnownCandidate>();

  constructor(whatIf: WhatIf) {
    this.#whatIf = whatIf;
  }

  /**
   * Makes a candidate known to a statement that it can matter to.
   * @param matters how it does.
   */
  register(candidate: KnownCandidate, statement: AdvisorStatement, matters: Matters): void {
    this.#candidates.set(candidate.handle, candidate);
    this.#of(statement).register(candidate.handle, matters);
  }

  /** A statement's plans go for one that takes its place, whose samples differ in what was observed of its calls. */
  takeOver(statement: AdvisorStatement, from: AdvisorStatement): void {
    statement.samples.forEach((sample, place) => {
      if (from.samples[place]?.sql === sample.sql && !from.samples[place].read_on)
        this.#of(statement).takeOver(place, this.#of(from), sample);
    });
  }

  /** Plans that the engine was asked for since it was opened, by whomever: sizes of conditions are asked of it, too. */
  get questions(): number {
    return this.#whatIf.questions;
  }

  /** The planner skips leading keys of few values where the statement says nothing of them (from PostgreSQL 18 on). */
  get skips(): boolean {
    return Number.parseInt(this.#whatIf.server_version, 10) >= 18;
  }

  /** The set that stands for the target as it is: no candidate, and all existing indexes that may leave. */
  get present(): ReadonlySet<string> {
    return this.#leaving;
  }

  /**
   * From now on sets must name this existing index where it is to be there. Plans that are known were chosen with it.
   * @param statements those on its table.
   */
  letLeave(index: KnownCandidate, statements: readonly AdvisorStatement[]): void {
    const { handle } = index;
    this.#leaving.add(handle);
    this.#candidates.set(handle, index);
    for (const statement of statements) this.#of(statement).letLeave(handle);
  }

  /** Handles that can matter to the statement. */
  relevant(statement: AdvisorStatement): ReadonlySet<string> {
    return this.#statements.get(statement)?.relevant ?? NOTHING;
  }

  /**
   * Asks the planner about each of the statements under these candidates, several at a time; of their samples, those
   * whose plan is not known yet.
   * @param handles may be of any tables; what does not matter to a statement is not written down for it.
   * @param options.deadline epoch ms after which no more are asked.
   * @param options.exactly as of an `Ask`.
   */
  async ask(
    statements: readonly AdvisorStatement[],
    handles: Iterable<string>,
    { deadline = Number.POSITIVE_INFINITY, exactly = false } = {},
  ): Promise<void> {
    const set = new Set(handles);
    const { samples } = this.#open({ statements, set, exactly });
    // All of the set: the next questions are about it, too, and what is there already is not switched again.
    const configuration = this.#configurationOf(set, set, this.#leaving);
    this.#pace.forget();
    for (let start = 0; start < samples.length && Date.now() <= deadline; ) {
      const some = Number.isFinite(deadline)
        ? samples.slice(start, start + this.#pace.atOnce(deadline))
        : samples;
      start += some.length;
      const texts = some.map(({ sample }) => sample);
      const costs = await this.#timed(some.length, () => this.#whatIf.costs(configuration, texts));
      this.#learn({ configuration, set, samples: some, statements: texts }, costs);
    }
  }

  async #timed<T>(questions: number, ask: () => Promise<T>): Promise<T> {
    const started = Date.now();
    const answers = await ask();
    this.#pace.note(questions, Date.now() - started);
    return answers;
  }

  /**
   * Asks about several sets whose answers do not depend on each other, many at a time.
   * @param asks taken one after the other, so that few sets of thousands are there at once.
   * @param deadline epoch ms after which no more are asked.
   * @returns how many of the sets had a statement whose plan was not known, as far as there was time.
   */
  async askEach(asks: Iterable<Ask>, deadline: number): Promise<number> {
    let open = 0;
    let waiting: OpenAsk[] = [];
    let samples = 0;
    this.#pace.forget();
    const flush = async () => {
      const costs = await this.#timed(samples, () => this.#whatIf.costsOfEach(waiting));
      waiting.forEach((asked, place) => {
        this.#learn(asked, costs[place] ?? []);
      });
      waiting = [];
      samples = 0;
    };
    for (const ask of asks) {
      if (Date.now() > deadline) break;
      const asked = this.#open(ask);
      if (asked.samples.length === 0) continue;
      open += 1;
      waiting.push(asked);
      samples += asked.samples.length;
      if (samples >= this.#pace.atOnce(deadline)) await flush();
    }
    if (waiting.length > 0) await flush();
    return open;
  }

  /** Of these statements' samples, those whose plan is not known under the set. */
  #open({ statements, set, sample: only, exactly = false }: Ask): OpenAsk {
    const open = statements.flatMap((statement) => {
      const plans = this.#of(statement);
      const unknown = plans.unknown(set, exactly);
      const places = only === undefined ? unknown : unknown.filter((place) => place === only);
      return places.flatMap((place) => {
        const sample = statement.samples[place];
        return sample ? [{ plans, place, sample }] : [];
      });
    });
    if (open.length === 0) return NOTHING_OPEN;
    // Of sets of thousands only what can matter to these statements: all of an existing index's table know of it.
    const relevant = new Set(open.flatMap(({ plans }) => [...plans.relevant]));
    const there = new Set(both(set, relevant));
    return {
      set: there,
      configuration: this.#configurationOf(set, there, relevant),
      samples: open,
      statements: open.map(({ sample }) => sample),
    };
  }

  /**
   * @param there what of the set is to be there.
   * @param known what of the existing indexes is to be hidden where the set has it not.
   */
  #configurationOf(
    set: ReadonlySet<string>,
    there: ReadonlySet<string>,
    known: ReadonlySet<string>,
  ): Question['configuration'] {
    return {
      created: [...there].filter((handle) => !this.#leaving.has(handle)).sort(),
      hidden: both(known, this.#leaving)
        .filter((handle) => !set.has(handle))
        .sort(),
    };
  }

  #learn({ set, samples }: OpenAsk, costs: readonly PlanCost[]): void {
    const isCandidate = (handle: string) => this.#candidates.has(handle);
    samples.forEach(({ plans, place }, position) => {
      const answer = costs[position];
      if (answer) plans.learn(place, set, answer, isCandidate);
    });
    for (const { plans } of samples) plans.giveUpIfRefused();
  }

  /**
   * Cost under these candidates as far as it is known or follows; null: it must be asked.
   * @param exactly as of an `Ask`.
   */
  known(statement: AdvisorStatement, set: ReadonlySet<string>, exactly = false): StatementCost | null {
    return this.#statements.get(statement)?.known(set, exactly) ?? null;
  }

  /**
   * The most that a call costs under these candidates, by the plans that are known: the planner takes the one that it
   * likes best of those that have all they need, or a better one. Null: none is known.
   */
  most(statement: AdvisorStatement, set: ReadonlySet<string>): StatementCost | null {
    return this.#statements.get(statement)?.most(set) ?? null;
  }

  /** The sample's plan under these candidates, as far as it is known or follows; null: it must be asked. */
  plan(statement: AdvisorStatement, sample: number, set: ReadonlySet<string>): KnownPlan | null {
    return this.#statements.get(statement)?.plan(sample, set) ?? null;
  }

  /**
   * Cost under these candidates, asked for if need be, that of a genetic search exactly; `error` is the engine's own word
   * for why there is none.
   */
  async cost(
    statement: AdvisorStatement,
    handles: Iterable<string>,
  ): Promise<StatementCost | { error: string }> {
    const set = new Set(handles);
    const known = this.known(statement, set, true);
    if (known) {
      this.concluded += 1;
      return known;
    }
    const plans = this.#of(statement);
    if (plans.error === null) await this.ask([statement], set, { exactly: true });
    return this.known(statement, set) ?? { error: plans.error ?? 'no plan' };
  }

  /**
   * No set of these candidates (of those that were ever asked about together) makes a call cheaper than this, but where
   * candidates that were made for other statements do better than all of its own (`isBoundProven`). It is the planner's
   * cost that never rises with more to choose from: what is charged besides comes on top.
   */
  lower(statement: AdvisorStatement, set: ReadonlySet<string>): number {
    return this.#statements.get(statement)?.lower(set) ?? 0;
  }

  /** Whether `lower` takes nothing for granted: its plan was chosen among all of these candidates. */
  isBoundProven(statement: AdvisorStatement, set: ReadonlySet<string>): boolean {
    return this.#statements.get(statement)?.isBoundProven(set) ?? true;
  }

  /**
   * The most that a call could be charged less under another set, by what is known: exactly where the plan is known, else
   * down to the lower bound. Where that is no lower than what the planner has now, and all that its plan needs stays, it
   * takes the same plan: what is feared of that stays, too.
   * @returns planner cost units, weighted over the samples; below 0: it costs more. 0 where the plan now is not known.
   */
  couldSave(statement: AdvisorStatement, now: ReadonlySet<string>, other: ReadonlySet<string>): number {
    return this.#statements.get(statement)?.couldSave(now, other) ?? 0;
  }

  /**
   * Whether the planner has had the candidate before it for each sample, among few others, and took what the set has, or
   * nothing: beside that it is of no use. Where it took what the set has not, nothing is told.
   */
  isPassedOver(statement: AdvisorStatement, handle: string, set: ReadonlySet<string>): boolean {
    const few = OFFERED_AMONG + this.#leaving.size;
    return this.#statements.get(statement)?.isPassedOver(handle, set, few) ?? false;
  }

  /** All plans of a statement, for a model of what sets would cost. */
  plans(statement: AdvisorStatement): SamplePlans[] {
    return this.#statements.get(statement)?.all() ?? [];
  }

  #of(statement: AdvisorStatement): StatementPlans {
    let plans = this.#statements.get(statement);
    if (!plans) {
      plans = new StatementPlans(statement);
      this.#statements.set(statement, plans);
    }
    return plans;
  }
}
