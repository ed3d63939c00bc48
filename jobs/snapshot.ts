import { collectTarget } from '../src/pipeline/index.ts';
import { eachTarget } from './each-target.ts';
import type { Job } from './job.ts';

/** Every few minutes: a snapshot of every target. */
export const snapshotJob: Job = {
  name: 'snapshot',
  cron: (config) => config.jobs.snapshot_cron,
  deadlineMs: 4 * 60_000,
  run: (services, config) =>
    eachTarget(services, config.concurrency, (target) =>
      collectTarget(services, target.id, {
        cadence: 'auto',
        fullEveryMinutes: config.jobs.full_snapshot_minutes,
      }),
    ),
};
