/** Whether the volume of WAL is anybody's problem: an archive, standbys or readers of slots that do not keep up with it. */
import type { Evidence, RuleContext } from '../../domain/index.ts';
import { computed, measured, setting } from './facts.ts';
import { settingBytes } from './units.ts';
import type { WalSeen } from './wal.ts';

/** Behind by more segments than this is no hiccup. */
const BEHIND_SEGMENTS = 64;
/** Of the segments written; fewer archived, and the archive falls behind. */
const ARCHIVED_SHARE = 0.9;
/** Fewer segments than this say nothing of an archive's speed: a whole one is archived when it is full. */
const ENOUGH_SEGMENTS = 20;
const DEFAULT_SEGMENT = 16 * 1024 ** 2;

/**
 * What was seen, empty: nothing. An archive that fails and slots without a reader are not among it: less WAL does not
 * mend those.
 */
export function walVolumeTroubles(context: RuleContext, seen: WalSeen): Evidence[] {
  const row = setting(context, 'wal_segment_size');
  const segment = (row && settingBytes(row)) ?? DEFAULT_SEGMENT;
  const behind = BEHIND_SEGMENTS * segment;
  const { senders, slots } = context.snapshot.replication;
  const troubles = archiveBehind(context, seen, segment);
  // Sent: the network; flushed: the standby's disk. Replay is neither, and pages cost it less whole than compressed.
  const lag = Math.max(
    0,
    ...senders.map(({ sent_lag_bytes, flush_lag_bytes }) =>
      Math.max(sent_lag_bytes ?? 0, flush_lag_bytes ?? 0),
    ),
  );
  if (lag >= behind) {
    troubles.push(
      measured('most WAL that a standby has not flushed yet', lag, 'bytes', 'pg_stat_replication.flush_lsn'),
    );
  }
  const kept = Math.max(
    0,
    ...slots
      .filter(({ active, temporary }) => active && !temporary)
      .map(({ retained_bytes }) => retained_bytes ?? 0),
  );
  if (kept >= behind) {
    troubles.push(
      measured(
        'most WAL kept for a slot that is being read',
        kept,
        'bytes',
        'pg_replication_slots.restart_lsn',
      ),
    );
  }
  return troubles;
}

function archiveBehind(context: RuleContext, seen: WalSeen, segment: number): Evidence[] {
  const { window, snapshot } = context;
  const mode = setting(context, 'archive_mode')?.setting ?? 'off';
  const counted = seen.source === 'window' ? window?.counters?.archiver : snapshot.counters.archiver;
  if (mode === 'off' || !counted || counted.failed_count > 0) return [];
  if (seen.source === 'cumulative' && !beganTogether(context)) return [];
  const written = Math.floor(seen.bytes / segment);
  if (written < ENOUGH_SEGMENTS || counted.archived_count >= ARCHIVED_SHARE * written) return [];
  return [
    measured(
      'segments archived',
      counted.archived_count,
      'segments',
      `pg_stat_archiver.archived_count, ${seen.period}`,
    ),
    computed('segments written', written, 'segments', `wal_bytes ÷ ${segment} bytes, ${seen.period}`),
  ];
}

/** Counters since their resets are only compared where those were the same. */
function beganTogether({ snapshot }: RuleContext): boolean {
  const { wal, archiver } = snapshot.counters;
  const [one, other] = [wal?.stats_reset, archiver?.stats_reset].map((time) => Date.parse(time ?? ''));
  return one !== undefined && other !== undefined && Math.abs(one - other) < 1000;
}
