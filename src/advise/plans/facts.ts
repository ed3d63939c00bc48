/** What a person looks for in a plan: how each relation is read, joins, sorts, aggregates, parallel work. */
import { type PlanTree, planNodeName } from '../../domain/index.ts';

/** How one relation is read, in all places where the plan reads it under one name; partitions of a table together. */
export interface Access {
  /** The plan's name for it; of partitions the table's. */
  key: string;
  /** For people: the relation, its schema unless that is public, its alias where that differs. */
  label: string;
  relation: string;
  /** Its partitions (or children by inheritance) are read, each by a scan of its own. */
  partitioned: boolean;
  /** Scans of it. */
  parts: number;
  /** E.g. `Index Scan using orders_pkey`, with how often. */
  methods: Map<string, number>;
  /** The same without names of indexes: the partitions of a table have differently named ones. */
  kinds: Map<string, number>;
  /** Index Cond, Filter and the like; null for partitions, each of which has its own. */
  conditions: Map<string, string> | null;
  /** Rows that its conditions leave; null where the figure is one of a loop or of a worker. */
  rows: number | null;
}

export interface Join {
  /** Keys of what is joined, in a fixed order. */
  id: string;
  label: string;
  /** E.g. `Hash Left Join (inner: orders)`. */
  method: string;
}

export interface PlanFacts {
  accesses: Map<string, Access>;
  joins: Join[];
  /** E.g. `(customers ⋈ orders) ⋈ lines`, the outer side first; null: nothing is joined. */
  join_order: string | null;
  /** Sort keys, with a word for each node that sorts by them. */
  sorts: Map<string, string[]>;
  /** Keys of groups, with a word for each node that makes them; partial aggregates are part of their final one. */
  aggregates: Map<string, string[]>;
  /** One word a Gather. */
  gathers: string[];
  /** All other nodes by their names. */
  others: Map<string, number>;
}

interface Place {
  /** The node runs once for each row of something else. */
  repeated: boolean;
  /** Several processes share its rows. */
  shared: boolean;
  /** Tables of which the partitions below are. */
  tables: ReadonlySet<string>;
}

const APPENDS: ReadonlySet<string> = new Set(['Append', 'Merge Append']);
const GATHERS: ReadonlySet<string> = new Set(['Gather', 'Gather Merge']);
const GROUPS: ReadonlySet<string> = new Set(['Aggregate', 'Group', 'Unique', 'SetOp']);
/** They only serve the node above them, and come and go with it. */
const IMPLIED: ReadonlySet<string> = new Set(['Hash', 'Bitmap Index Scan', 'BitmapAnd', 'BitmapOr']);

export function planFacts(tree: PlanTree): PlanFacts {
  const facts: PlanFacts = {
    accesses: new Map(),
    joins: [],
    join_order: null,
    sorts: new Map(),
    aggregates: new Map(),
    gathers: [],
    others: new Map(),
  };
  const { order } = visit(tree, { repeated: false, shared: false, tables: new Set() }, facts);
  facts.join_order = order?.includes(JOINED) ? order : null;
  return facts;
}

const JOINED = ' ⋈ ';

/** What is read below a node; what its InitPlans and SubPlans read is not part of it. */
interface Below {
  /** Keys of accesses, with their labels. */
  read: Map<string, string>;
  order: string | null;
}

function visit(node: PlanTree, above: Place, facts: PlanFacts): Below {
  const place = APPENDS.has(node.node_type)
    ? { ...above, tables: new Set([...above.tables, ...partitionedTables(node)]) }
    : above;
  const read = new Map<string, string>();
  const inputs: (Below & { side: string })[] = [];
  let order: string | null = null;
  if (isAccess(node)) {
    const access = takeAccess(node, place, facts.accesses);
    read.set(access.key, access.label);
    order = access.key;
  }
  for (const child of node.children) {
    const side = child.relationship ?? '';
    const below = visit(child, placeOf(child, node, place), facts);
    if (side === 'InitPlan' || side === 'SubPlan') continue;
    for (const [key, label] of below.read) read.set(key, label);
    inputs.push({ ...below, side });
  }
  if (node.join_type === undefined) {
    takeNode(node, facts);
    // Of an Append one input stands for all.
    return { read, order: order ?? inputs[0]?.order ?? null };
  }
  facts.joins.push(joinOf(node, read, inputs.find(({ side }) => side === 'Inner')?.read ?? new Map()));
  const names = inputs.map((input) => input.order ?? 'rows');
  return { read, order: names.map((name) => (name.includes(JOINED) ? `(${name})` : name)).join(JOINED) };
}

function placeOf(child: PlanTree, parent: PlanTree, place: Place): Place {
  const inLoop = parent.node_type === 'Nested Loop' && child.relationship === 'Inner';
  return {
    ...place,
    repeated: place.repeated || inLoop || child.relationship === 'SubPlan',
    shared: place.shared || GATHERS.has(parent.node_type),
  };
}

function takeNode(node: PlanTree, facts: PlanFacts): void {
  const { node_type } = node;
  if (node_type === 'Sort' || node_type === 'Incremental Sort') {
    const presorted = detail(node, 'Presorted Key');
    push(
      facts.sorts,
      detail(node, 'Sort Key') ?? '',
      presorted === null ? node_type : `${node_type} (presorted: ${presorted})`,
    );
  } else if (GROUPS.has(node_type)) {
    if (node.partial_mode === 'Partial') return;
    const keys = node.details.filter(({ name }) => name === 'Group Key' || name === 'Hash Key');
    const { partial_mode: _, ...whole } = node;
    push(facts.aggregates, keys.map(({ text }) => text).join('; '), planNodeName(whole));
  } else if (GATHERS.has(node_type)) {
    const workers = node.workers_planned ?? 0;
    facts.gathers.push(`${node_type}, ${workers} worker${workers === 1 ? '' : 's'}`);
  } else if (!isAccess(node) && !IMPLIED.has(node_type)) {
    const name = planNodeName({ ...node, parallel: false });
    facts.others.set(name, (facts.others.get(name) ?? 0) + 1);
  }
}

function isAccess({ node_type }: PlanTree): boolean {
  return node_type.endsWith('Scan') && node_type !== 'Bitmap Index Scan' && node_type !== 'Subquery Scan';
}

function takeAccess(node: PlanTree, place: Place, accesses: Map<string, Access>): Access {
  const own = nameIn(node);
  const base = partitionBase(own);
  const table = base !== null && place.tables.has(base) ? base : null;
  const key = table ?? own;
  const kind = `${planNodeName(node)}${node.scan_direction === 'backward' ? ' Backward' : ''}`;
  const indexes = indexesOf(node);
  const method = indexes.length === 0 ? kind : `${kind} using ${indexes.join(', ')}`;
  const rows = place.repeated || place.shared ? null : node.rows;
  const known = accesses.get(key);
  if (known) {
    known.parts += 1;
    known.rows = known.rows === null || rows === null ? null : known.rows + rows;
    known.conditions = null;
    count(known.methods, method);
    count(known.kinds, kind);
    return known;
  }
  const access: Access = {
    key,
    label: table === null ? labelOf(node) : table,
    relation: table ?? node.relation ?? node.source ?? own,
    partitioned: table !== null,
    parts: 1,
    methods: new Map([[method, 1]]),
    kinds: new Map([[kind, 1]]),
    conditions: conditionsOf(node),
    rows,
  };
  accesses.set(key, access);
  return access;
}

const nameIn = (node: PlanTree) => node.alias ?? node.relation ?? node.source ?? node.node_type;

function labelOf(node: PlanTree): string {
  const read = node.relation ?? node.source;
  if (read === undefined) return node.alias ?? node.node_type;
  const name = node.schema === undefined || node.schema === 'public' ? read : `${node.schema}.${read}`;
  return node.alias === undefined ? name : `${name} ${node.alias}`;
}

/** The index of a scan, or those under a bitmap, in the plan's order. */
function indexesOf(node: PlanTree): string[] {
  if (node.index !== undefined) return [node.index];
  if (node.node_type !== 'Bitmap Heap Scan') return [];
  const bitmaps = (below: PlanTree): string[] => [
    ...(below.index === undefined ? [] : [below.index]),
    ...below.children.flatMap(bitmaps),
  ];
  return [...new Set(node.children.flatMap(bitmaps))];
}

function conditionsOf(node: PlanTree): Map<string, string> {
  const found = new Map<string, string>();
  const take = (below: PlanTree) => {
    for (const { name, text } of below.details) {
      const before = found.get(name);
      found.set(name, before === undefined ? text : `${before}; ${text}`);
    }
    for (const child of below.children) if (IMPLIED.has(child.node_type)) take(child);
  };
  take(node);
  // It repeats the conditions of the bitmaps.
  found.delete('Recheck Cond');
  return found;
}

/**
 * PostgreSQL calls the partitions of `orders` in a plan `orders_1`, `orders_2`, … whatever they are called themselves
 * (set_rtable_names of ruleutils.c). Two scans of one relation under such names are a table read twice, not partitions.
 */
function partitionedTables(append: PlanTree): string[] {
  const relations = new Map<string, string[]>();
  const look = (node: PlanTree) => {
    if (isAccess(node) && node.relation !== undefined) {
      const base = partitionBase(nameIn(node));
      if (base !== null) push(relations, base, `${node.schema ?? ''}.${node.relation}`);
    }
    node.children.forEach(look);
  };
  append.children.forEach(look);
  return [...relations]
    .filter(([, names]) => names.length > 1 && new Set(names).size === names.length)
    .map(([base]) => base);
}

/** `orders` of `orders_12`; null: it does not end so. */
function partitionBase(name: string): string | null {
  const at = name.lastIndexOf('_');
  const end = name.slice(at + 1);
  return at > 0 && end !== '' && [...end].every((digit) => digit >= '0' && digit <= '9')
    ? name.slice(0, at)
    : null;
}

/** Names of a side that are written out. */
const NAMES = 4;

function joinOf(node: PlanTree, read: Map<string, string>, inner: Map<string, string>): Join {
  const names = (side: Map<string, string>) => {
    const all = [...side.keys()].sort();
    return all.length <= NAMES
      ? all.join(', ')
      : `${all.slice(0, NAMES).join(', ')} and ${all.length - NAMES} more`;
  };
  const side = inner.size === 0 ? '' : ` (inner: ${names(inner)})`;
  return {
    id: JSON.stringify([...read.keys()].sort()),
    label: names(read),
    method: `${planNodeName({ ...node, parallel: false })}${side}`,
  };
}

function detail(node: PlanTree, name: string): string | null {
  return node.details.find((item) => item.name === name)?.text ?? null;
}

function push(map: Map<string, string[]>, key: string, value: string): void {
  const known = map.get(key);
  if (known) known.push(value);
  else map.set(key, [value]);
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}
