/**
 * work_mem with which a statement that spilled would not, by the kind of node that spilled. Measured on 14 to 18 for
 * rows of 8 to 1,300 bytes by `npm run bench -- spills`; the sizes are those of PostgreSQL's source.
 */
import type { PlanTree, RuleContext, WorkloadQuery } from '../../domain/index.ts';
import { spillsByRole, spillsOf } from './spills.ts';
import { aboutMemory, formatMemory, MB } from './units.ts';
import { plansOfNow } from './what-if.ts';

/**
 * Memory for a byte in temporary files where the kind of node is not known. Measured, where it was written once: sorts of
 * narrow rows 2 to 4, of wide rows 1.0 to 2.1, tuple stores 1.1 to 3.2; hash joins 0.1 to 1.4; hash aggregates of keys
 * and counts 0.1 to 2 beyond what they had in memory. With less than a quarter of what is needed rows are written two to
 * three times, so that a byte stands for less.
 */
const MEMORY_PER_SPILLED_BYTE = 2;
/** What was measured lies up to 3 % above the sizes of the source: arrays grow by doubling as long as there is room. */
const MARGIN = 1.05;

/** Header of a row in memory (MinimalTupleData), aligned. */
const TUPLE_HEADER = 16;
/** A row of `width` on a tape or in a tuple store's file: its length, and the header without its first 10 bytes. */
const TAPE_HEADER = 10;
/** SortTuple of tuplesort.c; a pointer in tuplestore.c. */
const SORT_SLOT = 24;
const STORE_SLOT = 8;
/** HashJoinTupleData, and a bucket's pointer: at most two a row, for buckets are powers of two. */
const HASH_JOIN_ROW = 16 + 2 * 8;
/** Files of hash joins have the hash value before the whole row. */
const HASH_FILE_HEADER = 4 + TUPLE_HEADER;
/** Larger ones are blocks of their own, which allocation sets do not round up (ALLOC_CHUNK_LIMIT). */
const ROUNDED_BELOW = 8192;
/**
 * Groups a byte of input rows, at a row a group: keys of 8 to 1,300 bytes and counts took 0.5 to 1.8. States by reference
 * take more where groups are small (avg(numeric) 5.9, array_agg 12 at ten rows a group), which a plan does not tell:
 * these spill again, and the next advice has more.
 */
const AGGREGATE_PER_BYTE = 2;
/** A hash aggregate that spills keeps the groups that it has, and its table may have to double for a few more. */
const AGGREGATE_GROWTH = 1.25;

export type SpillPlans = ReadonlyMap<string, PlanTree>;

/** The plans of all that spills, by query_id; without a planner none, and of what cannot be planned none. */
export async function spillPlans(context: RuleContext): Promise<SpillPlans> {
  const queries = [
    ...spillsOf(context).map(({ query }) => query.query_id),
    ...spillsByRole(context).spilling.flatMap(({ statements }) =>
      statements.map(({ query }) => query.query_id),
    ),
  ];
  if (queries.length === 0) return new Map();
  const plans = await plansOfNow(context, new Set(queries));
  return 'reason' in plans ? new Map() : plans;
}

export interface SpillingIn {
  major: number;
  /** What it spilled with, bytes. */
  work_mem: number;
  hash_mem_multiplier: number;
}

export interface SpillNeed {
  /** work_mem with which it would not spill, bytes, in MB. */
  bytes: number;
  /** How that was worked out, with its inputs. */
  formula: string;
}

/**
 * The most that any node of the plan needs which may have written all of it.
 * @param spilled bytes written in a call.
 * @param plan null: not known.
 */
export function spillNeed(spilled: number, plan: PlanTree | null, server: SpillingIn): SpillNeed {
  const wrote = aboutMemory(spilled);
  const candidates = plan === null ? [] : nodesOf(plan).flatMap((node) => nodeNeeds(spilled, node, server));
  const most = candidates.sort((a, b) => b.bytes - a.bytes)[0] ?? {
    bytes: spilled * MEMORY_PER_SPILLED_BYTE,
    formula: `${MEMORY_PER_SPILLED_BYTE} × ${wrote} written (what spilled, a sort or a hash, is not known)`,
  };
  return { ...most, bytes: Math.ceil(most.bytes / MB) * MB };
}

/** The most of several statements: the one that wrote most is not the one that needs most where they are of other kinds. */
export function mostNeeded(
  statements: readonly { query: Pick<WorkloadQuery, 'query_id'>; bytes_per_call: number }[],
  plans: SpillPlans,
  server: SpillingIn,
): SpillNeed {
  const needs = statements.map(({ query, bytes_per_call }) =>
    spillNeed(bytes_per_call, plans.get(query.query_id) ?? null, server),
  );
  return needs.sort((a, b) => b.bytes - a.bytes)[0] ?? spillNeed(0, null, server);
}

const nodesOf = (tree: PlanTree): PlanTree[] => [tree, ...tree.children.flatMap(nodesOf)];

function nodeNeeds(spilled: number, node: PlanTree, server: SpillingIn): SpillNeed[] {
  const { node_type: type, subplan_name: subplan, strategy, children } = node;
  const needs: SpillNeed[] = [];
  // What a CTE Scan reads lies in a store, which holds the rows of the CTE's own plan.
  if (subplan?.startsWith('CTE ')) needs.push(store(spilled, node, server));
  if (SORTS.has(type)) needs.push(sort(spilled, node, server));
  // A window's frame is of its input.
  if (type === 'WindowAgg') needs.push(store(spilled, children[0] ?? node, server));
  if (STORES.has(type)) needs.push(store(spilled, node, server));
  if (type === 'Hash Join') needs.push(...hashJoin(spilled, node, server));
  if (type === 'Aggregate' && HASHED.has(strategy ?? '')) needs.push(hashAggregate(spilled, server));
  return needs;
}

const SORTS: ReadonlySet<string> = new Set(['Sort', 'Incremental Sort']);
const STORES: ReadonlySet<string> = new Set([
  'Materialize',
  'Recursive Union',
  'Function Scan',
  'Table Function Scan',
]);
const HASHED: ReadonlySet<string> = new Set(['Hashed', 'Mixed']);

/**
 * A sort and a store write every row. In memory a row has a header of its allocator and is rounded up: to powers of two
 * in allocation sets (sorts at 14, stores until 17), to 8 bytes in what came after them.
 * A sort of a single column takes less than that from 15 on: values that are passed by value have no row, and from 17 on
 * others are not counted at all (tuplesort_putdatum), though they are in memory.
 */
function kept({ width }: PlanTree, { slot, rounded }: { slot: number; rounded: boolean }): number {
  const aligned = align(TUPLE_HEADER + width);
  const chunk = rounded && aligned < ROUNDED_BELOW ? 16 + 2 ** Math.ceil(Math.log2(aligned)) : aligned;
  return (slot + chunk) / (TAPE_HEADER + width);
}

const align = (bytes: number) => Math.ceil(bytes / 8) * 8;

/** Before each row: 24 bytes of a generation context at 15, 8 from 16 on (a bump context of 17 has none). */
function sort(spilled: number, node: PlanTree, { major, work_mem: workMem }: SpillingIn): SpillNeed {
  const header = major >= 16 ? 8 : major === 15 ? 24 : 0;
  const factor = kept(node, { slot: SORT_SLOT + header, rounded: major < 15 });
  const passes = major < 15 ? 1 : passesOf(spilled, factor, workMem);
  const words = passes === 1 ? '' : ` in ${passes} passes ÷ ${passes}`;
  return {
    bytes: (MARGIN * factor * spilled) / passes,
    formula: `${(MARGIN * factor).toFixed(2)} × ${aboutMemory(spilled)} written by a sort of rows of ${node.width} bytes${words}`,
  };
}

/**
 * How often a sort wrote all of its rows (15 and newer; 14 merges in polyphases, which write less than all): the least
 * number that its own runs lead to. tuplesort_merge_order(): a tape takes two blocks and a buffer of 32; 6 to 500 tapes.
 */
function passesOf(spilled: number, factor: number, workMem: number): number {
  const order = Math.min(500, Math.max(6, Math.floor(workMem / (34 * 8192))));
  for (let passes = 1; ; passes += 1) {
    // Rather too few than too many: the fewer passes, the more each byte stands for.
    const runs = (0.9 * factor * spilled) / passes / workMem;
    if (!(runs > order ** passes)) return passes;
  }
}

function store(spilled: number, node: PlanTree, { major }: SpillingIn): SpillNeed {
  const header = major >= 18 ? 8 : 0;
  const factor = MARGIN * kept(node, { slot: STORE_SLOT + header, rounded: major < 18 });
  return {
    bytes: factor * spilled,
    formula: `${factor.toFixed(2)} × ${aboutMemory(spilled)} written by a store of rows of ${node.width} bytes`,
  };
}

/** Of both sides it writes what is not in the first batch; only the inner one has to be in memory. */
function hashJoin(spilled: number, { children }: PlanTree, server: SpillingIn): SpillNeed[] {
  const [outer, inner] = children;
  if (!outer || !inner) return [];
  const fileRow = ({ width }: PlanTree) => HASH_FILE_HEADER + width;
  const share = (inner.rows * fileRow(inner)) / (inner.rows * fileRow(inner) + outer.rows * fileRow(outer));
  const row = HASH_JOIN_ROW + align(TUPLE_HEADER + inner.width);
  const factor = (MARGIN * share * row) / fileRow(inner);
  const what = `a hash join whose inner side is ${Math.round(100 * share)} % of it`;
  return [ofHash(1, factor, spilled, server, what)];
}

function hashAggregate(spilled: number, server: SpillingIn): SpillNeed {
  return ofHash(AGGREGATE_GROWTH, AGGREGATE_PER_BYTE, spilled, server, 'a hash aggregate');
}

/** Hashes have hash_mem_multiplier × work_mem, and what they had in memory when they began to spill. */
function ofHash(
  growth: number,
  factor: number,
  spilled: number,
  server: SpillingIn,
  what: string,
): SpillNeed {
  const { work_mem: present, hash_mem_multiplier: multiplier } = server;
  const times = growth === 1 ? '' : `${growth} × `;
  return {
    bytes: (growth * present * multiplier + factor * spilled) / multiplier,
    formula: `(${times}${formatMemory(present * multiplier)} that hashes have + ${factor.toFixed(2)} × ${aboutMemory(spilled)} written by ${what}) ÷ hash_mem_multiplier ${multiplier}`,
  };
}
