/**
 * work_mem with which a statement that spilled would not, by the kind of node that spilled. Measured on 14 to 18 for
 * rows of 8 to 1,300 bytes by `npm run bench -- spills`; the sizes are those of PostgreSQL's source.
 */
import type { PlanTree, RuleContext, WorkloadQuery } from '../../domain/index.ts';
import { spillsByRole, spillsOf } from './spills.ts';
import { aboutMemory, formatMemory, MB } from './units.ts';
import { plansOfNow } from './what-if.ts';

/**
 * Memory for a byte in temporary files where the kind of node is not known: sorts of narrow rows take up to 4, of wide
 * rows 1 to 2 (less where they were written in several passes), hash joins 0.1 to 1.2, hash aggregates 0.1 to 2 and what
 * they had in memory already, tuple stores 1.1 to 3.2.
 */
const MEMORY_PER_SPILLED_BYTE = 2;

/** MINIMAL_TUPLE header, aligned. */
const TUPLE_HEADER = 16;
/** Of it, what tapes and tuple stores leave out, less the length that they write: a row of `width` takes width + 10. */
const TAPE_ROW = 10;
/** SortTuple of tuplesort.c; a pointer in tuplestore.c. */
const SORT_SLOT = 24;
const STORE_SLOT = 8;
/** HashJoinTupleData, and a bucket's pointer: as many buckets as rows, in powers of two. */
const HASH_JOIN_ROW = 16 + 2 * 8;
/** Files of hash joins and aggregates have the hash value before the whole tuple. */
const HASH_FILE_ROW = 4;
/** Below that, allocation sets round up to powers of two (ALLOC_CHUNK_LIMIT). */
const ROUNDED_BELOW = 8192;
/** Input rows with a group each, which a hash aggregate wrote: with keys, entry and plain transition values. */
const AGGREGATE_PER_BYTE = 2;
/** A hash aggregate that spills keeps the groups that it has; its table doubles for a few more. */
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
 * The most that any node of the plan which may have written all of it needs; more than that where a sort wrote in
 * several passes.
 * @param spilled bytes written in a call.
 * @param plan null: not known.
 */
export function spillNeed(spilled: number, plan: PlanTree | null, server: SpillingIn): SpillNeed {
  const wrote = aboutMemory(spilled);
  const candidates =
    plan === null ? [] : nodesOf(plan).flatMap((node) => nodeNeed(spilled, node, server) ?? []);
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

function nodeNeed(spilled: number, node: PlanTree, server: SpillingIn): SpillNeed | null {
  switch (node.node_type) {
    case 'Sort':
    case 'Incremental Sort':
      return kept(spilled, node, SORT_SLOT, server, 'a sort');
    case 'Materialize':
    case 'WindowAgg':
    case 'CTE Scan':
    case 'Recursive Union':
    case 'Function Scan':
    case 'Table Function Scan':
      return kept(spilled, node, STORE_SLOT, server, 'rows that are kept');
    case 'Hash Join':
      return hashJoin(spilled, node, server);
    case 'Aggregate':
      return node.strategy === 'Hashed' || node.strategy === 'Mixed' ? hashAggregate(spilled, server) : null;
    default:
      return null;
  }
}

/** A sort and a store write every row. */
function kept(
  spilled: number,
  { width }: PlanTree,
  slot: number,
  { major }: SpillingIn,
  what: string,
): SpillNeed {
  const factor = (slot + chunk(TUPLE_HEADER + width, major)) / (TAPE_ROW + width);
  return {
    bytes: factor * spilled,
    formula: `${factor.toFixed(1)} × ${aboutMemory(spilled)} written by ${what} of rows of ${width} bytes`,
  };
}

/**
 * What a row takes in memory. 14 keeps sorted rows in allocation sets; from 15 on sorts have contexts without rounding
 * (24 bytes before a row at 15, 8 at 16, none from 17 on), stores from 17 on.
 */
function chunk(bytes: number, major: number): number {
  const aligned = Math.ceil(bytes / 8) * 8;
  if (major >= 15) return aligned + (major >= 16 ? 8 : 24);
  return 16 + (aligned < ROUNDED_BELOW ? 2 ** Math.ceil(Math.log2(aligned)) : aligned);
}

/** Of both sides it writes what is not in the first batch; only the inner one has to be in memory. */
function hashJoin(spilled: number, { children }: PlanTree, server: SpillingIn): SpillNeed | null {
  const [outer, inner] = children;
  if (!outer || !inner) return null;
  const fileRow = ({ width }: PlanTree) => HASH_FILE_ROW + TUPLE_HEADER + width;
  const share = (inner.rows * fileRow(inner)) / (inner.rows * fileRow(inner) + outer.rows * fileRow(outer));
  const row = HASH_JOIN_ROW + Math.ceil((TUPLE_HEADER + inner.width) / 8) * 8;
  const factor = (share * row) / fileRow(inner);
  return ofHash(
    1,
    factor,
    spilled,
    server,
    `a hash join whose inner side is ${Math.round(100 * share)} % of it`,
  );
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
    formula: `(${times}${formatMemory(present * multiplier)} that hashes have + ${factor.toFixed(1)} × ${aboutMemory(spilled)} written by ${what}) ÷ hash_mem_multiplier ${multiplier}`,
  };
}
