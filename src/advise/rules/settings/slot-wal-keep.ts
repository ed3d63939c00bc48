/** max_slot_wal_keep_size: a forgotten slot fills the disk. */
import type { Rule } from '../../../domain/index.ts';
import { computed, limited, measured, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';
import { formatMemory, GB, settingBytes } from '../../settings/units.ts';
import { walSeen } from '../../settings/wal.ts';

const ID = 'settings/slot-wal-keep';
const NAME = 'max_slot_wal_keep_size';
/** A consumer may be away for so long before its slot is given up, s. */
const AWAY_SECONDS = 24 * 3600;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Nothing limits the WAL that a replication slot keeps',
  description:
    'Where replication slots exist and max_slot_wal_keep_size is −1: a day of WAL at the observed rate, at least four times max_wal_size and ' +
    'twice what any slot keeps now, in whole GB. A person decides: beyond it a slot is lost and its standby or subscriber must be made anew; ' +
    'without it a slot that nobody reads fills the disk and stops the server. The free space of the disk is not visible: it must be larger.',
  evaluate: (context) => {
    const row = setting(context, NAME);
    const max = setting(context, 'max_wal_size');
    const most = max ? settingBytes(max) : null;
    if (!row || most === null) return limited(settingNotVisible(`${NAME}, max_wal_size`));
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    const slots = context.snapshot.replication.slots.filter(({ temporary }) => !temporary);
    if (slots.length === 0) return reject('no_slots', 'there are no replication slots');
    if (row.setting !== '-1') return reject('limited_already', `it is ${row.setting} (× ${row.unit ?? ''})`);
    const wal = walSeen(context);
    const kept = Math.max(0, ...slots.map(({ retained_bytes }) => retained_bytes ?? 0));
    const day = wal === null ? 0 : wal.bytes_per_second * AWAY_SECONDS;
    const value = Math.ceil(Math.max(day, 4 * most, 2 * kept) / GB) * GB;
    const idle = slots.filter(({ active }) => !active).length;
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: `max(WAL of a day at the observed rate, ${formatMemory(Math.ceil(day / GB) * GB)}; 4 × max_wal_size ${formatMemory(most)}; 2 × the ${formatMemory(Math.max(1024, kept))} that a slot keeps now), in whole GB`,
      why: `${slots.length} slot(s), ${idle} of them without a reader, may keep WAL without end.`,
      unless:
        'A disk with less room than this wants a smaller value; consumers that may be away longer want a larger one.',
      severity: idle > 0 ? 'medium' : 'low',
      confidence: 0.5,
      direction: 'either',
      observed: false,
      evidence: [
        measured('replication slots', slots.length, 'slots', 'pg_replication_slots'),
        measured('slots without a reader', idle, 'slots', 'pg_replication_slots.active'),
        measured('most WAL that a slot keeps', kept, 'bytes', 'pg_replication_slots.restart_lsn'),
        ...(wal === null
          ? []
          : [...wal.evidence, computed('WAL of a day', day, 'bytes', 'wal_bytes ÷ seconds × 86400')]),
      ],
      byHand:
        'PgLuthier does not write it: a slot that falls behind further is lost, and that is for a person to accept.',
    });
  },
};
