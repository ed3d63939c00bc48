/** hash_mem_multiplier: more for hashes alone, where hashes are what spills. */
import type { PlanTree, Rule } from '../../../domain/index.ts';
import { computed, isLimit, limited, measured, rejected } from '../../settings/facts.ts';
import { budgetBytes, worstCaseBytes } from '../../settings/memory-budget.ts';
import { memoryPlan, worstCaseOf } from '../../settings/present-memory.ts';
import { propose } from '../../settings/propose.ts';
import { MEMORY_PER_SPILLED_BYTE, spillsOf } from '../../settings/spills.ts';
import { formatMemory } from '../../settings/units.ts';
import { plansOfNow } from '../../settings/what-if.ts';

const ID = 'settings/hash-mem-multiplier';
const NAME = 'hash_mem_multiplier';
const MOST = 8;
const LEAST_SHARE_OF_TIME = 0.005;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Hashes spill and sorts do not',
  description:
    'A hash may take hash_mem_multiplier × work_mem. Fires where the plans (by the twin) of all statements that wrote temporary blocks ' +
    'hash and none of them sorts: what twice the largest spill needs, as a multiple of work_mem, at most 8 and within the memory budget, ' +
    'in which a process may run one sort and one hash. Sorts keep what they have. Quiet where sorts spill, or without a planner.',
  evaluate: async (context) => {
    const plan = memoryPlan(context);
    if (isLimit(plan)) return limited(plan);
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    const spills = spillsOf(context);
    const share = spills.reduce((sum, { query }) => sum + query.share_of_time, 0);
    if (spills.length === 0 || share < LEAST_SHARE_OF_TIME)
      return reject('nothing_spills', 'next to nothing spills');
    const plans = await plansOfNow(context, new Set(spills.map(({ query }) => query.query_id)));
    if ('reason' in plans) return reject('not_simulated', `what spills is not known: ${plans.reason}`);
    const trees = spills.map(({ query }) => plans.get(query.query_id));
    if (trees.some((tree) => tree === undefined)) {
      return reject('not_simulated', 'some of the statements that spill could not be planned');
    }
    if (!trees.every((tree) => tree && has(tree, isHash) && !has(tree, isSort))) {
      return reject('sorts_spill', 'statements that spill sort as well: work_mem is the place');
    }
    const largest = spills[0]?.bytes_per_call ?? 0;
    const present = plan.present.hash_mem_multiplier ?? 1;
    const needed = Math.ceil((2 * MEMORY_PER_SPILLED_BYTE * largest) / plan.present.work_mem) / 2;
    const fitting = [...Array(2 * MOST + 1).keys()]
      .map((half) => half / 2)
      .filter((value) => value <= Math.min(MOST, needed))
      .filter(
        (value) =>
          worstCaseBytes({ ...plan.present, hash_mem_multiplier: value }) <= budgetBytes(plan.ram_bytes),
      );
    const value = Math.max(0, ...fitting);
    if (value <= present) {
      return reject(
        'memory_budget',
        `${needed} × work_mem would do; the budget and the limit of ${MOST} leave ${value}, and it is ${present}`,
      );
    }
    const after = { ...plan.present, hash_mem_multiplier: value };
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: `min(2 × ${formatMemory(largest)} ÷ work_mem ${formatMemory(plan.present.work_mem)} = ${needed}; what the budget leaves; ${MOST}), in halves`,
      why: `${spills.length} statement(s), ${(100 * share).toFixed(1)} % of the time, wrote up to ${formatMemory(largest)} a call into temporary files, and all of them hash without sorting.`,
      unless: 'Sorts that spill as well speak for work_mem in its place; take one of both, not both at once.',
      severity: 'low',
      confidence: 0.55,
      direction: 'raise',
      observed: true,
      evidence: [
        ...plan.inputs,
        measured('largest spill of a call', largest, 'bytes', 'pg_stat_statements.temp_blks_written ÷ calls'),
        computed('multiple of work_mem that it needs', needed, 'ratio', '2 × bytes ÷ work_mem'),
        ...worstCaseOf(plan, after),
      ],
      notes: ['settings/work-mem answers the same spills for sorts and hashes alike: apply one of the two.'],
    });
  },
};

const isHash = ({ node_type, strategy }: PlanTree) =>
  node_type === 'Hash' || (node_type === 'Aggregate' && strategy === 'Hashed');
const isSort = ({ node_type }: PlanTree) => node_type === 'Sort' || node_type === 'Incremental Sort';

function has(tree: PlanTree, matches: (node: PlanTree) => boolean): boolean {
  return matches(tree) || tree.children.some((child) => has(child, matches));
}
