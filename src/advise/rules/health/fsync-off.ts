/** Settings without which a crash destroys data. */
import type { Rule } from '../../../domain/index.ts';
import { findingDraft, settingEvidence } from '../../health/finding.ts';

const ID = 'health/fsync-off';
const RISKS: Record<string, string> = {
  fsync:
    'nothing makes sure that what was committed is on disk: after a crash of the host the database may be damaged beyond repair',
  full_page_writes:
    'a page that was half written when the host crashed stays half written: recovery cannot mend it',
};

export const rule: Rule = {
  id: ID,
  area: 'health',
  title: 'A crash may destroy the database',
  description:
    'Fires where fsync or full_page_writes is off (PostgreSQL documentation 19.5.1). Right only for data that can be ' +
    'thrown away: a test server, or a first load that is repeated if it fails.',
  evaluate: ({ snapshot }) => ({
    recommendations: snapshot.settings
      .filter((row) => row.name in RISKS && row.setting === 'off')
      .map((row) =>
        findingDraft({
          rule: ID,
          key: `finding ${row.name} off`,
          title: `${row.name} is off`,
          rationale: `With ${row.name} off, ${RISKS[row.name]}. Switch it on unless this data can be thrown away.`,
          severity: 'critical',
          evidence: [settingEvidence(row)],
          restart: false,
          notes: [
            'A reload brings it into force. What is in memory by then is safe only after a CHECKPOINT and a sync of the file system.',
            'PgLuthier does not change durability settings: that is for a person.',
          ],
        }),
      ),
    rejections: [],
    limits: [],
  }),
};
