import type { Job } from './job.ts';

/** Nightly: snapshots older than the retention go, with the texts that nothing else refers to. */
export const retentionJob: Job = {
  name: 'retention',
  cron: (config) => config.jobs.retention_cron,
  deadlineMs: 30 * 60_000,
  run: async (services, config) => ({
    ...(await services.store.retention.drop({ snapshotsOlderThanDays: config.retention_days })),
  }),
};
