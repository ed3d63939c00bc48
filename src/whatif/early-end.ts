/**
 * What a plan risks that counts on a LIMIT to end it early. The planner takes for granted that rows which pass a filter,
 * or find a partner, lie evenly in the order in which they are read: a Limit costs the share of its input that its rows
 * are of all (adjust_limit_rows_costs() of pathnode.c). At worst all others come first.
 */
import type { PlanNode } from './plan.ts';

/** Nodes that hand on rows as they come: of partitions any may be the one that is read in vain. */
const STREAMING: ReadonlySet<string> = new Set([
  'Append',
  'Gather Merge',
  'Incremental Sort',
  'Limit',
  'LockRows',
  'Merge Append',
  'Nested Loop',
  'Result',
  'Subquery Scan',
  'Unique',
]);
const ORDERED_SCANS: ReadonlySet<string> = new Set(['Index Scan', 'Index Only Scan']);

/** Planner cost units that the limited scans of a plan would cost more. */
export interface EarlyEndCosts {
  /** If the rows that are wanted came last. */
  risk: number;
  /** If those scans were read to their end. */
  rest: number;
}

const isScan = ({ 'Node Type': type = '' }: PlanNode) => ORDERED_SCANS.has(type);
const costOf = (node: PlanNode) => node['Total Cost'] ?? 0;

/** What a node reads in its order; the inner side of a loop is looked up anew for each row and has no order. */
function inputsOf({ 'Node Type': type = '', Plans: inputs = [] }: PlanNode): readonly PlanNode[] {
  if (!STREAMING.has(type)) return [];
  return type === 'Nested Loop' ? inputs.slice(0, 1) : inputs;
}

const readsInOrder = (node: PlanNode): boolean => isScan(node) || inputsOf(node).some(readsInOrder);

/** Scans that are read in order and filter, without anything in between that takes all their rows. */
const filteredScans = (node: PlanNode): PlanNode[] =>
  isScan(node) ? (node.Filter === undefined ? [] : [node]) : inputsOf(node).flatMap(filteredScans);

/** The scans of a plan that filter what a LIMIT ends: those whose share of rows that pass matters. */
export function limitedScans(node: PlanNode): PlanNode[] {
  const inputs = node.Plans ?? [];
  return node['Node Type'] === 'Limit' ? inputs.flatMap(filteredScans) : inputs.flatMap(limitedScans);
}

/**
 * The share of a node's cost that may be spent before its first row comes: of a scan of T rows of which P pass, (T − P)
 * ÷ T; of partitions, that of each; of a loop, its outer side's, and the rows of that that find no partner. With E the
 * node's cost and L that of its LIMIT for n rows, the worst is E × ((T − P) ÷ T + n ÷ T), which is (E − L) × (T − P) ÷ T
 * above L = E × n ÷ P.
 */
function inVain(node: PlanNode, passing: (scan: PlanNode) => number): number {
  if (isScan(node)) return node.Filter === undefined ? 0 : 1 - passing(node);
  const inputs = inputsOf(node);
  const spent = inputs.reduce((sum, input) => sum + inVain(input, passing) * costOf(input), 0);
  const below = costOf(node) > 0 ? Math.min(1, spent / costOf(node)) : 0;
  const [outer] = inputs;
  if (node['Node Type'] !== 'Nested Loop' || outer === undefined || !readsInOrder(outer)) return below;
  // Of a row with several partners only the mean is known: where there is one for each, none is taken to have none.
  const found = Math.min(1, (node['Plan Rows'] ?? 0) / Math.max(1, outer['Plan Rows'] ?? 0));
  return below + (1 - found) * (1 - below);
}

/** @param passing the share of a scan's rows that pass its filter; 0: not known. */
export function earlyEndOf(node: PlanNode, passing: (scan: PlanNode) => number): EarlyEndCosts {
  const inputs = node.Plans ?? [];
  const [limited] = inputs;
  if (node['Node Type'] === 'Limit' && limited !== undefined) {
    const share = inVain(limited, passing);
    if (share > 0) {
      const rest = Math.max(0, costOf(limited) - costOf(node));
      return { risk: share * rest, rest };
    }
  }
  const sum: EarlyEndCosts = { risk: 0, rest: 0 };
  for (const each of inputs.map((input) => earlyEndOf(input, passing))) {
    sum.risk += each.risk;
    sum.rest += each.rest;
  }
  return sum;
}
