/** shared_buffers from the host's memory. */
import type { Rule } from '../../../domain/index.ts';
import { baselineOf, hostInputs, measured } from '../../settings/facts.ts';
import { limited, propose } from '../../settings/propose.ts';
import { formatMemory } from '../../settings/units.ts';

const ID = 'settings/shared-buffers';
/** Below this share of reads served from buffers, over enough reads, more of them would help. */
const POOR_HIT_RATIO = 0.95;
const ENOUGH_READS = 100_000;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'shared_buffers does not fit the host',
  description:
    'A quarter of RAM (PostgreSQL documentation, 19.4.1), within the budget of the whole set; observed where the hit ' +
    'ratio of this database is below 95 % over at least 100,000 blocks. Never more than the database is large.',
  evaluate: (context) => {
    const host = hostInputs(context, ID);
    if ('code' in host) return limited(host);
    const { baseline, connections } = baselineOf(context, host);
    const { database } = context.snapshot.counters;
    const reads = database ? database.blks_hit + database.blks_read : 0;
    const ratio = database && reads > 0 ? database.blks_hit / reads : null;
    return propose(context, {
      rule: ID,
      name: 'shared_buffers',
      value: baseline.shared_buffers.value,
      formula: baseline.shared_buffers.formula,
      why: `A quarter of ${formatMemory(host.ram_bytes)} is what PostgreSQL's documentation starts from.`,
      severity: 'medium',
      confidence: 0.7,
      direction: 'raise',
      observed: ratio !== null && ratio < POOR_HIT_RATIO && reads > ENOUGH_READS,
      evidence: [
        ...host.evidence,
        connections.evidence,
        {
          name: 'worst case of the set',
          value: baseline.worst_case_bytes,
          unit: 'bytes',
          source: 'formula',
          level: 'estimated',
          formula:
            'shared_buffers + connections × (3 × work_mem + 2MB) + (autovacuum workers + 1) × maintenance_work_mem',
        },
        ...(ratio === null ? [] : [measured('blocks found in buffers', ratio, 'share', 'pg_stat_database')]),
      ],
    });
  },
};
