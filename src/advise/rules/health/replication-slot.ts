/** Slots that nobody reads, or that keep much WAL. */
import type { ReplicationSlot, RuleContext } from '../../../domain/index.ts';
import { quoteLiteral } from '../../../domain/index.ts';
import { type Found, healthRule } from '../../health/check.ts';
import { DAY, elapsed, HOUR, size, span } from '../../health/words.ts';
import { measured, setting } from '../../settings/facts.ts';

const GB = 1024 ** 3;
const MUCH_INACTIVE = GB;
const MUCH = 10 * GB;
const VERY_MUCH = 50 * GB;

export const rule = healthRule(
  'replication-slot',
  'A replication slot is lost, unused, or keeps much WAL',
  'Lost or invalidated slots; inactive ones that keep 1 GB of WAL, or (17 and newer) are inactive for a day; active ones ' +
    'that keep 10 GB. High where max_slot_wal_keep_size sets no limit and 50 GB are kept, or wal_status is unreserved. ' +
    'WAL is measured from the replayed position on a standby, where logical slots may be synchronised copies and are left alone.',
  (context) => {
    const { snapshot } = context;
    // Slots that are synchronised from the primary (17) are inactive on a standby, as they should be.
    const copies = snapshot.server.in_recovery && snapshot.server.server_version_num >= 170000;
    const [left, looked] = [
      snapshot.replication.slots.filter((slot) => copies && slot.slot_type === 'logical'),
      snapshot.replication.slots.filter(
        (slot) => !(copies && slot.slot_type === 'logical') && !slot.temporary,
      ),
    ];
    return {
      found: looked.flatMap((slot) => found(slot, context)),
      rejections: left.map((slot) => ({
        candidate: `slot ${slot.name}`,
        code: 'may_be_synchronised',
        reason: 'a logical slot on a standby may be a copy that follows the primary: look at it there',
      })),
    };
  },
);

function found(slot: ReplicationSlot, context: RuleContext): Found[] {
  const retained = slot.retained_bytes ?? 0;
  const idle = slot.active ? null : elapsed(slot.inactive_since, context.snapshot.taken_at);
  const isLost = slot.wal_status === 'lost' || slot.invalidation_reason !== null;
  const keep = setting(context, 'max_slot_wal_keep_size');
  const unlimited = keep?.setting === '-1';
  const fires =
    isLost ||
    (slot.active ? retained >= MUCH : retained >= MUCH_INACTIVE || (idle !== null && idle >= DAY)) ||
    (slot.wal_status === 'unreserved' && (idle === null || idle >= HOUR));
  if (!fires) return [];
  const drop = `SELECT pg_drop_replication_slot(${quoteLiteral(slot.name)});`;
  const grave = (unlimited && retained >= VERY_MUCH) || slot.wal_status === 'unreserved';
  const since = idle === null ? '' : ` for ${span(idle)}`;
  return [
    {
      object: slot.name,
      title: isLost
        ? `The replication slot ${slot.name} is lost`
        : slot.active
          ? `The receiver of the slot ${slot.name} is ${size(retained)} of WAL behind`
          : `Nobody reads the slot ${slot.name}${since}; it keeps ${size(retained)} of WAL`,
      rationale: isLost
        ? `${lossOf(slot)}: whoever used it must be set up anew, and the slot can go.`
        : `WAL from its position on stays in pg_wal${unlimited ? ', without a limit (max_slot_wal_keep_size = −1): in the end its disk is full and the server stops' : ' up to max_slot_wal_keep_size; then the slot is lost'}.${slot.xmin_age === null && slot.catalog_xmin_age === null ? '' : ' It holds back vacuum as well.'}`,
      severity: isLost ? 'medium' : grave ? 'high' : retained >= MUCH_INACTIVE ? 'medium' : 'low',
      evidence: [
        measured('WAL kept', slot.retained_bytes, 'bytes', 'pg_replication_slots.restart_lsn'),
        measured('wal_status', slot.wal_status, null, 'pg_replication_slots'),
        measured('active', slot.active, null, 'pg_replication_slots'),
        measured(
          'bytes until it may be lost',
          slot.safe_wal_bytes,
          'bytes',
          'pg_replication_slots.safe_wal_size',
        ),
        measured('xmin age', slot.xmin_age, 'transactions', 'pg_replication_slots.xmin'),
        measured(
          'catalog_xmin age',
          slot.catalog_xmin_age,
          'transactions',
          'pg_replication_slots.catalog_xmin',
        ),
        ...(idle === null
          ? []
          : [measured('inactive for', span(idle), null, 'pg_replication_slots.inactive_since')]),
      ],
      remedy: slot.active
        ? [
            'Look at what its receiver waits for: disk, network, a long transaction (logical decoding sends at commit).',
          ]
        : [
            isLost
              ? `Once its receiver is set up anew: ${drop}`
              : `Bring its receiver back, or if nobody needs it: ${drop}`,
            'max_slot_wal_keep_size caps what slots may keep, at the price of losing the slot.',
          ],
    },
  ];
}

/** WAL is one reason of several from 16 on: rows that a standby removed, wal_level, and (18) idle_replication_slot_timeout. */
function lossOf({ invalidation_reason: reason, wal_status }: ReplicationSlot): string {
  return reason === null || reason === 'wal_removed'
    ? `Its WAL is gone (${reason ?? wal_status})`
    : `The server has invalidated it (${reason})`;
}
