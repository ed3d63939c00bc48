/** track_io_timing: without it nobody knows what a read takes. */
import type { Rule } from '../../../domain/index.ts';
import { limited, measured, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { observed } from '../../settings/observed.ts';
import { propose } from '../../settings/propose.ts';

const ID = 'settings/track-io-timing';
const NAME = 'track_io_timing';
const ENOUGH_BLOCKS = 100_000;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Reads are counted and not timed',
  description:
    'on, where at least 100,000 blocks were read: random_page_cost can then be told from what reads take (pg_stat_io, 16 and newer), and ' +
    'statements say how long they waited. Two readings of the clock a read: tens of nanoseconds with the TSC; pg_test_timing tells.',
  evaluate: (context) => {
    const row = setting(context, NAME);
    if (!row) return limited(settingNotVisible(NAME));
    if (row.setting === 'on') {
      return rejected({ rule: ID, candidate: NAME, code: 'as_wanted', reason: 'it is on already' });
    }
    const seen = observed(context, 'database');
    const blocks = seen?.counted.blks_read ?? 0;
    if (seen === null || blocks < ENOUGH_BLOCKS) {
      return rejected({ rule: ID, candidate: NAME, code: 'few_reads', reason: `${blocks} blocks were read` });
    }
    return propose(context, {
      rule: ID,
      name: NAME,
      value: 'on',
      formula: 'at least 100,000 blocks read',
      why: `${blocks} blocks were read ${seen.period}, and nobody knows how long that took.`,
      unless:
        'A slow clock (pg_test_timing shows microseconds a reading, as some virtual machines have) would speak against it.',
      severity: 'info',
      confidence: 0.7,
      direction: 'either',
      observed: false,
      evidence: [measured('blocks read', blocks, 'blocks', `pg_stat_database.blks_read, ${seen.period}`)],
    });
  },
};
