import { applyInWindow, lapseRecommendations } from '../src/pipeline/index.ts';
import { eachTarget } from './each-target.ts';
import type { Job } from './job.ts';

/** Every minute: snoozes end, old approvals expire, and what waits for a window or fits a policy is begun. */
export const windowsJob: Job = {
  name: 'windows',
  cron: () => '* * * * *',
  deadlineMs: 10 * 60_000,
  // Advice that grows old is looked at once an hour.
  isDue: async (services) =>
    services.now().getUTCMinutes() === 0 || (await services.store.recommendations.isTimeDue(services.now())),
  run: async (services, config, signal) => {
    const lapsed = await lapseRecommendations(services);
    const options = { concurrency: config.concurrency, signal, patienceMs: 5 * 60_000, connects: true };
    return {
      ...lapsed,
      ...(await eachTarget(services, options, (target) => applyInWindow(services, target))),
    };
  },
};
