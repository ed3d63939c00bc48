/** wal_compression where whole pages make up much of the WAL. */
import type { Rule, SettingRow } from '../../../domain/index.ts';
import { limited, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';
import { formatMemory } from '../../settings/units.ts';
import { walSeen } from '../../settings/wal.ts';
import { walVolumeTroubles } from '../../settings/wal-need.ts';

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
    '30 % of it and more (pg_stat_wal.wal_fpi). lz4, else zstd, where pg_settings.enumvals has them (15 and newer, if they were compiled in). ' +
    'Where pglz is all that there is (`on` up to 14), only if WAL is too much for somebody as well: an archive, a standby or the reader of a slot ' +
    'that does not keep up. With pglz the writing sessions pay with more CPU than they save.',
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
    const value = bestOf(row);
    const slow = value === 'pglz' || value === 'on';
    const troubles = slow ? walVolumeTroubles(context, seen) : [];
    if (slow && troubles.length === 0) {
      return reject(
        'only_pglz',
        'this server knows no method but pglz, which costs the writing sessions more CPU than it saves them, and nothing shows that WAL is too much for an archive, a standby or the reader of a slot',
      );
    }
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: `${row.enumvals ? `pg_settings.enumvals: ${row.enumvals.join(', ')}` : 'a switch up to 14'}; whole pages ≥ 30 % of WAL${slow ? '; somebody does not keep up with it' : ''}`,
      why: `Whole pages, written at the first change after each checkpoint, may be ${(100 * seen.page_share).toFixed(0)} % of the WAL (${seen.period}): compressed they take less disk, archive and network.${slow ? ' Somebody does not keep up with it as it is.' : ''}`,
      unless:
        'CPUs that are busy all the time would speak against it, and so would rarer checkpoints that leave fewer pages.',
      severity: 'low',
      confidence: CONFIDENCE[value],
      direction: 'either',
      observed: false,
      evidence: [...seen.evidence, ...troubles],
      notes: [COST[value]],
    });
  },
};

type Method = 'lz4' | 'zstd' | 'pglz' | 'on';

const CONFIDENCE: Record<Method, number> = { lz4: 0.65, zstd: 0.55, pglz: 0.4, on: 0.4 };

const PGLZ_COST =
  'pglz costs much CPU in the sessions that write: writes had 0.7 of their throughput on two busy cores (docs/settings-benchmark.md).';
const COST: Record<Method, string> = {
  lz4: 'lz4 costs little CPU.',
  zstd: 'zstd costs more CPU than lz4, which this build has not, and less than pglz; it compresses best.',
  pglz: PGLZ_COST,
  on: PGLZ_COST,
};

/** The cheapest method that the build has, by pg_settings.enumvals; up to 14 there is a switch for pglz. */
function bestOf({ vartype, enumvals }: SettingRow): Method {
  if (vartype === 'bool') return 'on';
  return (['lz4', 'zstd'] as const).find((method) => enumvals?.includes(method)) ?? 'pglz';
}
