/** effective_cache_size from the host's memory. */
import type { Rule } from '../../../domain/index.ts';
import { baselineOf, hostInputs } from '../../settings/facts.ts';
import { limited, propose } from '../../settings/propose.ts';

const ID = 'settings/effective-cache-size';

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'effective_cache_size does not tell the planner what is cached',
  description:
    'Three quarters of RAM. It reserves nothing: the planner only takes index reads for cheaper or dearer.',
  evaluate: (context) => {
    const host = hostInputs(context, ID);
    if ('code' in host) return limited(host);
    const { baseline } = baselineOf(context, host);
    return propose(context, {
      rule: ID,
      name: 'effective_cache_size',
      value: baseline.effective_cache_size.value,
      formula: baseline.effective_cache_size.formula,
      why: 'The planner takes this for what buffers and the page cache hold together; too little makes index scans look dear.',
      severity: 'medium',
      confidence: 0.8,
      direction: 'either',
      observed: false,
      evidence: host.evidence,
    });
  },
};
