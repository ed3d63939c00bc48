/** random_page_cost from the disk type. */
import type { Rule } from '../../../domain/index.ts';
import { baselineOf, diskInput, hostInputs } from '../../settings/facts.ts';
import { limited, propose } from '../../settings/propose.ts';

const ID = 'settings/random-page-cost';

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'random_page_cost does not fit the disks',
  description:
    '1.1 for disks without moving parts, 4 for spinning ones. Quiet where the disk type is not known for sure.',
  evaluate: (context) => {
    const host = hostInputs(context, ID);
    if ('code' in host) return limited(host);
    const disk = diskInput(context, ID);
    if ('code' in disk) return limited(disk);
    const { baseline } = baselineOf(context, host, disk.disk_type);
    return propose(context, {
      rule: ID,
      name: 'random_page_cost',
      value: baseline.random_page_cost.value,
      formula: baseline.random_page_cost.formula,
      why: `A random page costs little more than the next one on ${disk.disk_type}; too high a number makes the planner avoid indexes.`,
      severity: 'medium',
      confidence: 0.75,
      direction: 'either',
      observed: false,
      evidence: disk.evidence,
    });
  },
};
