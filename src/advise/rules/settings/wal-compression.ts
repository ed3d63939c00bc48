/** wal_compression where whole pages make up much of the WAL. */
import type { Rule } from '../../../domain/index.ts';
import { limited, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';
import { formatMemory } from '../../settings/units.ts';
import { walSeen } from '../../settings/wal.ts';

const ID = 'settings/wal-compression';
const NAME = 'wal_compression';
/** Below this share compressing pages changes little. */
const PAGE_SHARE = 0.3;
/** Less WAL than this, bytes a second, is nobody's problem. */
const LEAST_RATE = 100 * 1024;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'WAL is full of whole pages, uncompressed',
  description:
    'Fires where wal_compression is off, at least 100 kB of WAL a second are written over ten minutes and more, and whole pages may be ' +
    '30 % of it and more (pg_stat_wal.wal_fpi). lz4 where pg_settings.enumvals has it (15 and newer, if it was compiled in), else pglz; ' +
    'on 14 it is a switch.',
  evaluate: (context) => {
    const row = setting(context, NAME);
    if (!row) return limited(settingNotVisible(NAME));
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    if (row.setting !== 'off') return reject('as_wanted', `it is ${row.setting} already`);
    const seen = walSeen(context);
    if (seen === null) return reject('no_evidence', 'how much WAL is written is not known over ten minutes');
    if (seen.bytes_per_second < LEAST_RATE) {
      return reject(
        'little_wal',
        `${formatMemory(Math.max(1024, seen.bytes_per_second))} of WAL a second (${seen.period}): compressing it gains nothing`,
      );
    }
    if (seen.page_share < PAGE_SHARE) {
      return reject(
        'few_pages',
        `whole pages are at most ${(100 * seen.page_share).toFixed(0)} % of the WAL (${seen.period})`,
      );
    }
    const value = row.vartype === 'bool' ? 'on' : row.enumvals?.includes('lz4') ? 'lz4' : 'pglz';
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: `${row.enumvals ? `pg_settings.enumvals: ${row.enumvals.join(', ')}` : 'a switch up to 14'}; whole pages ≥ 30 % of WAL`,
      why: `Whole pages, written at the first change after each checkpoint, may be ${(100 * seen.page_share).toFixed(0)} % of the WAL (${seen.period}): compressed they take less disk, archive and network.`,
      unless:
        'CPUs that are busy all the time would speak against it, and so would rarer checkpoints that leave fewer pages.',
      severity: 'low',
      confidence: value === 'lz4' ? 0.65 : 0.5,
      direction: 'either',
      observed: false,
      evidence: seen.evidence,
      notes: [
        value === 'lz4' ? 'lz4 costs little CPU.' : 'pglz costs noticeable CPU in the backends that write.',
      ],
    });
  },
};
