/** hash_mem_multiplier: more for hashes alone, where hashes are what spills. */
import type { Rule } from '../../../domain/index.ts';
import { computed, isLimit, limited, measured, rejected } from '../../settings/facts.ts';
import { hashMemory } from '../../settings/hash-memory.ts';
import { memoryPlan, worstCaseOf } from '../../settings/present-memory.ts';
import { propose } from '../../settings/propose.ts';
import { workMemByRole } from '../../settings/role-work-mem.ts';
import { spillPlans } from '../../settings/spill-memory.ts';
import { spillsOf } from '../../settings/spills.ts';
import { aboutMemory } from '../../settings/units.ts';

const ID = 'settings/hash-mem-multiplier';
const NAME = 'hash_mem_multiplier';
const LEAST_SHARE_OF_TIME = 0.005;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Hashes spill and sorts do not',
  description:
    'A hash may take hash_mem_multiplier × work_mem. Fires in place of settings/work-mem where the plans (by the twin) of all statements ' +
    'that wrote temporary blocks hash and none of them sorts: what the statement that needs most would need (by its kind of hash), as a multiple of work_mem, if that is at ' +
    'most 8 and within the memory budget, in which a process may run one sort and one hash. Sorts keep what they have. Quiet where sorts ' +
    'spill, where single roles are given more, or without a planner.',
  evaluate: async (context) => {
    const plan = memoryPlan(context);
    if (isLimit(plan)) return limited(plan);
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    const spills = spillsOf(context);
    const share = spills.reduce((sum, { query }) => sum + query.share_of_time, 0);
    if (share < LEAST_SHARE_OF_TIME) return reject('nothing_spills', 'next to nothing spills');
    if (workMemByRole(context, plan, await spillPlans(context)).given.length > 0) {
      return reject('roles_suffice', 'the roles that spill are given more work_mem (settings/work-mem-role)');
    }
    const hash = await hashMemory(context, plan);
    if ('code' in hash) return reject(hash.code, hash.reason);
    const { value, formula, largest } = hash;
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: `${formula}, at most 8 and within the budget`,
      why: `${spills.length} statement(s), ${(100 * share).toFixed(1)} % of the time, wrote up to ${aboutMemory(largest)} a call into temporary files, and all of them hash without sorting.`,
      unless: 'Sorts that spill as well would speak for work_mem in its place.',
      severity: 'low',
      confidence: 0.55,
      direction: 'raise',
      observed: true,
      evidence: [
        ...plan.inputs,
        measured('largest spill of a call', largest, 'bytes', 'pg_stat_statements.temp_blks_written ÷ calls'),
        computed('multiple of work_mem that it needs', value, 'ratio', formula),
        ...worstCaseOf(plan, { ...plan.present, hash_mem_multiplier: value }),
      ],
    });
  },
};
