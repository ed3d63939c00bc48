import { adviseTarget } from '../src/pipeline/index.ts';
import { eachTarget } from './each-target.ts';
import type { Job } from './job.ts';

const HOUR_MS = 3_600_000;

/** Nightly: the advisors over the last day of every target. One at a time: each runs a planner of its own. */
export const analysisJob: Job = {
  name: 'analysis',
  cron: (config) => config.jobs.analysis_cron,
  deadlineMs: 6 * HOUR_MS,
  run: (services, _, signal) =>
    eachTarget(services, { concurrency: 1, signal, patienceMs: HOUR_MS, connects: false }, (target) =>
      adviseTarget(services, target.id, { actor: 'job:analysis' }),
    ),
};
