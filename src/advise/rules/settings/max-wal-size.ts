/** max_wal_size from checkpoints that WAL forced, and from how fast WAL is written. */
import type { Rule, RuleContext, RuleResult } from '../../../domain/index.ts';
import { maxWalSizeOf } from '../../settings/baseline.ts';
import { computed, limited, measured, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { cumulative, observed } from '../../settings/observed.ts';
import { propose } from '../../settings/propose.ts';
import { formatMemory, GB, settingBytes, settingSeconds } from '../../settings/units.ts';
import { walCap } from '../../settings/wal-cap.ts';
import { workloadType } from '../../settings/workload-type.ts';

const ID = 'settings/max-wal-size';
const NAME = 'max_wal_size';
/** Fewer checkpoints than this say nothing about which kind prevails. */
const ENOUGH_CHECKPOINTS = 5;
/** Above this share of requested checkpoints, WAL is what triggers them. */
const REQUESTED_SHARE = 0.1;
/** WAL is not written evenly. */
const UNEVENNESS = 1.3;
/** Rates over less than an hour are less sure. */
const SHORT_SECONDS = 3600;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'max_wal_size makes checkpoints come too early',
  description:
    'Fires only where more than a tenth of at least five checkpoints were requested rather than timed, in the window or, ' +
    'where that has too few, since their counting began. Proposes the WAL of one checkpoint_timeout at the observed rate ' +
    '× (1 + checkpoint_completion_target) × 1.3; where that rate does not explain it (bursts), the static value by workload ' +
    "type. What counted for less than one checkpoint_timeout is too young: its rate would be stretched to that. The WAL's disk is not " +
    'visible and must have the room, so at most twice the RAM, half of the database or the static value, whichever is most, and 64 GB.',
  evaluate: (context) => {
    const timeout = checkpointTimeout(context);
    const seen = enoughCheckpoints(context, timeout ?? 0);
    if (seen === 'young') {
      return no(
        'statistics_too_young',
        `checkpoints were counted for less than one checkpoint_timeout of ${timeout} s: a rate of WAL would be stretched beyond what was seen`,
      );
    }
    if (seen === null) {
      return no(
        'no_evidence',
        `fewer than ${ENOUGH_CHECKPOINTS} checkpoints were counted: nothing says that they come too early`,
      );
    }
    const { timed, requested } = seen.counted;
    const share = requested / (timed + requested);
    if (share <= REQUESTED_SHARE) {
      return no(
        'checkpoints_are_timed',
        `${requested} of ${timed + requested} checkpoints were requested (${seen.period}): the others came in their time`,
      );
    }
    return fromWal(context, seen, share);
  },
};

type Seen = NonNullable<Exclude<ReturnType<typeof enoughCheckpoints>, 'young'>>;

const no = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });

/** Seconds; null: not visible. */
function checkpointTimeout(context: RuleContext): number | null {
  const row = setting(context, 'checkpoint_timeout');
  return row ? settingSeconds(row) : null;
}

/** `young`: enough of them, but within less than `least` seconds. Null: too few. */
function enoughCheckpoints(context: RuleContext, least: number) {
  const enough = [observed(context, 'checkpoints'), cumulative(context, 'checkpoints')].filter(
    (seen) => seen !== null && seen.counted.timed + seen.counted.requested >= ENOUGH_CHECKPOINTS,
  );
  const old = enough.find((seen) => seen !== null && !(seen.seconds !== null && seen.seconds < least));
  return old ?? (enough.length > 0 ? 'young' : null);
}

/** WAL and its rate in the same period as the checkpoints; rate null where its length is not known. */
function walOf(context: RuleContext, { source }: Seen) {
  const wal = (source === 'window' ? observed : cumulative)(context, 'wal');
  return { wal, rate: wal === null || wal.seconds === null ? null : wal.counted.wal_bytes / wal.seconds };
}

function fromWal(context: RuleContext, seen: Seen, share: number): RuleResult {
  const row = setting(context, NAME);
  const timeout = checkpointTimeout(context);
  const present = row ? settingBytes(row) : null;
  if (present === null || timeout === null) return limited(settingNotVisible(`${NAME}, checkpoint_timeout`));
  const spread = Number(setting(context, 'checkpoint_completion_target')?.setting ?? 0.9);
  const { wal, rate } = walOf(context, seen);
  if (wal?.seconds != null && wal.seconds < timeout) {
    return no(
      'statistics_too_young',
      `WAL was counted for ${Math.round(wal.seconds)} s, less than one checkpoint_timeout of ${timeout} s`,
    );
  }
  const byRate = rate === null ? 0 : roundUp(rate * timeout * (1 + spread) * UNEVENNESS);
  const type = workloadType(context);
  const cap = walCap(context, type.type);
  const explained = byRate > present * 1.25;
  const wanted = explained ? byRate : maxWalSizeOf(type.type);
  if (wanted <= present) {
    return no(
      'rate_does_not_explain',
      `${(100 * share).toFixed(0)} % of the checkpoints were requested (${seen.period}), but WAL is written too slowly to fill ${formatMemory(present)} in ${timeout} s: bursts, CHECKPOINT commands, base backups or CREATE DATABASE`,
    );
  }
  if (cap.bytes <= present) {
    return no(
      'as_large_as_the_host_allows',
      `${formatMemory(wanted)} would be wanted, and ${formatMemory(present)} is what a host of this size may spend on WAL: ${cap.evidence.formula}`,
    );
  }
  const all = seen.counted.timed + seen.counted.requested;
  const short = seen.seconds === null || seen.seconds < SHORT_SECONDS;
  return propose(context, {
    rule: ID,
    name: NAME,
    value: Math.min(wanted, cap.bytes),
    formula: explained
      ? `${formatMemory(Math.max(rate ?? 0, 1024))}/s × checkpoint_timeout ${timeout} s × (1 + checkpoint_completion_target ${spread}) × ${UNEVENNESS}, in whole GB${byRate > cap.bytes ? ` (${formatMemory(byRate)})` : ''}, at most ${formatMemory(cap.bytes)}`
      : `by workload type: ${type.type} (the mean rate of WAL hides the bursts)`,
    why: `${(100 * share).toFixed(0)} % of ${all} checkpoints were requested (${seen.period}): WAL filled up before their time. Each makes the next change of every page log the whole page again.`,
    unless:
      'CHECKPOINT commands, base backups and CREATE DATABASE request checkpoints too: if those are all, nothing is gained.',
    severity: explained ? 'medium' : 'low',
    confidence: Math.max(0.4, (explained ? 0.8 : 0.55) - (short ? 0.2 : 0)),
    direction: 'raise',
    observed: true,
    evidence: [
      measured(
        'checkpoints requested',
        seen.counted.requested,
        null,
        `${checkpointView(context)}, ${seen.period}`,
      ),
      measured('checkpoints timed', seen.counted.timed, null, `${checkpointView(context)}, ${seen.period}`),
      ...(wal === null || rate === null
        ? []
        : [
            measured('WAL written', wal.counted.wal_bytes, 'bytes', `pg_stat_wal.wal_bytes, ${wal.period}`),
            computed(
              'WAL in one checkpoint_timeout',
              rate * timeout,
              'bytes',
              'wal_bytes / seconds × checkpoint_timeout',
            ),
          ]),
      cap.evidence,
      type.evidence,
    ],
    notes: [
      'WAL may take that much disk (and more with slots or a failing archive): look at the free space first, which is not visible from here.',
      'Recovery after a crash reads more WAL and takes longer.',
    ],
  });
}

function checkpointView({ snapshot }: RuleContext): string {
  return snapshot.server.server_version_num >= 170000 ? 'pg_stat_checkpointer' : 'pg_stat_bgwriter';
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / GB) * GB;
}
