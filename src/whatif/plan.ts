/** EXPLAIN (FORMAT JSON) as far as it is looked into, and what is answered from it. */
import type { PlanCost, PlannableStatement } from '../domain/index.ts';
import { earlyEndOf } from './early-end.ts';

export interface PlanNode {
  'Node Type'?: string;
  'Parent Relationship'?: string;
  'Subplan Name'?: string;
  'Relation Name'?: string;
  Alias?: string;
  Filter?: string;
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
 * @param passing the share of an ordered scan's rows that pass its filter (FilterShares); 0: not known, the worst.
 */
export function costOf(
  statement: PlannableStatement,
  [planned]: readonly Plan[],
  nameOf: (name: string) => string,
  passing: (scan: PlanNode) => number,
): PlanCost {
  const root = planned?.Plan;
  if (root?.['Total Cost'] === undefined) return noCost(statement, 'a utility statement has no plan');
  const { risk, rest } = earlyEndOf(root, passing);
  const { read_on = 0, late_rows = 1 } = statement;
  return {
    statement_id: statement.id,
    cost: root['Total Cost'] + read_on * risk,
    planner_cost: root['Total Cost'],
    rows: root['Plan Rows'] ?? null,
    indexes: [...new Set(indexNames(root).map(nameOf))],
    early_end_risk: (1 - read_on) * late_rows * risk,
    early_end_rest: rest,
    error: null,
  };
}

/** The answer where there is no plan. */
export const noCost = (statement: PlannableStatement, error: string): PlanCost => ({
  statement_id: statement.id,
  cost: null,
  planner_cost: null,
  rows: null,
  indexes: [],
  early_end_risk: 0,
  early_end_rest: 0,
  error,
});
