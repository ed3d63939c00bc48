/** One plan that the planner has shown, and which of several answers for a set of candidates. */

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
}

export const NOTHING: ReadonlySet<string> = new Set();
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
