/** What a server is mostly for, told by its own statements. */
import type { Evidence, RuleContext } from '../../domain/index.ts';
import type { WorkloadType } from './baseline.ts';

/** Calls that have to be seen before they say anything. */
const ENOUGH_CALLS = 1000;
/** Half of the time in statements at least so long, ms: few and large. */
const LONG_MS = 1000;
const SHORT_MS = 100;
const WRITING = new Set(['insert', 'update', 'delete', 'merge']);

/**
 * dw: at least half of the time goes into reads of a second and more. oltp and web: nine tenths of the calls are
 * short; oltp where at least three in ten write. Anything else, or too little to tell, is mixed.
 */
export function workloadType(context: RuleContext): { type: WorkloadType; evidence: Evidence } {
  const { queries, source } = context.workload;
  const told = (type: WorkloadType, formula: string) => ({
    type,
    evidence: {
      name: 'workload type',
      value: type,
      unit: null,
      source: source === 'files' ? 'the statements given' : 'pg_stat_statements',
      level: 'estimated' as const,
      formula,
    },
  });
  const calls = queries.reduce((sum, query) => sum + query.calls, 0);
  const time = queries.reduce((sum, query) => sum + query.total_exec_time_ms, 0);
  if (source === 'files' || calls < ENOUGH_CALLS || time <= 0) {
    return told('mixed', 'too few statements were seen to tell');
  }
  const share = (value: number, all: number) => `${((100 * value) / all).toFixed(0)} %`;
  const long = queries
    .filter((query) => query.class === 'select' && query.mean_exec_time_ms >= LONG_MS)
    .reduce((sum, query) => sum + query.total_exec_time_ms, 0);
  if (long >= time / 2)
    return told('dw', `${share(long, time)} of the time in reads of ${LONG_MS} ms and more`);
  const short = queries
    .filter((query) => query.mean_exec_time_ms < SHORT_MS)
    .reduce((sum, query) => sum + query.calls, 0);
  const writes = queries
    .filter((query) => WRITING.has(query.class))
    .reduce((sum, query) => sum + query.calls, 0);
  const words = `${share(short, calls)} of ${calls} calls under ${SHORT_MS} ms, ${share(writes, calls)} write`;
  if (short < 0.9 * calls) return told('mixed', words);
  return told(writes >= 0.3 * calls ? 'oltp' : 'web', words);
}
