/** What holds an approved change off although the target is as it was: stops, windows, the policy, disk, standbys. */
import {
  diskNeed,
  diskRefusal,
  type EarlierWal,
  isBuiltInParts,
  lagRefusal,
  longestLeafBuild,
  syncRefusal,
} from '../apply/index.ts';
import {
  type ApplyPolicy,
  type Change,
  longestOpening,
  needsRestart,
  nextOpening,
  openMinutes,
  PgLuthierError,
  type Recommendation,
} from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import type { Services } from './services.ts';

/** A reason not to begin now. */
export interface Refusal {
  /** Stable, snake_case. */
  code: string;
  message: string;
  /** ISO time from which on it will not hold; null: nobody knows. */
  until: string | null;
}

export interface GateOptions {
  targetId: string;
  policy: ApplyPolicy;
  recommendation: Recommendation;
  /** Who would begin it. */
  actor: string;
}

/** Those that are known without asking the target. */
export async function gatesWithoutTarget(
  services: Services,
  { targetId, policy, recommendation, actor }: GateOptions,
): Promise<Refusal[]> {
  const refusals = await gatesOfRecovery(services, targetId, policy, recommendation.change);
  // Of what is built in parts the target tells how long each takes.
  const whole = recommendation.estimate.build_seconds ?? null;
  const short = isBuiltInParts(recommendation.change) ? null : windowTooShort(policy, whole, services.now());
  if (short) refusals.push(short);
  if (policy.four_eyes) {
    const [approval] = await services.store.approvals.list(targetId, {
      limit: 1,
      recommendation_id: recommendation.id,
    });
    if (approval?.actor === actor) {
      refusals.push({
        code: 'four_eyes',
        message: `${actor} approved it; the policy wants somebody else to start it.`,
        until: null,
      });
    }
  }
  return refusals;
}

/** Those of anything that is sent, be it only to tidy up what an interrupted apply left. */
export async function gatesOfRecovery(
  services: Services,
  targetId: string,
  policy: ApplyPolicy,
  change?: Change,
): Promise<Refusal[]> {
  const stop = await services.store.applyStops.over(targetId);
  const refusals: Refusal[] = stop ? [stopRefusal(stop, targetId)] : [];
  if (policy.mode === 'dry_run') {
    refusals.push({
      code: 'policy_dry_run',
      message: "The target's policy is dry_run: nothing is sent to it.",
      until: null,
    });
  }
  const closed = outsideWindow(policy, services.now(), change);
  return closed ? [...refusals, closed] : refusals;
}

/** Asked before each statement of a recovery: why it may not be sent now, in words; null: it may. */
export function heldInRecovery(services: Services, targetId: string): () => Promise<string | null> {
  return async () => {
    const policy = await services.store.applyPolicies.get(targetId);
    const refusals = await gatesOfRecovery(services, targetId, policy);
    return refusals.map(({ message }) => message).join(' ') || null;
  };
}

export function stopRefusal(
  stop: { scope: string; stopped_by: string; stopped_at: string; because: string },
  targetId: string,
): Refusal {
  const what = stop.scope === targetId ? 'Applying on this target' : 'All applying';
  return {
    code: 'apply_stopped',
    message: `${what} was stopped by ${stop.stopped_by} at ${stop.stopped_at}: ${stop.because}`,
    until: null,
  };
}

function outsideWindow({ windows }: ApplyPolicy, now: Date, change?: Change): Refusal | null {
  if (windows.length === 0 || openMinutes(windows, now) > 0) return null;
  const until = nextOpening(windows, now)?.toISOString() ?? null;
  const kept =
    change && needsRestart(change)
      ? ' With others that a restart brings into force it is kept for one window.'
      : '';
  return {
    code: 'outside_window',
    message: `No maintenance window is open; the next opens at ${until ?? 'no time'}.${kept}`,
    until,
  };
}

/** A statement of so many seconds, by its estimate, would go on after the windows have closed. Null: it would not, or nobody knows. */
export function windowTooShort({ windows }: ApplyPolicy, seconds: number | null, now: Date): Refusal | null {
  const open = windows.length === 0 ? 0 : openMinutes(windows, now);
  if (open === 0 || seconds === null || seconds <= open * 60) return null;
  const longest = longestOpening(windows, now);
  return {
    code: 'window_too_short',
    message: `It takes an estimated ${Math.ceil(seconds / 60)} minutes; the window closes in ${Math.floor(open)}${seconds > longest * 60 ? `, and the longest lasts ${Math.floor(longest)}` : ''}.`,
    until: null,
  };
}

/** Those that the target knows: how long each build takes, free disk by the policy's budget, and standbys. */
export async function gatesOfTarget(
  services: Services,
  session: TargetSession,
  { targetId, policy, recommendation }: Pick<GateOptions, 'targetId' | 'policy' | 'recommendation'>,
): Promise<{ refusals: Refusal[]; disk_bytes: number | null }> {
  const { change, estimate } = recommendation;
  const disk_bytes = await diskNeed(session, change, estimate.size_bytes);
  const short = isBuiltInParts(change)
    ? windowTooShort(
        policy,
        await longestLeafBuild(session, change, estimate.build_seconds ?? null),
        services.now(),
      )
    : null;
  const found = [
    diskRefusal(disk_bytes, policy.disk_budget_bytes),
    await syncRefusal(session, change),
    await lagRefusal(
      session,
      policy.max_replica_lag_seconds,
      await walBefore(services, targetId, policy.max_replica_lag_seconds),
    ),
  ];
  return {
    disk_bytes,
    refusals: [
      ...(short ? [short] : []),
      ...found.flatMap((one) => (one ? [{ code: one.code, message: one.message, until: null }] : [])),
    ],
  };
}

/** The end of WAL by the newest snapshot that is at least so old. Null: there is none, or it did not see it. */
async function walBefore(
  { store, now }: Services,
  targetId: string,
  seconds: number,
): Promise<EarlierWal | null> {
  const at = now();
  const then = new Date(at.getTime() - seconds * 1000);
  const from = await store.snapshots.newestUntil(targetId, then);
  if (!from) return null;
  const { counters } = await store.snapshots.get(targetId, from.id);
  const position_bytes = counters.transaction_ids?.wal_position_bytes ?? null;
  if (position_bytes === null) return null;
  return { position_bytes, seconds: (at.getTime() - Date.parse(from.collected_at)) / 1000 };
}

const remedies: Record<string, string> = {
  apply_stopped: 'Lift the stop when its reason is gone.',
  policy_dry_run: 'Export it as a migration, or change the mode of the policy.',
  outside_window: 'Schedule it, and it is applied when the window opens.',
  window_too_short: 'Wait for a longer window, or widen it.',
  four_eyes: 'Have another person start it.',
  disk_need_unknown: 'Take the budget off the policy if there is room for certain.',
  disk_budget_exceeded: 'Make room and raise disk_budget_bytes of the policy.',
  replica_lag: 'Wait until the standbys have caught up.',
  sync_standby_missing: 'Bring the standby back, or take it out of synchronous_standby_names.',
};

/** The 409 (403 for four eyes) of what holds it off; its code is the first reason's. */
export function refusalError(refusals: readonly Refusal[]): PgLuthierError | null {
  const [first] = refusals;
  if (!first) return null;
  return new PgLuthierError({
    code: first.code,
    status: first.code === 'four_eyes' ? 403 : 409,
    message: refusals.map(({ message }) => message).join(' '),
    remedy: remedies[first.code] ?? 'See refusals.',
    details: { refusals },
  });
}
