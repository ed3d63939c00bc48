/** wal_buffers from how often they were full. */
import type { Rule } from '../../../domain/index.ts';
import { isLimit, limited, measured, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { observed } from '../../settings/observed.ts';
import { memoryPlan, roomBeside, worstCaseEvidence } from '../../settings/present-memory.ts';
import { propose } from '../../settings/propose.ts';
import { formatMemory, MB, settingBytes } from '../../settings/units.ts';

const ID = 'settings/wal-buffers';
const NAME = 'wal_buffers';
const ENOUGH = 16 * MB;
const MOST = 64 * MB;
/** Counted for less, it says nothing of a habit. */
const ENOUGH_SECONDS = 300;
/** Rarer than this, nobody notices. */
const FULL_PER_MINUTE = 1;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'WAL buffers were full',
  description:
    'Fires where backends had to write WAL themselves because wal_buffers were full, more than once a minute ' +
    '(pg_stat_wal.wal_buffers_full), over five minutes at least: 16 MB, then twice the present value, at most 64 MB, within the memory budget.',
  evaluate: (context) => {
    const seen = observed(context, 'wal');
    const row = setting(context, NAME);
    const present = row ? settingBytes(row) : null;
    if (present === null) return limited(settingNotVisible(NAME));
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    if (seen === null || seen.seconds === null) {
      return reject('no_evidence', 'how often WAL buffers were full is not known over any time');
    }
    if (seen.seconds < ENOUGH_SECONDS) {
      return reject(
        'statistics_too_young',
        `WAL buffers were counted for ${Math.round(seen.seconds)} s: a load of seconds is no habit`,
      );
    }
    const perMinute = (seen.counted.wal_buffers_full * 60) / seen.seconds;
    if (perMinute < FULL_PER_MINUTE) {
      return reject(
        'rarely_full',
        `${formatMemory(present)} were full ${perMinute.toFixed(2)} times a minute (${seen.period})`,
      );
    }
    const value = Math.min(MOST, Math.max(ENOUGH, 2 * present));
    const plan = memoryPlan(context);
    if (!isLimit(plan) && value > roomBeside(context, plan, NAME)) {
      return reject(
        'memory_budget',
        `the budget of the whole set leaves no room for ${formatMemory(value)} in place of ${formatMemory(present)}`,
      );
    }
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: 'max(16MB, 2 × present), at most 64MB',
      why: `Backends found WAL buffers full ${perMinute.toFixed(1)} times a minute and wrote WAL themselves (${seen.period}).`,
      unless: 'A single load may have caused it: look whether the count still rises.',
      severity: 'low',
      confidence: seen.source === 'window' ? 0.6 : 0.45,
      direction: 'raise',
      observed: true,
      evidence: [
        measured(
          'times that WAL buffers were full',
          seen.counted.wal_buffers_full,
          null,
          `pg_stat_wal.wal_buffers_full, ${seen.period}`,
        ),
        ...(isLimit(plan) ? [] : worstCaseEvidence(context, plan, NAME, value)),
      ],
    });
  },
};
