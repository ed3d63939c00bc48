/**
 * Whether knowing the rows, or other settings, change a plan for the better: the plan of now is asked for again with
 * those, by forbidding what only the new plan does, so that both costs are reckoned alike.
 */
import type { Configuration, IndexRow, PlannableStatement, WhatIf } from '../../domain/index.ts';

interface Plan {
  'Node Type': string;
  'Total Cost': number;
  'Relation Name'?: string;
  Alias?: string;
  'Index Name'?: string;
  'Join Type'?: string;
  Strategy?: string;
  Plans?: Plan[];
}

/** What a session forbids so that a node is not chosen. */
const SWITCHES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'Seq Scan': { enable_seqscan: 'off' },
  'Index Scan': { enable_indexscan: 'off' },
  'Index Only Scan': { enable_indexonlyscan: 'off' },
  'Bitmap Heap Scan': { enable_bitmapscan: 'off' },
  'Nested Loop': { enable_nestloop: 'off' },
  'Hash Join': { enable_hashjoin: 'off' },
  'Merge Join': { enable_mergejoin: 'off' },
  Sort: { enable_sort: 'off' },
  'Incremental Sort': { enable_incremental_sort: 'off' },
  Memoize: { enable_memoize: 'off' },
  Materialize: { enable_material: 'off' },
  'Aggregate Hashed': { enable_hashagg: 'off' },
  Gather: { max_parallel_workers_per_gather: '0' },
  'Gather Merge': { max_parallel_workers_per_gather: '0' },
};
/** Forbidden nodes that are used all the same cost so much more, up to 17 (disable_cost, costsize.c). */
const DISABLE_COST = 1e10;
/** Hash join, merge join, another index: more ways round are seldom. */
const MOST_STEPS = 5;

export interface BetterPlan {
  /** What the plan of now costs under the new configuration, and the one that is chosen then. */
  cost_before: number;
  cost_after: number;
  /** In words. */
  before: string;
  after: string;
}

/**
 * @param with_ what is different.
 * @returns null: the plan stays the same. `unknown`: it changes, but what the plan of now would cost could not be had.
 */
export async function betterPlan(
  whatIf: WhatIf,
  with_: Configuration,
  statement: PlannableStatement,
  indexes: readonly IndexRow[],
): Promise<BetterPlan | 'unknown' | null> {
  const now = rootOf(await whatIf.explain({ created: [], hidden: [] }, statement));
  const then = rootOf(await whatIf.explain(with_, statement));
  if (!now || !then || shapeOf(now) === shapeOf(then)) return null;
  const asNow = await planAgain(whatIf, with_, statement, { now, then, indexes });
  if (asNow === null) return 'unknown';
  return {
    cost_before: asNow['Total Cost'],
    cost_after: then['Total Cost'],
    before: shapeOf(now),
    after: shapeOf(then),
  };
}

/**
 * The plan of now under the new configuration: what the planner prefers to it is forbidden, step by step.
 * @returns null where it does not come back.
 */
async function planAgain(
  whatIf: WhatIf,
  configuration: Configuration,
  statement: PlannableStatement,
  { now, then, indexes }: { now: Plan; then: Plan; indexes: readonly IndexRow[] },
): Promise<Plan | null> {
  const used = new Set(nodesOf(now).map(wordOf));
  const indexesNow = new Set(nodesOf(now).map((node) => node['Index Name']));
  const settings: Record<string, string> = {};
  const hidden = new Set<string>();
  let preferred = then;
  for (let step = 0; step < MOST_STEPS; step += 1) {
    const forbidden = Object.keys(settings).length + hidden.size;
    for (const node of nodesOf(preferred)) {
      if (!used.has(wordOf(node))) Object.assign(settings, SWITCHES[wordOf(node)]);
      const name = node['Index Name'];
      if (name === undefined || indexesNow.has(name)) continue;
      for (const index of indexes) if (index.name === name) hidden.add(`${index.schema}.${name}`);
    }
    if (Object.keys(settings).length + hidden.size === forbidden) return null;
    const next = rootOf(
      await whatIf.explain(
        { ...configuration, hidden: [...hidden], settings: { ...configuration.settings, ...settings } },
        statement,
      ),
    );
    if (!next) return null;
    if (shapeOf(next) === shapeOf(now)) return next['Total Cost'] < DISABLE_COST ? next : null;
    preferred = next;
  }
  return null;
}

function rootOf(explained: unknown): Plan | null {
  const [first] = Array.isArray(explained) ? (explained as { Plan?: Plan }[]) : [];
  return first?.Plan ?? null;
}

function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

const wordOf = (node: Plan) =>
  node['Node Type'] === 'Aggregate' ? `Aggregate ${node.Strategy ?? ''}` : node['Node Type'];

/** What a plan does, without costs and rows. */
function shapeOf(plan: Plan): string {
  const relation = plan['Relation Name'] === undefined ? '' : ` ${plan.Alias ?? plan['Relation Name']}`;
  const index = plan['Index Name'] === undefined ? '' : ` by ${plan['Index Name']}`;
  const below = (plan.Plans ?? []).map(shapeOf).join(', ');
  return `${wordOf(plan)}${relation}${index}${below === '' ? '' : ` (${below})`}`;
}
