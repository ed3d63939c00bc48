/** A plan that the planner has shown: for which sets it is the answer, what it bounds, and what it is charged with. */

export interface KnownPlan {
  /** Candidates that were there, of those that can matter to the statement, and existing indexes that may leave. */
  on: ReadonlySet<string>;
  /** Those without which the plan would not have been. */
  needs: readonly string[];
  cost: number;
  /** PlanCost.planner_cost. */
  planner_cost: number;
  /** PlanCost.early_end_risk. */
  early_end_risk: number;
  /** PlanCost.early_end_rest. */
  early_end_rest: number;
  indexes: readonly string[];
  /** It was chosen among all candidates that were made for the statement, and there are some. */
  has_own: boolean;
}

export const NOTHING: ReadonlySet<string> = new Set();

/**
 * Share of the calls that are taken to find the rows of a LIMIT last. The planner never does: an index that serves the
 * order alone read 50 times the blocks of the whole table where the state that was asked for is rare and of the newest
 * (bench indexes-oltp). An index that has the filter's column, too, does not run that risk.
 */
export const UNLUCKY = 0.05;

/** What a plan is charged with: its cost, and what the planner does not see. */
export const chargedOf = ({ cost, early_end_risk }: Pick<KnownPlan, 'cost' | 'early_end_risk'>): number =>
  cost + UNLUCKY * early_end_risk;

/** What is in both: one of the two is often much smaller. */
export function both(a: ReadonlySet<string>, b: ReadonlySet<string>): string[] {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  return [...small].filter((one) => large.has(one));
}

/**
 * The plan that is the answer for a set, of those known.
 * @param there the set's candidates that can matter to the statement.
 */
export function answers<T extends KnownPlan>(
  plans: readonly T[],
  set: ReadonlySet<string>,
  there: readonly string[],
): T | undefined {
  return plans.find(
    ({ on, needs }) => needs.every((handle) => set.has(handle)) && there.every((handle) => on.has(handle)),
  );
}

/** The plan that was shown under this very set. */
export function shownUnder<T extends KnownPlan>(
  plans: readonly T[],
  there: readonly string[],
): T | undefined {
  return plans.find(({ on }) => on.size === there.length && there.every((handle) => on.has(handle)));
}

/** The plan that the planner likes best of those that have all they need: it takes that one or a better one. */
export function likedBest<T extends KnownPlan>(plans: readonly T[], set: ReadonlySet<string>): T | undefined {
  let best: T | undefined;
  for (const plan of plans) {
    if (best && best.planner_cost <= plan.planner_cost) continue;
    if (plan.needs.every((handle) => set.has(handle))) best = plan;
  }
  return best;
}

/**
 * What no plan of the planner's is cheaper than with these candidates or some of them.
 * @param borrowed candidates that were made for other statements: taken to do no better than all of the statement's own.
 */
export function lowerBound(
  plans: readonly KnownPlan[],
  there: readonly string[],
  borrowed: ReadonlySet<string> = NOTHING,
): number {
  let bound = 0;
  for (const { planner_cost, on, has_own } of plans) {
    if (planner_cost <= bound) continue;
    if (there.every((handle) => on.has(handle) || (has_own && borrowed.has(handle)))) bound = planner_cost;
  }
  return bound;
}

/** Weighted over the samples; 0 where there is none. */
export function meanOf<T extends { weight: number }>(
  samples: readonly T[],
  value: (sample: T) => number,
): number {
  let weight = 0;
  let sum = 0;
  for (const sample of samples) {
    weight += sample.weight;
    sum += sample.weight * value(sample);
  }
  return weight === 0 ? 0 : sum / weight;
}
