/** work_mem from memory and connections, and from what really spilled. */
import type { Rule } from '../../../domain/index.ts';
import { baselineOf, hostInputs, measured } from '../../settings/facts.ts';
import { limited, propose } from '../../settings/propose.ts';
import { MB } from '../../settings/units.ts';

const ID = 'settings/work-mem';
const BLOCK = 8192;
/** Nothing spilled: a little room for what comes, and no more. */
const WITHOUT_EVIDENCE = 32 * MB;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'work_mem does not fit memory and workload',
  description:
    'Half of what shared_buffers leave, over three uses in each active connection, at most 256MB, within the budget of ' +
    'the whole set. Observed where statements of the window wrote temporary blocks.',
  evaluate: (context) => {
    const host = hostInputs(context, ID);
    if ('code' in host) return limited(host);
    const { baseline, connections } = baselineOf(context, host);
    const spilling = context.workload.queries.filter((query) => query.temp_blks_written > 0);
    const spilled = spilling.reduce((sum, query) => sum + query.temp_blks_written * BLOCK, 0);
    return propose(context, {
      rule: ID,
      name: 'work_mem',
      value: spilled > 0 ? baseline.work_mem.value : Math.min(baseline.work_mem.value, WITHOUT_EVIDENCE),
      formula: `${baseline.work_mem.formula}${spilled > 0 ? '' : '; at most 32MB while nothing spills'}`,
      why:
        spilled > 0
          ? `${spilling.length} statement(s) wrote temporary files in the window: they sorted or hashed more than work_mem holds.`
          : 'The host has memory for larger sorts and hashes than the present value allows.',
      severity: spilled > 0 ? 'medium' : 'low',
      confidence: spilled > 0 ? 0.8 : 0.5,
      direction: 'raise',
      observed: spilled > 0,
      evidence: [
        ...host.evidence,
        connections.evidence,
        measured(
          'written to temporary files in the window',
          spilled,
          'bytes',
          'pg_stat_statements.temp_blks_written',
        ),
        {
          name: 'worst case of the set',
          value: baseline.worst_case_bytes,
          unit: 'bytes',
          source: 'formula',
          level: 'estimated',
          formula:
            'shared_buffers + connections × (3 × work_mem + 2MB) + (autovacuum workers + 1) × maintenance_work_mem',
        },
      ],
    });
  },
};
