/**
 * The plans of one statement that the planner has shown, and what follows from them without asking again. A plan is the
 * cheapest that the planner found under a set of candidates, so (INUM, Papadomanolakis et al. 2007, and its reuse in
 * CoPhy):
 * - it is the answer for every set between the candidates that it needs and those that it was chosen among;
 * - wherever those it needs exist, its cost is an upper bound;
 * - wherever no other than those it was chosen among exist, its cost is a lower bound.
 * The planner drops paths that are within 1 % of another's cost (STD_FUZZ_FACTOR of pathnode.c), so an answer that is
 * concluded may be off by as much.
 */
import type { PlanCost, PlannableStatement } from '../../../domain/index.ts';
import type { AdvisorStatement } from '../statement.ts';
import {
  answers,
  both,
  chargedOf,
  type KnownPlan,
  likedBest,
  lowerBound,
  meanOf,
  shownUnder,
} from './known-plan.ts';

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

interface Sample {
  weight: number;
  plans: WrittenPlan[];
}

/** How a candidate matters to a statement. */
export interface Matters {
  /** Its statistics change the statement's estimates even where no plan uses it. */
  informs: boolean;
  /** It was made for the statement, and not only for others on its table. */
  is_own: boolean;
}

export class StatementPlans {
  /** Why no sample could be planned, in the engine's words; null: one could, or none was asked about yet. */
  error: string | null = null;
  /** Of the candidates that can matter, those whose expressions' statistics change estimates whether or not a plan uses the index. */
  readonly #informing = new Set<string>();
  readonly #relevant = new Set<string>();
  /** Of the candidates that can matter, those that were made for the statement. */
  readonly #own = new Set<string>();
  /** The others. */
  readonly #borrowed = new Set<string>();
  readonly #samples: Sample[];
  /** Its plans are found by genetic search: none follows from others. */
  readonly #isByChance: boolean;
  /** The engine's words for the last sample that could not be planned. */
  #refusal: string | null = null;

  constructor({ samples, is_genetic }: AdvisorStatement) {
    this.#samples = samples.map(({ weight }) => ({ weight, plans: [] }));
    this.#isByChance = is_genetic === true;
  }

  /** Handles that can matter to the statement. */
  get relevant(): ReadonlySet<string> {
    return this.#relevant;
  }

  /**
   * What was shown of another's sample in this place, of which no call was taken to read on: all of the risk is known then,
   * and this one's `read_on` makes a part of it a cost (as `PlanCost` has it).
   */
  takeOver(
    place: number,
    from: StatementPlans,
    { read_on = 0, late_rows = 1 }: Pick<PlannableStatement, 'read_on' | 'late_rows'>,
  ): void {
    const shown = from.#samples[place]?.plans ?? [];
    const taken = shown.map((plan): WrittenPlan => {
      const { planner_cost, early_end_risk } = plan;
      const cost = planner_cost + (read_on * early_end_risk) / late_rows;
      return { ...plan, cost, early_end_risk: (1 - read_on) * early_end_risk };
    });
    this.#samples[place]?.plans.push(...taken);
  }

  /** As `PlanBook.register`. */
  register(handle: string, { informs, is_own }: Matters): void {
    this.#relevant.add(handle);
    if (informs) this.#informing.add(handle);
    if (is_own) this.#borrowed.delete(handle);
    // Once all count as its own, nothing is taken to do no better any more.
    if (is_own) this.#borrowed.delete(handle);
    (is_own ? this.#own : this.#borrowed).add(handle);
  }

  /** As `PlanBook.letLeave`. */
  letLeave(handle: string): void {
    this.#relevant.add(handle);
    for (const plan of this.#samples.flatMap(({ plans }) => plans)) {
      plan.on.add(handle);
      if (plan.indexes.includes(handle)) plan.needs.push(handle);
    }
  }

  /** Places of the samples whose plan is not known under the set; none where the statement cannot be planned. */
  unknown(set: ReadonlySet<string>, exactly: boolean): number[] {
    if (this.error !== null) return [];
    const there = both(set, this.#relevant);
    return this.#samples.flatMap(({ plans }, place) => {
      const plan = exactly && this.#isByChance ? shownUnder(plans, there) : answers(plans, set, there);
      return plan ? [] : [place];
    });
  }

  /** As `PlanBook.known`. */
  known(set: ReadonlySet<string>, exactly: boolean): StatementCost | null {
    const there = both(set, this.#relevant);
    return this.#weighted(({ plans }) => {
      const shown = this.#isByChance ? shownUnder(plans, there) : undefined;
      return shown ?? (this.#isByChance && exactly ? undefined : answers(plans, set, there));
    });
  }

  /** As `PlanBook.most`. */
  most(set: ReadonlySet<string>): StatementCost | null {
    return this.#weighted(({ plans }) => likedBest(plans, set));
  }

  /** Mean over the samples; null: one of them has no such plan. */
  #weighted(planOf: (sample: Sample) => WrittenPlan | undefined): StatementCost | null {
    if (this.error !== null) return null;
    let weight = 0;
    let sum = 0;
    let charged = 0;
    const indexes = new Set<string>();
    for (const sample of this.#planned()) {
      const plan = planOf(sample);
      if (!plan) return null;
      weight += sample.weight;
      sum += sample.weight * plan.cost;
      charged += sample.weight * chargedOf(plan);
      for (const name of plan.indexes) indexes.add(name);
    }
    return weight === 0 ? null : { cost: sum / weight, charged: charged / weight, indexes };
  }

  /** As `PlanBook.plan`. */
  plan(sample: number, set: ReadonlySet<string>): KnownPlan | null {
    return answers(this.#samples[sample]?.plans ?? [], set, both(set, this.#relevant)) ?? null;
  }

  /** As `PlanBook.lower`. */
  lower(set: ReadonlySet<string>): number {
    const there = both(set, this.#relevant);
    return meanOf(this.#planned(), ({ plans }) => lowerBound(plans, there, this.#borrowed));
  }

  /** As `PlanBook.isBoundProven`. */
  isBoundProven(set: ReadonlySet<string>): boolean {
    if (this.#borrowed.size === 0) return true;
    const there = both(set, this.#relevant);
    return this.#planned().every(
      ({ plans }) => lowerBound(plans, there, this.#borrowed) <= lowerBound(plans, there),
    );
  }

  /** As `PlanBook.couldSave`. */
  couldSave(now: ReadonlySet<string>, other: ReadonlySet<string>): number {
    const thereNow = both(now, this.#relevant);
    const there = both(other, this.#relevant);
    return meanOf(this.#planned(), ({ plans }) => {
      const plan = answers(plans, now, thereNow);
      if (!plan) return 0;
      const instead = answers(plans, other, there);
      if (instead) return chargedOf(plan) - chargedOf(instead);
      const least = lowerBound(plans, there, this.#borrowed);
      const stays = plan.planner_cost <= least && plan.needs.every((handle) => other.has(handle));
      return stays ? 0 : chargedOf(plan) - least;
    });
  }

  /**
   * As `PlanBook.isPassedOver`.
   * @param few handles among which one that is not used tells something: among all candidates a better one hides it.
   */
  isPassedOver(handle: string, set: ReadonlySet<string>, few: number): boolean {
    return this.#samples.every(({ plans }) => {
      let isOffered = false;
      for (const { on, needs } of plans) {
        if (needs.includes(handle)) return false;
        isOffered ||= on.has(handle) && on.size <= few && needs.every((one) => set.has(one));
      }
      return isOffered;
    });
  }

  /** All of them, for a model of what sets would cost. */
  all(): SamplePlans[] {
    const samples = this.#planned();
    const weight = samples.reduce((sum, sample) => sum + sample.weight, 0);
    return samples.map((sample) => ({ share: sample.weight / (weight || 1), plans: sample.plans }));
  }

  /** A sample that could not be planned is left out: the others stand for it. */
  #planned(): Sample[] {
    return this.#samples.filter(({ plans }) => plans.length > 0);
  }

  /**
   * Writes down what the planner answered for a sample under a set.
   * @param isCandidate whether an index of its plan is one that sets name.
   */
  learn(
    place: number,
    set: ReadonlySet<string>,
    answer: PlanCost,
    isCandidate: (handle: string) => boolean,
  ): void {
    const sample = this.#samples[place];
    if (!sample) return;
    if (answer.cost === null) {
      this.#refusal = answer.error;
      return;
    }
    const used = new Set(answer.indexes);
    // The planner knows better than we what matters.
    for (const handle of used) if (isCandidate(handle)) this.#relevant.add(handle);
    const on = both(set, this.#relevant);
    const { cost, early_end_risk, early_end_rest, indexes } = answer;
    sample.plans.push({
      on: new Set(on),
      needs: on.filter((handle) => used.has(handle) || this.#informing.has(handle)),
      cost,
      planner_cost: answer.planner_cost ?? cost,
      early_end_risk,
      early_end_rest,
      indexes,
      has_own: this.#own.size > 0 && [...this.#own].every((handle) => set.has(handle)),
    });
    if (this.#borrowed.size > 0 && on.length === this.#relevant.size) this.#takeAllForOwn();
  }

  /** Once each sample's plan with all candidates is known, nothing is taken for granted of others' any more. */
  #takeAllForOwn(): void {
    const isKnown = ({ plans }: Sample) => plans.some(({ on }) => on.size === this.#relevant.size);
    if (!this.#planned().every(isKnown)) return;
    for (const handle of this.#borrowed) this.#own.add(handle);
    this.#borrowed.clear();
  }

  /** After a question: a statement of which no sample could be planned is not asked about again. */
  giveUpIfRefused(): void {
    if (this.#samples.every(({ plans }) => plans.length === 0)) this.error ??= this.#refusal ?? 'no plan';
  }
}
