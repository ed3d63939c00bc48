import type { Job } from './job.ts';

/** Nightly: of older days, only what longer windows need is kept. */
export const rollUpJob: Job = {
  name: 'roll-up',
  cron: (config) => config.jobs.roll_up_cron,
  deadlineMs: 2 * 3_600_000,
  run: async (services, config) => ({
    ...(await services.store.rollUps.run({
      hourlyAfterDays: config.hourly_after_days,
      dailyAfterDays: config.daily_after_days,
      now: services.now(),
      signal: services.background.signal,
    })),
  }),
};
