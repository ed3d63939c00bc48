/** What time the writes of a workload were counted over, in words. */
import type { RuleContext } from '../../domain/index.ts';

/** Completes "write cost …". Without a window the counters go back to their reset; files tell calls, and no time. */
export function periodWords({
  window,
  workload,
}: {
  window: RuleContext['window'];
  workload: Pick<RuleContext['workload'], 'source'>;
}): string {
  if (workload.source === 'files') return 'of the given statements';
  return window === null ? 'since the counters began' : 'in the window';
}
