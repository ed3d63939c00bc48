/** hash_mem_multiplier in place of work_mem: where all that spills hashes and never sorts. */
import type { PlanTree, RuleContext } from '../../domain/index.ts';
import type { Refusal } from './bootable.ts';
import { budgetBytes, worstCaseBytes } from './memory-budget.ts';
import { type MemoryPlan, together } from './present-memory.ts';
import { mostNeeded } from './spill-memory.ts';
import { spillsOf } from './spills.ts';
import { formatMemory } from './units.ts';
import { plansOfNow } from './what-if.ts';

const MOST = 8;

export interface HashMemory {
  /** Multiple of work_mem that holds what spills, in halves. */
  value: number;
  /** How that was worked out. */
  formula: string;
  /** Bytes of the largest spill of a call. */
  largest: number;
}

/** What it would have to be, or why it is not the place. It is given only where it answers all that spills. */
export async function hashMemory(context: RuleContext, plan: MemoryPlan): Promise<HashMemory | Refusal> {
  const spills = spillsOf(context);
  const largest = spills[0]?.bytes_per_call ?? 0;
  if (largest === 0) return { code: 'nothing_spills', reason: 'nothing spills' };
  const plans = await plansOfNow(context, new Set(spills.map(({ query }) => query.query_id)));
  if ('reason' in plans)
    return { code: 'not_simulated', reason: `what spills is not known: ${plans.reason}` };
  const trees = spills.flatMap(({ query }) => plans.get(query.query_id) ?? []);
  if (trees.length < spills.length) {
    return { code: 'not_simulated', reason: 'some of the statements that spill could not be planned' };
  }
  if (!trees.every((tree) => has(tree, isHash) && !has(tree, isSort))) {
    return { code: 'sorts_spill', reason: 'statements that spill sort as well: work_mem is the place' };
  }
  const { present } = plan;
  const multiplier = present.hash_mem_multiplier ?? 1;
  const { work_mem } = present;
  const need = mostNeeded(spills, plans, {
    major: plan.input.major,
    work_mem,
    hash_mem_multiplier: multiplier,
  });
  // What work_mem alone would have to be gives hashes so many times as much.
  const value = Math.ceil((2 * need.bytes * multiplier) / work_mem) / 2;
  if (value <= multiplier) {
    return {
      code: 'large_enough',
      reason: `${value} × work_mem would hold it, and it is ${present.hash_mem_multiplier}`,
    };
  }
  const worst = worstCaseBytes({ ...together(context, plan), hash_mem_multiplier: value });
  if (value > MOST || worst > budgetBytes(plan.ram_bytes)) {
    return {
      code: 'memory_budget',
      reason: `${value} × work_mem would do: more than ${MOST}, or more than the budget leaves; work_mem is the place`,
    };
  }
  const formula = `${need.formula}, as a multiple of work_mem ${formatMemory(work_mem)}: ${formatMemory(need.bytes)} × ${multiplier} ÷ ${formatMemory(work_mem)}, in halves`;
  return { value, formula, largest };
}

const isHash = ({ node_type, strategy }: PlanTree) =>
  node_type === 'Hash' || (node_type === 'Aggregate' && strategy === 'Hashed');
const isSort = ({ node_type }: PlanTree) => node_type === 'Sort' || node_type === 'Incremental Sort';

function has(tree: PlanTree, matches: (node: PlanTree) => boolean): boolean {
  return matches(tree) || tree.children.some((child) => has(child, matches));
}
