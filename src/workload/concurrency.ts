/** How many sessions ran at once, estimated from samples. */
import type { ActivityPoint, Concurrency, RolePeak } from '../domain/index.ts';

/** Smallest value that a share `p` of the sorted values does not exceed (nearest rank, as percentile_disc()). */
function percentile(sorted: readonly number[], p: number): number {
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? 0;
}

/**
 * Percentiles over samples of activity. Samples that are taken every minute miss what lasts for seconds: a maximum is
 * a lower bound, a percentile of many samples is not biased. Null without samples.
 */
export function concurrencyOf(points: readonly ActivityPoint[]): Concurrency | null {
  if (points.length === 0) return null;
  const sorted = (read: (point: ActivityPoint) => number) => points.map(read).sort((a, b) => a - b);
  const active = sorted((point) => point.active);
  const total = sorted((point) => point.total);
  const xmins = points.flatMap((point) => point.oldest_xmin_age ?? []);
  const byRole = peaksByRole(points);
  return {
    samples: points.length,
    active_p50: percentile(active, 0.5),
    active_p95: percentile(active, 0.95),
    active_max: active.at(-1) ?? 0,
    total_p95: percentile(total, 0.95),
    total_max: total.at(-1) ?? 0,
    idle_in_transaction_p95: percentile(
      sorted((point) => point.idle_in_transaction),
      0.95,
    ),
    waiting_for_lock_max: Math.max(...points.map((point) => point.waiting_for_lock)),
    oldest_xmin_age_max: xmins.length > 0 ? Math.max(...xmins) : null,
    ...(byRole ? { by_role: byRole } : {}),
  };
}

/** Undefined where no sample counted roles. */
function peaksByRole(points: readonly ActivityPoint[]): Concurrency['by_role'] {
  const peaks = new Map<string, RolePeak>();
  let samples = 0;
  let leftOut: NonNullable<Concurrency['by_role']>['left_out'];
  for (const { roles, roles_left_out: rest } of points) {
    if (roles === undefined) continue;
    samples += 1;
    for (const [role, atWork, connected] of roles) {
      const peak = peaks.get(role) ?? { role, samples: 0, at_work_max: 0, connected_max: 0 };
      peaks.set(role, {
        role,
        samples: peak.samples + 1,
        at_work_max: Math.max(peak.at_work_max, atWork),
        connected_max: Math.max(peak.connected_max, connected),
      });
    }
    if (rest) {
      leftOut = {
        at_work_max: Math.max(leftOut?.at_work_max ?? 0, rest[0]),
        connected_max: Math.max(leftOut?.connected_max ?? 0, rest[1]),
      };
    }
  }
  if (samples === 0) return undefined;
  const sorted = [...peaks.values()].sort((a, b) => (a.role < b.role ? -1 : 1));
  return { samples, peaks: sorted, ...(leftOut ? { left_out: leftOut } : {}) };
}
