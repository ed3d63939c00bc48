/**
 * Did VACUUM or ANALYZE run? By the target's own word before and after, so that no clock of ours has to agree with
 * its: a journal's time against a target's hour that is off would take another run for ours, or miss ours.
 */
import {
  type ApplyOutcome,
  type Change,
  type JournalEntry,
  quoteLiteral,
  quoteQualified,
} from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { type ApplyRun, applied, failed, recordedState, recordState } from './run.ts';

type Maintenance = Extract<Change, { kind: 'vacuum' | 'analyze' }>;

/** Keeps when the table was vacuumed or analysed last, before it is again; null: never. */
export async function recordLastRun(run: ApplyRun, change: Maintenance, last: string | null): Promise<void> {
  const counters_since = await countersSince(run.session);
  await recordState(run, lastRunStatement(change), { last, counters_since });
}

/**
 * Is a run of `now` later than what was there before? Both are the target's word. Of a partitioned table `before` is the
 * newest of its leaves and `now` the oldest: a run that was cut off between two leaves is none of the whole.
 */
export function isNewer(before: string | null, now: string | null): now is string {
  return now !== null && now !== before && (before === null || Date.parse(now) >= Date.parse(before));
}

/** Counters do not outlive a crash of the server; it then gives those of the whole server a new beginning. */
async function countersSince(session: TargetSession): Promise<string | null> {
  const [row] = await session.query<{ since: string | null }>(
    'SELECT stats_reset AS since FROM pg_stat_bgwriter',
  );
  return row?.since ?? null;
}

function lastRunStatement({ kind, schema, table }: Maintenance): string {
  return `SELECT last_${kind} FROM pg_stat_all_tables WHERE relid = ${quoteLiteral(quoteQualified(schema, table))}::regclass`;
}

/** After an interruption: a run that the record does not know had its effect, be it ours or autovacuum's meanwhile. */
export async function recoverLastRun(
  session: TargetSession,
  change: Maintenance,
  sent: readonly JournalEntry[],
  reason: { code: string; message: string },
  readLast: () => Promise<string | null>,
): Promise<ApplyOutcome> {
  const recorded = recordedState(sent, lastRunStatement(change));
  const begun = sent.some((entry) => entry.sql !== lastRunStatement(change));
  if (recorded === null || !begun) return failed(reason.code, `${reason.message} Nothing had been sent.`);
  const last = await readLast();
  if (isNewer(recorded.last as string | null, last)) {
    return applied({ recovered: true, [`last_${change.kind}`]: last });
  }
  const command = change.kind.toUpperCase();
  return (await countersSince(session)) !== recorded.counters_since
    ? failed(
        'effect_unknown',
        `${reason.message} The server has lost its counters since (a crash, or a reset), so that nobody can tell whether the ${command} ran. Another one does no harm.`,
      )
    : failed(reason.code, `${reason.message} The table, or a partition of it, shows no newer ${command}.`);
}
