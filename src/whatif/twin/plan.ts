/** EXPLAIN (FORMAT JSON) as far as it is looked into. */

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
export function indexNames(node: PlanNode): string[] {
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
