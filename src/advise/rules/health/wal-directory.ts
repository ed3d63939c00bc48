/** pg_wal that is larger than its settings say, and who keeps it so. */
import type { Evidence, RuleContext } from '../../../domain/index.ts';
import { healthRule, unseen } from '../../health/check.ts';
import { count, size } from '../../health/words.ts';
import { computed, measured, setting } from '../../settings/facts.ts';
import { settingBytes } from '../../settings/units.ts';

const GB = 1024 ** 3;
/** max_wal_size is a soft limit: so many times what the settings ask for is no burst any more. */
const LARGE_FACTOR = 2;
const VERY_LARGE_FACTOR = 5;
/** Below this nobody's disk fills. */
const LEAST = 4 * GB;
const VERY_LARGE = 50 * GB;
/** Segments that wait for the archive beyond what one command takes. */
const READY = 64;

export const rule = healthRule(
  'wal-directory',
  'pg_wal takes more than its settings say',
  'Size of pg_wal (pg_ls_waldir) from 4 GB on and above twice max_wal_size + wal_keep_size: low; medium from five times or 50 GB. Names ' +
    'what keeps it: the archive (segments that are .ready), the slot that keeps most, or neither of them. What is left on the disk SQL ' +
    'does not tell: a limit of this check, not a good sign.',
  (context) => {
    const { instance } = context.snapshot;
    if (!instance?.wal_directory) return unseen('The size of pg_wal (pg_ls_waldir: GRANT pg_monitor)');
    const { bytes, files, archive_ready } = instance.wal_directory;
    const [max, keep, least] = ['max_wal_size', 'wal_keep_size', 'min_wal_size'].map((name) => {
      const row = setting(context, name);
      return row ? settingBytes(row) : null;
    });
    if (max === null || max === undefined) return unseen('max_wal_size');
    const asked = Math.max(max, least ?? 0) + (keep ?? 0);
    if (bytes < LEAST || bytes <= LARGE_FACTOR * asked) return {};
    const keeper = keeperOf(context, archive_ready, bytes - asked);
    return {
      found: [
        {
          object: 'pg_wal',
          title: `pg_wal takes ${size(bytes)}; its settings ask for ${size(asked)}`,
          rationale: `${keeper.why} When its disk is full the server stops. How much room is left there SQL does not tell: look at the host.`,
          severity: bytes > VERY_LARGE_FACTOR * asked || bytes >= VERY_LARGE ? 'medium' : 'low',
          evidence: [
            measured('size of pg_wal', bytes, 'bytes', `pg_ls_waldir(), ${count(files)} files`),
            computed(
              'what the settings ask for',
              asked,
              'bytes',
              'max(max_wal_size, min_wal_size) + wal_keep_size',
            ),
            measured(
              'segments that wait for the archive',
              archive_ready,
              'segments',
              'pg_ls_archive_statusdir()',
            ),
            ...keeper.evidence,
          ],
          remedy: [
            keeper.remedy,
            'Never delete files of pg_wal by hand: the server does not start without those that it needs.',
          ],
        },
      ],
    };
  },
);

function keeperOf(
  { snapshot }: RuleContext,
  ready: number,
  beyond: number,
): { why: string; remedy: string; evidence: Evidence[] } {
  const [slot] = snapshot.replication.slots.toSorted(
    (a, b) => (b.retained_bytes ?? 0) - (a.retained_bytes ?? 0),
  );
  if (ready >= READY) {
    return {
      why: `${count(ready)} segments wait for the archive: each stays until archive_command, or archive_library, has taken it.`,
      remedy:
        'See why the archive does not keep up: its disk, its network, errors in the server’s log (health/archiver-failing).',
      evidence: [],
    };
  }
  if (slot?.retained_bytes && slot.retained_bytes >= beyond / 2) {
    return {
      why: `The replication slot ${slot.name} keeps ${size(slot.retained_bytes)} of it.`,
      remedy:
        'Bring its reader back or drop it (health/replication-slot); max_slot_wal_keep_size caps what slots keep.',
      evidence: [
        measured(
          `WAL kept for slot ${slot.name}`,
          slot.retained_bytes,
          'bytes',
          'pg_replication_slots.restart_lsn',
        ),
      ],
    };
  }
  return {
    why: 'Neither the archive nor a slot keeps it: a burst of writes that a checkpoint has not caught up with, a checkpoint that takes long, or a max_wal_size that was larger until lately (files go one checkpoint after another).',
    remedy:
      'See log_checkpoints; if it stays so for hours, what writes so much (pg_stat_statements.wal_bytes).',
    evidence: [],
  };
}
