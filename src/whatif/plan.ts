/** EXPLAIN (FORMAT JSON) as far as it is looked into, and what is answered from it. */
import type { PlanCost, PlannableStatement } from '../domain/index.ts';

export interface PlanNode {
  'Node Type'?: string;
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

/** Nodes that hand on rows as they come: of partitions any may be the one that is read to its end. */
const STREAMING: ReadonlySet<string> = new Set([
  'Append',
  'Gather Merge',
  'Limit',
  'LockRows',
  'Merge Append',
  'Nested Loop',
  'Result',
  'Subquery Scan',
  'Unique',
]);
const ORDERED_SCANS: ReadonlySet<string> = new Set(['Index Scan', 'Index Only Scan']);

/** Whether rows are read in an index's order and filtered, without anything in between that takes them all. */
function filtersInOrder(node: PlanNode | undefined): boolean {
  const type = node?.['Node Type'] ?? '';
  if (ORDERED_SCANS.has(type)) return node?.Filter !== undefined;
  // The inner side of a loop is looked up anew for each row: it is not what the order is read from.
  const inputs = type === 'Nested Loop' ? node?.Plans?.slice(0, 1) : node?.Plans;
  return STREAMING.has(type) && (inputs ?? []).some(filtersInOrder);
}

/** What the limited scans would cost more if they were read to their end. */
function earlyEndRisk(node: PlanNode): number {
  const inputs = node.Plans ?? [];
  const [limited] = inputs;
  if (node['Node Type'] === 'Limit' && filtersInOrder(limited)) {
    return Math.max(0, (limited?.['Total Cost'] ?? 0) - (node['Total Cost'] ?? 0));
  }
  return inputs.reduce((sum, input) => sum + earlyEndRisk(input), 0);
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
  const risk = earlyEndRisk(root);
  const { read_on = 0, late_rows = 1 } = statement;
  return {
    statement_id: statement.id,
    cost: root['Total Cost'] + read_on * risk,
    rows: root['Plan Rows'] ?? null,
    indexes: [...new Set(indexNames(root).map(nameOf))],
    early_end_risk: (1 - read_on) * late_rows * risk,
    error: null,
  };
}

/** The answer where there is no plan. */
export const noCost = (statement: PlannableStatement, error: string): PlanCost => ({
  statement_id: statement.id,
  cost: null,
  rows: null,
  indexes: [],
  early_end_risk: 0,
  error,
});
