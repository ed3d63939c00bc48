/** EXPLAIN (FORMAT JSON) of PostgreSQL 14 to 18, without ANALYZE, as a tree for people. */
import { z } from 'zod';
import { PgLuthierError, type PlanDetail, type PlanTree } from '../../domain/index.ts';

const text = z.string().optional();
const truth = z.boolean().optional();
const count = z.number().optional();
const keys = z.array(z.array(z.string())).optional();

const groupingSetSchema = z.looseObject({
  'Sort Key': z.array(z.string()).optional(),
  'Group Keys': keys,
  'Hash Keys': keys,
});

/** Properties with a meaning of their own; a node has others, which become details as they are. */
const nodeSchema = z.looseObject({
  'Node Type': z.string(),
  'Startup Cost': z.number(),
  'Total Cost': z.number(),
  'Plan Rows': z.number(),
  'Plan Width': z.number(),
  'Parent Relationship': text,
  'Subplan Name': text,
  Operation: text,
  Strategy: text,
  'Partial Mode': text,
  Command: text,
  'Join Type': text,
  Schema: text,
  'Relation Name': text,
  'Function Name': text,
  'Table Function Name': text,
  'CTE Name': text,
  'Tuplestore Name': text,
  'Custom Plan Provider': text,
  Alias: text,
  'Index Name': text,
  'Scan Direction': text,
  'Parallel Aware': truth,
  'Async Capable': truth,
  Disabled: truth,
  'Single Copy': truth,
  'Workers Planned': count,
  'Subplans Removed': count,
  'Planned Partitions': count,
  'Sampling Method': text,
  'Sampling Parameters': z.array(z.string()).optional(),
  'Repeatable Seed': text,
  'Target Tables': z.array(z.looseObject({ 'Relation Name': text, Alias: text })).optional(),
  'Grouping Sets': z.array(groupingSetSchema).optional(),
  Output: z.unknown().optional(),
  get Plans(): z.ZodOptional<z.ZodArray<typeof nodeSchema>> {
    return z.array(nodeSchema).optional();
  },
});
type ExplainNode = z.infer<typeof nodeSchema>;

const planSchema = z.looseObject({ Plan: nodeSchema });
const explainSchema = z.union([z.tuple([planSchema], z.unknown()), planSchema]);
const OWN = new Set<string>(Object.keys(nodeSchema.shape));

export interface ReduceOptions {
  /** What an index of the plan is called for people: a candidate's handle is none of theirs. */
  indexName?: (name: string) => string;
  /** Schema of a relation, by its name and the plan's alias: EXPLAIN says it with VERBOSE only. Null: not known. */
  schemaOf?: (relation: string, alias: string) => string | null;
}

/**
 * The tree. Unknown types of nodes are kept by their name, unknown properties as details where they are texts.
 * @param explain what EXPLAIN (FORMAT JSON) gave for one statement.
 * @throws PgLuthierError `plan_unreadable` for anything else; the message holds nothing out of the plan.
 */
export function reducePlan(explain: unknown, options: ReduceOptions = {}): PlanTree {
  const parsed = explainSchema.safeParse(explain);
  if (!parsed.success) {
    throw new PgLuthierError({
      code: 'plan_unreadable',
      status: 422,
      message: 'This is no EXPLAIN (FORMAT JSON) of one statement with costs.',
      remedy: 'Utility statements have no plan; COSTS OFF leaves out what is compared.',
      cause: parsed.error,
    });
  }
  const plan = Array.isArray(parsed.data) ? parsed.data[0] : parsed.data;
  return reduceNode(plan.Plan, options);
}

function reduceNode(node: ExplainNode, options: ReduceOptions): PlanTree {
  const relation = node['Relation Name'];
  const source =
    node['Function Name'] ??
    node['Table Function Name'] ??
    node['CTE Name'] ??
    node['Tuplestore Name'] ??
    node['Custom Plan Provider'];
  const alias = node.Alias;
  const schema =
    node.Schema ?? (relation === undefined ? undefined : options.schemaOf?.(relation, alias ?? relation));
  const index = node['Index Name'];
  return {
    node_type: node['Node Type'],
    ...given('relationship', node['Parent Relationship']),
    ...given('subplan_name', node['Subplan Name']),
    ...given('operation', node.Operation),
    ...given('strategy', node.Strategy),
    ...given('partial_mode', node['Partial Mode'] === 'Simple' ? undefined : node['Partial Mode']),
    ...given('command', node.Command),
    ...given('join_type', node['Join Type']),
    ...given('schema', schema ?? undefined),
    ...given('relation', relation),
    ...given('source', source),
    ...given('alias', alias === (relation ?? source) ? undefined : alias),
    ...given('index', index === undefined ? undefined : (options.indexName?.(index) ?? index)),
    ...given('scan_direction', directionOf(node)),
    ...given('parallel', node['Parallel Aware'] || undefined),
    ...given('asynchronous', node['Async Capable'] || undefined),
    ...given('disabled', node.Disabled || undefined),
    ...given('workers_planned', node['Workers Planned']),
    ...given('subplans_removed', node['Subplans Removed']),
    ...given('targets', targetsOf(node)),
    startup_cost: node['Startup Cost'],
    total_cost: node['Total Cost'],
    rows: node['Plan Rows'],
    width: node['Plan Width'],
    details: detailsOf(node),
    children: (node.Plans ?? []).map((child) => reduceNode(child, options)),
  };
}

/** The property, or none: what does not apply is absent in the tree. */
function given<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]?: V });
}

function directionOf(node: ExplainNode): PlanTree['scan_direction'] {
  if (node['Scan Direction'] === 'Backward') return 'backward';
  return node['Scan Direction'] === 'NoMovement' ? 'no movement' : undefined;
}

function targetsOf(node: ExplainNode): PlanTree['targets'] {
  return node['Target Tables']?.map((target) => {
    const relation = target['Relation Name'] ?? '';
    return { relation, ...given('alias', target.Alias === relation ? undefined : target.Alias) };
  });
}

/** In EXPLAIN's order, which is the order of the properties. */
function detailsOf(node: ExplainNode): PlanDetail[] {
  const details: PlanDetail[] = [];
  if (node['Sampling Method'] !== undefined) {
    const seed = node['Repeatable Seed'] === undefined ? '' : ` REPEATABLE (${node['Repeatable Seed']})`;
    const parameters = (node['Sampling Parameters'] ?? []).join(', ');
    details.push({ name: 'Sampling', text: `${node['Sampling Method']} (${parameters})${seed}` });
  }
  for (const set of node['Grouping Sets'] ?? []) details.push(...groupingSet(set));
  for (const [name, value] of Object.entries(node)) {
    if (OWN.has(name)) continue;
    if (typeof value === 'string') details.push({ name, text: value });
    else if (Array.isArray(value) && value.every((item) => typeof item === 'string'))
      details.push({ name, text: value.join(', ') });
  }
  if (node['Planned Partitions'])
    details.push({ name: 'Planned Partitions', text: String(node['Planned Partitions']) });
  if (node['Single Copy']) details.push({ name: 'Single Copy', text: 'true' });
  return details;
}

function groupingSet(set: z.infer<typeof groupingSetSchema>): PlanDetail[] {
  const line = (name: string) => (columns: string[]) => ({ name, text: columns.join(', ') || '()' });
  return [
    ...(set['Sort Key'] ? [{ name: 'Sort Key', text: set['Sort Key'].join(', ') }] : []),
    ...(set['Hash Keys'] ?? []).map(line('Hash Key')),
    ...(set['Group Keys'] ?? []).map(line('Group Key')),
  ];
}
