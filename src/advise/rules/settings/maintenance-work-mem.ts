/** maintenance_work_mem from the host's memory. */
import type { Rule } from '../../../domain/index.ts';
import { baselineOf, hostInputs } from '../../settings/facts.ts';
import { limited, propose } from '../../settings/propose.ts';

const ID = 'settings/maintenance-work-mem';

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'maintenance_work_mem does not fit the host',
  description:
    'A sixteenth of RAM, at most 2GB, such that every autovacuum worker and one manual command fit beside the rest. ' +
    'Index builds and vacuums of large tables take fewer passes with it.',
  evaluate: (context) => {
    const host = hostInputs(context, ID);
    if ('code' in host) return limited(host);
    const { baseline } = baselineOf(context, host);
    return propose(context, {
      rule: ID,
      name: 'maintenance_work_mem',
      value: baseline.maintenance_work_mem.value,
      formula: baseline.maintenance_work_mem.formula,
      why: 'Index builds sort in it, and vacuum keeps its list of dead rows in it.',
      severity: 'low',
      confidence: 0.7,
      direction: 'raise',
      observed: false,
      evidence: host.evidence,
    });
  },
};
