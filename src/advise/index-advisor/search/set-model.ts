/**
 * What a set of candidates would cost by the plans known so far: each sample takes the plan that the planner likes best
 * of those that have all they need, and is charged with the risk that the planner does not see. Plan costs are never too
 * low and exact where the planner was asked; a set is evaluated in microseconds, so that the search among sets needs the
 * planner only to confirm and to show new plans. A set may cost a sample more than one without some of its members: an
 * index that is there for another statement may lure a LIMIT.
 */
import type { AdvisorStatement } from '../statement.ts';
import { chargedOf } from './known-plan.ts';
import type { PlanBook } from './plan-book.ts';

/** A candidate, or an existing index that may leave, as the search weighs it. */
export interface Weighed {
  handle: string;
  table_oid: number;
  /** Bytes that it takes of the budget: 0 for what exists. */
  size_bytes: number;
  /** Planner cost units that it takes whatever it saves: writes, and what any index must earn. */
  charge: number;
  /** Of an existing index: which of the others do all that it does. It leaves only where one of them is. */
  superseded_by?: readonly string[];
}

/** What sets must keep to. */
export interface SetRules {
  /** Share by which a statement's sample may cost more than now because an existing index leaves. */
  max_regression: number;
  /** Candidates that a table may still get, by its OID; absent: any number. */
  room_on_table?: ReadonlyMap<number, number>;
}

/** What must not be costs so many times all that the workload and the indexes cost: enough, and sums stay exact beside it. */
const NEVER_TIMES = 1024;

/** A plan of a sample: costs × calls × share, and the candidates that it needs. */
interface Choice {
  /** By the planner, which takes the cheapest that it can have. */
  planned: number;
  /** What is charged where it takes this one: with what the planner does not see. */
  cost: number;
  needs: number[];
}

interface ModelSample {
  /** In the planner's order, the one that it likes best first; the last needs nothing. */
  plans: readonly Choice[];
}

/** All plans of all samples one after the other: what the search reads millions of times. */
interface FlatPlans {
  /** Of each sample, its first plan; one more entry for the end. */
  plans: Int32Array;
  costs: Float64Array;
  /** Of each plan, its first need; one more entry for the end. */
  needs: Int32Array;
  needed: Int32Array;
}

const byNumber = (a: number, b: number) => a - b;
const byPlanner = (a: Choice, b: Choice) => a.planned - b.planned || a.cost - b.cost;

export class SetModel {
  /** Costs of samples that were told, each of which would have been a question to the planner. */
  answered = 0;
  readonly candidates: readonly Weighed[];
  /** Sets that some plan needs, each once, ascending by size: the moves of the search. */
  readonly bundles: readonly (readonly number[])[];
  readonly samples: readonly ModelSample[];
  /** Samples with a plan that needs the candidate. */
  readonly samplesOf: readonly (readonly number[])[];
  /** Candidates that must not be together with this one. */
  readonly rivals: readonly (readonly number[])[];
  /** Existing indexes: where every search begins. */
  readonly present: readonly number[];
  /** A set of this value or more must not be: a statement would get dearer than it may, or an index leave for nothing. */
  readonly never: number;
  /** Candidates that each one's table may get in all; absent: any number. */
  readonly #room: ReadonlyMap<number, number>;
  readonly #neighbours = new Map<number, readonly number[]>();
  readonly #bundlesNear = new Map<number, Int32Array>();
  /** Places of the bundles that have the candidate. */
  readonly #bundlesWith: readonly (readonly number[])[];
  readonly #flat: FlatPlans;
  #changes = 0;

  constructor(
    statements: readonly AdvisorStatement[],
    candidates: readonly Weighed[],
    rivals: ReadonlyMap<number, ReadonlySet<number>>,
    book: PlanBook,
    rules: SetRules,
  ) {
    this.candidates = candidates;
    this.#room = rules.room_on_table ?? new Map();
    this.present = candidates.flatMap(({ superseded_by }, position) => (superseded_by ? [position] : []));
    const isPresent = new Set(this.present);
    const place = new Map(candidates.map(({ handle }, position) => [handle, position]));
    const bundles = new Map<string, number[]>();
    const choices: { best: Map<string, Choice>; today: Choice }[] = [];
    for (const statement of statements) {
      for (const { share, plans } of book.plans(statement)) {
        const best = new Map<string, Choice>();
        for (const plan of plans) {
          const needs = plan.needs.map((handle) => place.get(handle) ?? -1).sort(byNumber);
          // Something that is no contender any more.
          if (needs[0] === -1) continue;
          const key = needs.join(' ');
          const times = share * statement.query.calls;
          const planned = plan.planner_cost * times;
          const cost = chargedOf(plan) * times;
          const known = best.get(key);
          const choice = { planned, cost, needs };
          if (!known || byPlanner(choice, known) < 0) best.set(key, choice);
        }
        const [today] = [...best.values()]
          .filter(({ needs }) => needs.every((one) => isPresent.has(one)))
          .sort(byPlanner);
        if (today) choices.push({ best, today });
      }
    }
    const charges = candidates.reduce((sum, { charge }) => sum + charge, 0);
    const never = NEVER_TIMES * (1 + charges + choices.reduce((sum, { today }) => sum + today.cost, 0));
    this.never = never;
    const samples: ModelSample[] = [];
    for (const { best, today } of choices) {
      const none = best.get('') ?? { planned: Number.POSITIVE_INFINITY, cost: never, needs: [] };
      // Without all that is there today nothing may get much dearer; what nobody has shown is taken for worst. A plan
      // that the planner likes better than today's comes because of what joins, not of what leaves: it is charged.
      const most = (1 + rules.max_regression) * today.cost;
      const plans = [...best.values()].filter((plan) => plan !== none && plan.planned < none.planned);
      for (const plan of [...plans, none])
        if (plan.planned > today.planned && plan.cost > most) plan.cost = never;
      plans.sort(byPlanner).push(none);
      while (plans.at(-2)?.cost === none.cost) plans.splice(-2, 1);
      if (plans.length === 1) continue;
      samples.push({ plans });
      for (const needs of usefulOf(plans)) bundles.set(needs.join(' '), needs);
    }
    for (const one of this.present) {
      const others = (candidates[one]?.superseded_by ?? []).flatMap((handle) => place.get(handle) ?? []);
      const free = [one, ...others].map((each) => ({ planned: 0, cost: 0, needs: [each] }));
      samples.push({ plans: [...free, { planned: never, cost: never, needs: [] }] });
    }
    this.samples = samples;
    this.#flat = flatten(samples);
    this.bundles = [...bundles.values()].sort((a, b) => a.length - b.length);
    const samplesOf = candidates.map(() => new Set<number>());
    samples.forEach((sample, position) => {
      for (const { needs } of sample.plans) for (const one of needs) samplesOf[one]?.add(position);
    });
    this.samplesOf = samplesOf.map((set) => [...set]);
    this.rivals = candidates.map((_, position) => [...(rivals.get(position) ?? [])]);
    const bundlesWith: number[][] = candidates.map(() => []);
    for (const [position, needs] of this.bundles.entries()) {
      for (const one of needs) bundlesWith[one]?.push(position);
    }
    this.#bundlesWith = bundlesWith;
  }

  /** What a sample costs where these are there: by the plan that the planner takes of those that have all they need. */
  costOf(sample: number, has: Uint8Array): number {
    this.answered += 1;
    const { plans, costs, needs, needed } = this.#flat;
    const end = plans[sample + 1] ?? 0;
    for (let plan = plans[sample] ?? 0; plan < end; plan += 1) {
      const last = needs[plan + 1] ?? 0;
      let need = needs[plan] ?? 0;
      while (need < last && has[needed[need] ?? 0] === 1) need += 1;
      if (need === last) return costs[plan] ?? 0;
    }
    return 0;
  }

  /** Whether one of their tables has more indexes than it may. */
  isCrowded(has: Uint8Array, joined: readonly number[]): boolean {
    if (this.#room.size === 0) return false;
    return joined.some((one) => {
      const oid = this.candidates[one]?.table_oid ?? 0;
      const room = this.#room.get(oid);
      if (room === undefined) return false;
      let count = 0;
      for (const [position, candidate] of this.candidates.entries()) {
        if (candidate.table_oid !== oid) continue;
        // An existing index that leaves makes room for another.
        count += (has[position] ?? 0) - (candidate.superseded_by ? 1 : 0);
      }
      return count > room;
    });
  }

  /** Candidates that some sample could be planned with instead of this one, or with it. */
  neighbours(one: number): readonly number[] {
    let known = this.#neighbours.get(one);
    if (!known) {
      const samples = (this.samplesOf[one] ?? []).flatMap((place) => this.samples[place] ?? []);
      known = [...new Set(samples.flatMap((sample) => sample.plans.flatMap((plan) => plan.needs)))];
      this.#neighbours.set(one, known);
    }
    return known;
  }

  /** A number for a change of a set, never given before. */
  nextChange(): number {
    this.#changes += 1;
    return this.#changes;
  }

  /** Places of the bundles to which it matters whether this one is there. */
  bundlesNear(one: number): Int32Array {
    let known = this.#bundlesNear.get(one);
    if (!known) {
      const near = new Set([one, ...this.neighbours(one), ...(this.rivals[one] ?? [])]);
      known = Int32Array.from(new Set([...near].flatMap((other) => this.#bundlesWith[other] ?? [])));
      this.#bundlesNear.set(one, known);
    }
    return known;
  }
}

/**
 * Sets that are worth joining for a sample: of each plan that costs less than one which the planner takes without it;
 * and where a plan lures, with the cheapest that the planner likes better, for neither may pay without the other.
 * @param plans in the planner's order.
 */
function usefulOf(plans: readonly Choice[]): number[][] {
  const useful: number[][] = [];
  let worst = Number.NEGATIVE_INFINITY;
  for (const [place, plan] of [...plans.entries()].reverse()) {
    if (plan.cost < worst) useful.push(plan.needs);
    else if (plan.cost > worst && place < plans.length - 1) {
      const safe = plans
        .slice(0, place)
        .reduce<Choice | null>((a, b) => (a && a.cost <= b.cost ? a : b), null);
      if (safe && safe.cost < worst) useful.push([...new Set([...plan.needs, ...safe.needs])].sort(byNumber));
    }
    worst = Math.max(worst, plan.cost);
  }
  return useful.reverse();
}

function flatten(samples: readonly ModelSample[]): FlatPlans {
  const all = samples.flatMap((sample) => sample.plans);
  const needed = all.flatMap((plan) => plan.needs);
  return {
    plans: ends(samples.map((sample) => sample.plans.length)),
    costs: Float64Array.from(all, (plan) => plan.cost),
    needs: ends(all.map((plan) => plan.needs.length)),
    needed: Int32Array.from(needed),
  };
}

/** Where each begins, and where the last ends. */
function ends(lengths: readonly number[]): Int32Array {
  const starts = new Int32Array(lengths.length + 1);
  for (const [position, length] of lengths.entries()) starts[position + 1] = (starts[position] ?? 0) + length;
  return starts;
}
