/** Parallel workers that queries planned with and did not get (pg_stat_database, 18 and newer). */
import type { Evidence, RuleContext } from '../../domain/index.ts';
import { computed, measured } from './facts.ts';
import { cumulative, observed } from './observed.ts';

/** Fewer planned workers say nothing. */
const ENOUGH = 100;
/** Fewer that start than this share, and plans are slower than they were meant to be. */
const STARTED = 0.9;

export interface WorkerShortage {
  /** Of the workers that plans wanted, 0..1. */
  share_started: number;
  evidence: Evidence[];
}

/** Null: all but a tenth started, too few were wanted, or this version does not count them. */
export function workerShortage(context: RuleContext): WorkerShortage | null {
  for (const seen of [observed(context, 'database'), cumulative(context, 'database')]) {
    const { parallel_workers_to_launch: wanted, parallel_workers_launched: started } = seen?.counted ?? {};
    if (!seen || typeof wanted !== 'number' || typeof started !== 'number' || wanted < ENOUGH) continue;
    const share_started = started / wanted;
    if (share_started >= STARTED) return null;
    const source = (column: string) => `pg_stat_database.${column}, ${seen.period}`;
    return {
      share_started,
      evidence: [
        measured('workers that plans wanted', wanted, 'workers', source('parallel_workers_to_launch')),
        measured('workers that started', started, 'workers', source('parallel_workers_launched')),
        computed('share that started', share_started, 'share', 'launched ÷ to_launch'),
      ],
    };
  }
  return null;
}
