/** How many sessions ran at once, estimated from samples. */
import type { ActivityPoint, Concurrency } from '../domain/index.ts';

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
  };
}
