/**
 * What a plan risks that counts on a LIMIT to end it early. The planner takes for granted that rows which pass a filter,
 * or find a partner, lie evenly in the order in which they are read, be it an index's or the table's own: a Limit costs
 * the share of its input that its rows are of all (adjust_limit_rows_costs() of pathnode.c). At worst all others come
 * first.
 */
import type { PlanNode } from './plan.ts';

/** Nodes that hand on rows as they come: of partitions any may be the one that is read in vain. */
const STREAMING: ReadonlySet<string> = new Set([
  'Append',
  'Gather',
  'Gather Merge',
  'Hash Join',
  'Incremental Sort',
  'Limit',
  'LockRows',
  'Merge Append',
  'Merge Join',
  'Nested Loop',
  'Result',
  'Subquery Scan',
  'Unique',
]);
/** Joins that hand on rows as their outer side has them; the inner side is looked up, and has no order. */
const LOOKING_UP: ReadonlySet<string> = new Set(['Hash Join', 'Nested Loop']);
/** Those read in an index's order, and those in the table's own, which a LIMIT ends just the same. */
const SCANS: ReadonlySet<string> = new Set(['Bitmap Heap Scan', 'Index Only Scan', 'Index Scan', 'Seq Scan']);

const LOCKING: ReadonlySet<string> = new Set(['LockRows', 'ModifyTable']);

/** Planner cost units that the limited scans of a plan would cost more. */
export interface EarlyEndCosts {
  /** If the rows that are wanted came last. */
  risk: number;
  /** If those scans were read to their end. */
  rest: number;
}

/** How often a node is run, and which part of its rows is taken each time. */
interface Running {
  times: number;
  part: number;
}

const isScan = ({ 'Node Type': type = '' }: PlanNode) => SCANS.has(type);
const costOf = (node: PlanNode) => node['Total Cost'] ?? 0;
const isPlan = ({ 'Parent Relationship': relation }: PlanNode) =>
  relation === 'InitPlan' || relation === 'SubPlan';
const isLevelOfItsOwn = (node: PlanNode) => isPlan(node) || node['Node Type'] === 'Subquery Scan';
/** What rows come from; expressions' own plans stand among them. */
const sourcesOf = ({ Plans: inputs = [] }: PlanNode) => inputs.filter((input) => !isPlan(input));

/** What a node reads as it comes. */
function inputsOf(node: PlanNode): readonly PlanNode[] {
  const { 'Node Type': type = '' } = node;
  if (!STREAMING.has(type)) return [];
  const sources = sourcesOf(node);
  return LOOKING_UP.has(type) ? sources.slice(0, 1) : sources;
}

const streams = (node: PlanNode): boolean => isScan(node) || inputsOf(node).some(streams);

/** Scans that filter, without anything in between that takes all their rows. */
const filteredScans = (node: PlanNode): PlanNode[] =>
  isScan(node) ? (node.Filter === undefined ? [] : [node]) : inputsOf(node).flatMap(filteredScans);

/** The scans of a plan that filter what a LIMIT ends: those whose share of rows that pass matters. */
export function limitedScans(node: PlanNode): PlanNode[] {
  const own = node['Node Type'] === 'Limit' ? inputsOf(node).flatMap(filteredScans) : [];
  return [...new Set([...own, ...(node.Plans ?? []).flatMap(limitedScans)])];
}

/**
 * Scans whose rows are locked or written. Their filter repeats what the predicate of a partial index says already, for a
 * row that somebody changed meanwhile is checked again (is_target_rel in check_index_predicates() of indxpath.c).
 */
export function recheckedScans(node: PlanNode, isLocked = false): PlanNode[] {
  const { 'Node Type': type = '', Plans: inputs = [] } = node;
  const locks = isLocked || LOCKING.has(type);
  const own = locks && isScan(node) ? [node] : [];
  // What a subquery reads is locked by itself or not at all.
  return [...own, ...inputs.flatMap((input) => recheckedScans(input, locks && !isLevelOfItsOwn(input)))];
}

/**
 * The share of a node's cost that may be spent before its first row comes: of a scan of T rows of which P pass, (T − P)
 * ÷ T; of partitions, that of each; of a join, its outer side's, and the rows of that that find no partner. With E the
 * node's cost and L that of its LIMIT for n rows, the worst is E × ((T − P) ÷ T + n ÷ T), which is (E − L) × (T − P) ÷ T
 * above L = E × n ÷ P.
 */
function inVain(node: PlanNode, passing: (scan: PlanNode) => number): number {
  if (isScan(node)) return node.Filter === undefined ? 0 : 1 - passing(node);
  const inputs = inputsOf(node);
  const spent = inputs.reduce((sum, input) => sum + inVain(input, passing) * costOf(input), 0);
  const below = costOf(node) > 0 ? Math.min(1, spent / costOf(node)) : 0;
  const [outer] = inputs;
  if (!LOOKING_UP.has(node['Node Type'] ?? '') || outer === undefined || !streams(outer)) return below;
  // Of a row with several partners only the mean is known: where there is one for each, none is taken to have none.
  const found = Math.min(1, (node['Plan Rows'] ?? 0) / Math.max(1, outer['Plan Rows'] ?? 0));
  return below + (1 - found) * (1 - below);
}

/**
 * How often the inner side of a loop is run, by what it adds to the loop's cost: once for each outer row, less where
 * Memoize or Materialize keep what they had.
 */
function loops(loop: PlanNode, outer: PlanNode, inner: PlanNode): number {
  const added = (costOf(loop) - costOf(outer)) / Math.max(Number.MIN_VALUE, costOf(inner));
  return Math.min(Math.max(1, added), Math.max(1, outer['Plan Rows'] ?? 1));
}

/**
 * How often an expression's plan is run: for each row that the node hands on, or where its filter has it for each that it
 * looks at, by what that adds to the node's cost.
 */
function evaluations(node: PlanNode, plan: PlanNode): number {
  const { Filter: filter, 'Plan Rows': rows = 1 } = node;
  const name = plan['Subplan Name'];
  if (name === undefined || filter === undefined || !filter.includes(name)) return Math.max(1, rows);
  const sources = sourcesOf(node).reduce((sum, source) => sum + costOf(source), 0);
  return Math.max(1, (costOf(node) - sources) / Math.max(Number.MIN_VALUE, costOf(plan)));
}

/** How an input of a node that is run so is run itself. */
function runOf(node: PlanNode, input: PlanNode, { times, part }: Running): Running {
  const { 'Node Type': type = '' } = node;
  if (input['Parent Relationship'] === 'InitPlan') return { times: 1, part: 1 };
  if (isPlan(input)) return { times: times * Math.max(1, part * evaluations(node, input)), part: 1 };
  const [outer] = sourcesOf(node);
  if (type === 'Nested Loop' && outer !== undefined && input !== outer)
    return { times: times * Math.max(1, part * loops(node, outer, input)), part: 1 };
  if (!inputsOf(node).includes(input)) return { times, part: 1 };
  const share = type === 'Limit' && costOf(input) > 0 ? Math.min(1, costOf(node) / costOf(input)) : 1;
  return { times, part: part * share };
}

/** @param passing the share of a scan's rows that pass its filter; 0: not known. */
export function earlyEndOf(
  node: PlanNode,
  passing: (scan: PlanNode) => number,
  running: Running = { times: 1, part: 1 },
): EarlyEndCosts {
  const sum: EarlyEndCosts = { risk: 0, rest: 0 };
  const [limited] = inputsOf(node);
  if (node['Node Type'] === 'Limit' && limited !== undefined) {
    const share = inVain(limited, passing);
    const rest = Math.max(0, costOf(limited) - costOf(node));
    if (share > 0) {
      sum.risk += running.times * share * rest;
      sum.rest += running.times * rest;
    }
  }
  for (const input of node.Plans ?? []) {
    const { risk, rest } = earlyEndOf(input, passing, runOf(node, input, running));
    sum.risk += risk;
    sum.rest += rest;
  }
  return sum;
}
