/** maintenance_work_mem from the host's memory. */
import type { Rule } from '../../../domain/index.ts';
import { indexPasses } from '../../autovacuum/index-passes.ts';
import { vacuumCap } from '../../settings/baseline.ts';
import { isLimit, limited, rejected } from '../../settings/facts.ts';
import { memoryPlan, roomBeside, worstCaseEvidence } from '../../settings/present-memory.ts';
import { propose } from '../../settings/propose.ts';
import { formatMemory, roundMemory } from '../../settings/units.ts';

const ID = 'settings/maintenance-work-mem';
const NAME = 'maintenance_work_mem';

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'maintenance_work_mem does not fit the host',
  description:
    'A sixteenth of RAM (an eighth for a data warehouse), at most 2 GB, and 1 GB up to 16, whose vacuum uses no more; ' +
    'within the budget of the whole set, in which every autovacuum worker counts where autovacuum_work_mem is −1. ' +
    'So many times the present value as passes were needed where a VACUUM that somebody ran was seen in its second pass over ' +
    'the indexes (autovacuum’s own: ' +
    'autovacuum/work-mem). Only ever raises. Formula: pgtune, with caps of our own.',
  evaluate: (context) => {
    const plan = memoryPlan(context);
    if (isLimit(plan)) return limited(plan);
    const wanted = plan.values.maintenance_work_mem;
    const room = roomBeside(context, plan, NAME);
    if (room < plan.present.maintenance_work_mem) {
      const reason = `the budget of the whole set leaves no room for more than ${formatMemory(plan.present.maintenance_work_mem)}`;
      return rejected({ rule: ID, candidate: NAME, code: 'memory_budget', reason });
    }
    const passes = indexPasses(context, false);
    const needed =
      passes === null
        ? 0
        : Math.min(passes.times * plan.present.maintenance_work_mem, vacuumCap(plan.input.major));
    const value = Math.min(Math.max(wanted.value, needed), roundMemory(room));
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula:
        needed > wanted.value
          ? `${passes?.times} × the present value, ${wanted.formula} being less`
          : wanted.formula,
      why:
        passes !== null
          ? 'A VACUUM that somebody ran was seen reading its indexes for the second time: what it found dead did not fit.'
          : 'Index builds sort in it, and vacuum keeps its list of dead rows in it: with too little, both go over the same data several times.',
      unless: 'A server that builds no indexes and has no large tables has no use for it.',
      severity: 'low',
      confidence: passes !== null ? 0.75 : 0.6,
      direction: 'raise',
      observed: passes !== null,
      evidence: [
        ...plan.inputs,
        ...(passes?.evidence ?? []),
        ...worstCaseEvidence(context, plan, NAME, value),
      ],
      notes: ['Autovacuum workers take as much each, unless autovacuum_work_mem says otherwise.'],
    });
  },
};
