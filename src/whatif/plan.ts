/** EXPLAIN (FORMAT JSON) as far as it is looked into, and what is answered from it. */
import type { PlanCost, PlannableStatement } from '../domain/index.ts';

export interface PlanNode {
  'Total Cost'?: number;
  'Plan Rows'?: number;
  'Index Name'?: string;
  Plans?: PlanNode[];
}

export interface Plan {
  Plan?: PlanNode;
}

/** Names of the indexes in a plan, as the plan has them. */
function indexNames(node: PlanNode): string[] {
  return [...(node['Index Name'] ? [node['Index Name']] : []), ...(node.Plans ?? []).flatMap(indexNames)];
}

/** A copy with indexes renamed. */
export function withIndexNames(plans: readonly Plan[], rename: (name: string) => string): Plan[] {
  const walk = (node: PlanNode): PlanNode => ({
    ...node,
    ...(node['Index Name'] === undefined ? {} : { 'Index Name': rename(node['Index Name']) }),
    ...(node.Plans === undefined ? {} : { Plans: node.Plans.map(walk) }),
  });
  return plans.map((plan) => (plan.Plan === undefined ? plan : { ...plan, Plan: walk(plan.Plan) }));
}

/**
 * The answer out of a plan.
 * @param nameOf what the plan calls an index, to its handle or `schema.name`.
 */
export function costOf(
  statement: PlannableStatement,
  [planned]: readonly Plan[],
  nameOf: (name: string) => string,
): PlanCost {
  const root = planned?.Plan;
  if (root?.['Total Cost'] === undefined) return noCost(statement, 'a utility statement has no plan');
  return {
    statement_id: statement.id,
    cost: root['Total Cost'],
    rows: root['Plan Rows'] ?? null,
    indexes: [...new Set(indexNames(root).map(nameOf))],
    error: null,
  };
}

/** The answer where there is no plan. */
export const noCost = (statement: PlannableStatement, error: string): PlanCost => ({
  statement_id: statement.id,
  cost: null,
  rows: null,
  indexes: [],
  error,
});
