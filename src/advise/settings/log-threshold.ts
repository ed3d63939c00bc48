/** From which duration on statements can be logged without filling the log. */
import type { RuleContext } from '../../domain/index.ts';
import { LOG_STATEMENT_MS } from './log-settings.ts';

const STEPS_MS = [250, 500, 1000, 2000, 5000, 10_000, 30_000];
/** Lines an hour that a person may still look through. */
export const MOST_PER_HOUR = 600;

export interface LogThreshold {
  ms: number;
  /** Lines an hour that it brings at most; null: no time is known, so no rate. */
  per_hour: number | null;
}

/**
 * The smallest step with at most 600 lines an hour. Of a statement whose mean is below the step at most
 * σ² ÷ (σ² + (step − mean)²) of its calls lie above it (Cantelli's inequality), whatever their distribution.
 */
export function logThreshold({ workload }: RuleContext): LogThreshold {
  const { queries, seconds } = workload;
  if (seconds === null || seconds <= 0) return { ms: LOG_STATEMENT_MS, per_hour: null };
  let last: LogThreshold = { ms: STEPS_MS[0] ?? 250, per_hour: 0 };
  for (const ms of STEPS_MS) {
    const lines = queries.reduce(
      (sum, query) => sum + query.calls * shareAbove(ms, query.mean_exec_time_ms, query.stddev_exec_time_ms),
      0,
    );
    last = { ms, per_hour: (lines * 3600) / seconds };
    if ((last.per_hour ?? 0) <= MOST_PER_HOUR) return last;
  }
  return last;
}

function shareAbove(ms: number, mean: number, deviation: number): number {
  if (mean >= ms) return 1;
  if (deviation === 0) return 0;
  return deviation ** 2 / (deviation ** 2 + (ms - mean) ** 2);
}
