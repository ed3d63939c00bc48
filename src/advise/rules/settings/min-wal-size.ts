/** min_wal_size: segments kept for reuse, for WAL that comes in waves. */
import type { Rule } from '../../../domain/index.ts';
import { computed, limited, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';
import { GB, MB, settingBytes, settingSeconds } from '../../settings/units.ts';
import { walSeen } from '../../settings/wal.ts';

const ID = 'settings/min-wal-size';
const NAME = 'min_wal_size';

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'WAL files are removed and made anew',
  description:
    'Files up to min_wal_size are kept for reuse. Fires where the WAL of one checkpoint_timeout at the observed rate is more than ' +
    'twice min_wal_size: that much in whole 128 MB, at most half of max_wal_size and 4 GB. Making a file writes it full of zeros.',
  evaluate: (context) => {
    const [row, most, timeout] = [NAME, 'max_wal_size', 'checkpoint_timeout'].map((name) =>
      setting(context, name),
    );
    const present = row ? settingBytes(row) : null;
    const max = most ? settingBytes(most) : null;
    const seconds = timeout ? settingSeconds(timeout) : null;
    if (present === null || max === null || seconds === null) return limited(settingNotVisible(NAME));
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    const wal = walSeen(context);
    if (wal === null) return reject('no_evidence', 'how much WAL is written is not known over ten minutes');
    const interval = wal.bytes_per_second * seconds;
    if (interval <= 2 * present) {
      return reject('reused', `the WAL of ${seconds} s is less than twice what is kept for reuse`);
    }
    const value = Math.min(Math.ceil(interval / (128 * MB)) * 128 * MB, max / 2, 4 * GB);
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: `WAL of one checkpoint_timeout of ${seconds} s in whole 128MB, at most half of max_wal_size and 4GB`,
      why: 'More WAL is written between checkpoints than is kept for reuse: after a quiet hour files are removed, and the next wave makes them anew.',
      unless:
        'WAL that is written evenly keeps its files by itself (the server estimates its need from past intervals).',
      severity: 'info',
      confidence: 0.45,
      direction: 'raise',
      observed: false,
      evidence: [
        ...wal.evidence,
        computed(
          'WAL in one checkpoint_timeout',
          interval,
          'bytes',
          'wal_bytes ÷ seconds × checkpoint_timeout',
        ),
      ],
      notes: ['It takes that much of the disk of pg_wal for good.'],
    });
  },
};
