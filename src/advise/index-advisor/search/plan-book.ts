/**
 * The plans that the planner has shown, and what follows from them without asking again. A plan is the cheapest that
 * the planner found under a set of candidates, so (INUM, Papadomanolakis et al. 2007, and its reuse in CoPhy):
 * - it is the answer for every set between the candidates that it needs and those that it was chosen among;
 * - wherever those it needs exist, its cost is an upper bound;
 * - wherever no other than those it was chosen among exist, its cost is a lower bound.
 * The planner drops paths that are within 1 % of another's cost (STD_FUZZ_FACTOR of pathnode.c), so an answer that is
 * concluded may be off by as much.
 */
import type { PlanCost, PlannableStatement, Question, WhatIf } from '../../../domain/index.ts';
import type { AdvisorStatement } from '../statement.ts';
import {
  answers,
  both,
  chargedOf,
  type KnownPlan,
  likedBest,
  lowerBound,
  meanOf,
  NOTHING,
  shownUnder,
} from './known-plan.ts';
import { Pace } from './pace.ts';

/** A candidate that the engine has taken, or an existing index that may leave. */
export interface KnownCandidate {
  /** The engine's, or `schema.name` of an existing index. */
  handle: string;
  table_oid: number;
}

export interface StatementCost {
  /** Plan cost of one call, weighted over the samples. */
  cost: number;
  /** The same with what is feared of its LIMITs (`chargedOf`): what the search makes small. */
  charged: number;
  /** Handles and existing indexes that some sample's plan uses. */
  indexes: Set<string>;
}

/** Samples of a statement that can be planned, each with its plans; `share` sums to 1. */
export interface SamplePlans {
  share: number;
  plans: KnownPlan[];
}

/** A plan that can still learn that one of its indexes may leave. */
interface WrittenPlan extends KnownPlan {
  on: Set<string>;
  needs: string[];
}

interface Entry {
  relevant: Set<string>;
  /** Of those, the ones whose expressions' statistics change estimates whether or not a plan uses the index. */
  informing: Set<string>;
  samples: { id: string; weight: number; plans: WrittenPlan[] }[];
  /** The engine's words for the last sample that could not be planned. */
  refusal: string | null;
  /** The same where none could be. */
  error: string | null;
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
  samples: { entry: Entry; position: number; sample: PlannableStatement }[];
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
  readonly #entries = new Map<AdvisorStatement, Entry>();
  readonly #candidates = new Map<string, KnownCandidate>();

  constructor(whatIf: WhatIf) {
    this.#whatIf = whatIf;
  }

  /**
   * Makes a candidate known to a statement that it can matter to.
   * @param informs its statistics change the statement's estimates even where no plan uses it.
   */
  register(candidate: KnownCandidate, statement: AdvisorStatement, informs: boolean): void {
    this.#candidates.set(candidate.handle, candidate);
    const entry = this.#entry(statement);
    entry.relevant.add(candidate.handle);
    if (informs) entry.informing.add(candidate.handle);
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
    for (const statement of statements) {
      const entry = this.#entry(statement);
      entry.relevant.add(handle);
      for (const plan of entry.samples.flatMap((sample) => sample.plans)) {
        plan.on.add(handle);
        if (plan.indexes.includes(handle)) plan.needs.push(handle);
      }
    }
  }

  /** Handles that can matter to the statement. */
  relevant(statement: AdvisorStatement): ReadonlySet<string> {
    return this.#entries.get(statement)?.relevant ?? NOTHING;
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
      const entry = this.#entry(statement);
      if (entry.error !== null) return [];
      const there = both(set, entry.relevant);
      return statement.samples.flatMap((sample, position) => {
        if (only !== undefined && only !== position) return [];
        const plans = entry.samples[position]?.plans ?? [];
        const isKnown =
          exactly && statement.is_genetic ? shownUnder(plans, there) : answers(plans, set, there);
        return isKnown ? [] : [{ entry, sample, position }];
      });
    });
    if (open.length === 0) return NOTHING_OPEN;
    // Of sets of thousands only what can matter to these statements: all of an existing index's table know of it.
    const relevant = new Set(open.flatMap(({ entry }) => [...entry.relevant]));
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
    samples.forEach(({ entry, position }, place) => {
      const answer = costs[place];
      if (answer) this.#write(entry, position, set, answer);
    });
    for (const { entry } of samples) {
      if (entry.samples.every((sample) => sample.plans.length === 0))
        entry.error ??= entry.refusal ?? 'no plan';
    }
  }

  /**
   * Cost under these candidates as far as it is known or follows; null: it must be asked.
   * @param exactly as of an `Ask`.
   */
  known(statement: AdvisorStatement, set: ReadonlySet<string>, exactly = false): StatementCost | null {
    const entry = this.#entries.get(statement);
    if (!entry || entry.error !== null) return null;
    const there = both(set, entry.relevant);
    const isByChance = statement.is_genetic === true;
    return this.#weighted(entry, ({ plans }) => {
      const shown = isByChance ? shownUnder(plans, there) : undefined;
      return shown ?? (isByChance && exactly ? undefined : answers(plans, set, there));
    });
  }

  /**
   * The most that a call costs under these candidates, by the plans that are known: the planner takes the one that it
   * likes best of those that have all they need, or a better one. Null: none is known.
   */
  most(statement: AdvisorStatement, set: ReadonlySet<string>): StatementCost | null {
    const entry = this.#entries.get(statement);
    if (!entry || entry.error !== null) return null;
    return this.#weighted(entry, ({ plans }) => likedBest(plans, set));
  }

  /** Mean over the samples; null: one of them has no such plan. */
  #weighted(
    entry: Entry,
    planOf: (sample: Entry['samples'][number]) => WrittenPlan | undefined,
  ): StatementCost | null {
    let weight = 0;
    let sum = 0;
    let charged = 0;
    const indexes = new Set<string>();
    for (const sample of this.#planned(entry)) {
      const plan = planOf(sample);
      if (!plan) return null;
      weight += sample.weight;
      sum += sample.weight * plan.cost;
      charged += sample.weight * chargedOf(plan);
      for (const name of plan.indexes) indexes.add(name);
    }
    return weight === 0 ? null : { cost: sum / weight, charged: charged / weight, indexes };
  }

  /** The sample's plan under these candidates, as far as it is known or follows; null: it must be asked. */
  plan(statement: AdvisorStatement, sample: number, set: ReadonlySet<string>): KnownPlan | null {
    const entry = this.#entries.get(statement);
    const plans = entry?.samples[sample]?.plans ?? [];
    return entry ? (answers(plans, set, both(set, entry.relevant)) ?? null) : null;
  }

  /** Cost under these candidates, asked for if need be, that of a genetic search exactly; `error` is the engine's own word for why there is none. */
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
    const entry = this.#entry(statement);
    if (entry.error === null) await this.ask([statement], set, { exactly: true });
    return this.known(statement, set) ?? { error: entry.error ?? 'no plan' };
  }

  /**
   * No set of these candidates (of those that were ever asked about together) makes a call cheaper than this. It is the
   * planner's cost that never rises with more to choose from: what is charged besides comes on top.
   */
  lower(statement: AdvisorStatement, set: ReadonlySet<string>): number {
    const entry = this.#entries.get(statement);
    if (!entry) return 0;
    const there = both(set, entry.relevant);
    return meanOf(this.#planned(entry), ({ plans }) => lowerBound(plans, there));
  }

  /**
   * The most that a call could be charged less under another set, by what is known: exactly where the plan is known, else
   * down to the lower bound. Where that is no lower than what the planner has now, and all that its plan needs stays, it
   * takes the same plan: what is feared of that stays, too.
   * @returns planner cost units, weighted over the samples; below 0: it costs more. 0 where the plan now is not known.
   */
  couldSave(statement: AdvisorStatement, now: ReadonlySet<string>, other: ReadonlySet<string>): number {
    const entry = this.#entries.get(statement);
    if (!entry) return 0;
    const thereNow = both(now, entry.relevant);
    const there = both(other, entry.relevant);
    return meanOf(this.#planned(entry), ({ plans }) => {
      const plan = answers(plans, now, thereNow);
      if (!plan) return 0;
      const instead = answers(plans, other, there);
      if (instead) return chargedOf(plan) - chargedOf(instead);
      const least = lowerBound(plans, there);
      const stays = plan.planner_cost <= least && plan.needs.every((handle) => other.has(handle));
      return stays ? 0 : chargedOf(plan) - least;
    });
  }

  /**
   * Whether the planner has had the candidate before it for each sample, among few others, and took what the set has, or
   * nothing: beside that it is of no use. Where it took what the set has not, nothing is told.
   */
  isPassedOver(statement: AdvisorStatement, handle: string, set: ReadonlySet<string>): boolean {
    const entry = this.#entries.get(statement);
    if (!entry) return false;
    return entry.samples.every(({ plans }) => {
      let isOffered = false;
      for (const { on, needs } of plans) {
        if (needs.includes(handle)) return false;
        // Among all candidates a better one hides it.
        const isAmongFew = on.has(handle) && on.size <= OFFERED_AMONG + this.#leaving.size;
        isOffered ||= isAmongFew && needs.every((one) => set.has(one));
      }
      return isOffered;
    });
  }

  /** All plans of a statement, for a model of what sets would cost. */
  plans(statement: AdvisorStatement): SamplePlans[] {
    const entry = this.#entries.get(statement);
    if (!entry) return [];
    const samples = this.#planned(entry);
    const weight = samples.reduce((sum, sample) => sum + sample.weight, 0);
    return samples.map((sample) => ({ share: sample.weight / (weight || 1), plans: sample.plans }));
  }

  /** A sample that could not be planned is left out: the others stand for it. */
  #planned(entry: Entry): Entry['samples'] {
    return entry.samples.filter((sample) => sample.plans.length > 0);
  }

  #entry(statement: AdvisorStatement): Entry {
    let entry = this.#entries.get(statement);
    if (!entry) {
      entry = {
        relevant: new Set(),
        informing: new Set(),
        samples: statement.samples.map(({ id, weight }) => ({ id, weight, plans: [] })),
        refusal: null,
        error: null,
      };
      this.#entries.set(statement, entry);
    }
    return entry;
  }

  #write(entry: Entry, position: number, set: ReadonlySet<string>, answer: PlanCost): void {
    const sample = entry.samples[position];
    if (!sample) return;
    if (answer.cost === null) {
      entry.refusal = answer.error;
      return;
    }
    const used = new Set(answer.indexes);
    // The planner knows better than we what matters.
    for (const handle of used) if (this.#candidates.has(handle)) entry.relevant.add(handle);
    const on = both(set, entry.relevant);
    const needs = on.filter((handle) => used.has(handle) || entry.informing.has(handle));
    const { cost, early_end_risk, early_end_rest, indexes } = answer;
    const planner_cost = answer.planner_cost ?? cost;
    sample.plans.push({
      on: new Set(on),
      needs,
      cost,
      planner_cost,
      early_end_risk,
      early_end_rest,
      indexes,
    });
  }
}
