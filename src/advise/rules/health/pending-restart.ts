/** Settings that were changed and wait for a restart. */
import type { Rule } from '../../../domain/index.ts';
import { findingDraft, settingEvidence } from '../../health/finding.ts';

const ID = 'health/pending-restart';

export const rule: Rule = {
  id: ID,
  area: 'health',
  title: 'Settings wait for a restart',
  description:
    'Fires once where pg_settings.pending_restart is true for any setting: the files say something else than what the ' +
    'server runs with, and the next restart, planned or not, brings it into force.',
  evaluate: ({ snapshot }) => {
    const waiting = snapshot.settings.filter((row) => row.pending_restart);
    if (waiting.length === 0) return { recommendations: [], rejections: [], limits: [] };
    const names = waiting.map((row) => row.name).join(', ');
    return {
      recommendations: [
        findingDraft({
          rule: ID,
          key: 'finding pending restart',
          title: `${waiting.length} setting(s) wait for a restart: ${names}`,
          rationale:
            'They were changed in the configuration files, and the server still runs with the values before. Restart it at a time of your choice, or take the change back: otherwise the next crash or failover decides.',
          severity: 'low',
          evidence: waiting.map(settingEvidence),
          restart: true,
          notes: ['The values that wait stand in pg_file_settings.'],
        }),
      ],
      rejections: [],
      limits: [],
    };
  },
};
