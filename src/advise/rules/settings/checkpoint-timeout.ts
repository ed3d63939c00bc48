/** checkpoint_timeout: rarer checkpoints where whole pages after each of them are most of the WAL. */
import type { Rule } from '../../../domain/index.ts';
import { limited, measured, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { cumulative, observed } from '../../settings/observed.ts';
import { propose } from '../../settings/propose.ts';
import { formatMemory, settingSeconds } from '../../settings/units.ts';
import { walSeen } from '../../settings/wal.ts';

const ID = 'settings/checkpoint-timeout';
const NAME = 'checkpoint_timeout';
const WANTED_SECONDS = 900;
const PAGE_SHARE = 0.5;
const LEAST_RATE = 512 * 1024;
const ENOUGH_CHECKPOINTS = 5;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Checkpoints are so frequent that whole pages make up the WAL',
  description:
    '15 minutes where nine tenths of at least five checkpoints came by time, at least 512 kB of WAL a second are written, and whole ' +
    'pages may be half of it and more: each page is written whole at its first change after a checkpoint, so fewer checkpoints ' +
    'write fewer. Quiet where checkpoints are requested by WAL (settings/max-wal-size comes first). What one costs is recovery time: ' +
    'at most the WAL of the interval is replayed.',
  evaluate: (context) => {
    const row = setting(context, NAME);
    const present = row ? settingSeconds(row) : null;
    if (present === null) return limited(settingNotVisible(NAME));
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    const counted = [observed(context, 'checkpoints'), cumulative(context, 'checkpoints')].find(
      (seen) => seen && seen.counted.timed + seen.counted.requested >= ENOUGH_CHECKPOINTS,
    );
    const wal = walSeen(context);
    if (!counted || wal === null) {
      return reject('no_evidence', 'fewer than five checkpoints, or no ten minutes of WAL, were counted');
    }
    const { timed, requested } = counted.counted;
    if (requested > 0.1 * (timed + requested)) {
      return reject(
        'checkpoints_are_requested',
        `${requested} of ${timed + requested} checkpoints were requested (${counted.period}): max_wal_size decides when they come`,
      );
    }
    if (wal.page_share < PAGE_SHARE || wal.bytes_per_second < LEAST_RATE) {
      return reject(
        'few_pages',
        `whole pages are at most ${(100 * wal.page_share).toFixed(0)} % of ${formatMemory(Math.max(1024, wal.bytes_per_second))} of WAL a second (${wal.period})`,
      );
    }
    return propose(context, {
      rule: ID,
      name: NAME,
      value: WANTED_SECONDS,
      formula:
        '15 min: pages written whole fall with the number of checkpoints; recovery replays at most that much',
      why: `Checkpoints come every ${present} s, and whole pages after them may be ${(100 * wal.page_share).toFixed(0)} % of the WAL.`,
      unless: 'A recovery that must take less than minutes, or fewer whole pages, would speak against it.',
      severity: 'low',
      confidence: 0.55,
      direction: 'raise',
      observed: false,
      evidence: [
        measured('checkpoints timed', timed, null, counted.period),
        measured('checkpoints requested', requested, null, counted.period),
        ...wal.evidence,
      ],
      notes: [
        `Recovery after a crash reads up to ${formatMemory(Math.round(wal.bytes_per_second * WANTED_SECONDS))} of WAL at this rate.`,
        'max_wal_size must hold the WAL of the longer interval, or checkpoints are requested again.',
      ],
    });
  },
};
