/** The ticker: node-cron fires, the store decides which replica runs, and every run leaves a record. */
import { hostname } from 'node:os';
import { type ScheduledTask, schedule } from 'node-cron';
import type { Config } from '../src/config.ts';
import { PgLuthierError } from '../src/domain/index.ts';
import type { Services } from '../src/pipeline/index.ts';
import { analysisJob } from './analysis.ts';
import type { Job } from './job.ts';
import { retentionJob } from './retention.ts';
import { rollUpJob } from './roll-up.ts';
import { snapshotDispatcher, snapshotTickCron } from './snapshot.ts';
import { targetListJob } from './target-list.ts';
import { verifyJob } from './verify.ts';
import { windowsJob } from './windows.ts';

/** How long after its deadline a run that never ended counts as abandoned. */
const ABANDONED_AFTER_MS = 60_000;

const allJobs: Job[] = [targetListJob, analysisJob, verifyJob, retentionJob, rollUpJob, windowsJob];

/** Starts all jobs in the configured time zone; the returned function stops them. */
export function startJobs(services: Services, config: Config, jobs: Job[] = allJobs): () => Promise<void> {
  const instance = `${hostname()}:${process.pid}`;
  const tasks: ScheduledTask[] = jobs.map((job) =>
    schedule(
      job.cron(config),
      async (context) => {
        await runJob(services, config, job, context.date, instance);
      },
      // noOverlap holds within this process; the claim in the store holds between replicas.
      { name: job.name, timezone: config.jobs.time_zone, noOverlap: true, unref: true },
    ),
  );
  for (const job of jobs) void recordAbandoned(services, job);
  const dispatcher = snapshotDispatcher(services, config, instance);
  tasks.push(
    schedule(snapshotTickCron, () => dispatcher.tick(), { name: 'snapshot', noOverlap: true, unref: true }),
  );
  return async () => {
    await Promise.all(tasks.map((task) => task.destroy()));
    await dispatcher.stop();
  };
}

/** Runs of replicas that are gone: they cannot end any more. */
async function recordAbandoned(services: Services, job: Job): Promise<void> {
  const before = new Date(services.now().getTime() - job.deadlineMs - ABANDONED_AFTER_MS);
  try {
    const runs = await services.store.jobRuns.abandon(job.name, before);
    if (runs > 0) services.logger.warn({ job: job.name, runs }, 'runs of a replica that is gone');
  } catch (error) {
    services.logger.error({ err: error, job: job.name }, 'abandoned runs could not be recorded');
  }
}

/**
 * One fire of one job: claimed in the store, run under its deadline, recorded. False: another replica has this fire.
 */
export async function runJob(
  services: Services,
  config: Config,
  job: Job,
  fireAt: Date,
  instance: string,
): Promise<boolean> {
  const log = services.logger.child({ job: job.name });
  if (job.isDue && !(await job.isDue(services, config))) return false;
  const runId = await services.store.jobRuns
    .claim({ job: job.name, fire_at: fireAt, instance })
    .catch((error: unknown) => {
      log.error({ err: error }, 'the store did not answer; this fire is missed');
      return null;
    });
  if (runId === null) return false;
  await recordAbandoned(services, job);
  let timer: NodeJS.Timeout | undefined;
  const over = new AbortController();
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        over.abort();
        reject(
          new PgLuthierError({
            code: 'job_deadline_exceeded',
            status: 504,
            message: `${job.name} took longer than its deadline of ${job.deadlineMs} ms.`,
          }),
        );
      }, job.deadlineMs);
    });
    const details = await Promise.race([
      job.run(services, config, AbortSignal.any([over.signal, services.background.signal])),
      late,
    ]);
    await services.store.jobRuns.finish(runId, { state: 'succeeded', details, error: null });
  } catch (error) {
    log.error({ err: error }, 'job failed');
    const message = error instanceof PgLuthierError ? `${error.code}: ${error.message}` : 'internal_error';
    await services.store.jobRuns
      .finish(runId, { state: 'failed', details: null, error: message })
      .catch((failure: unknown) => log.error({ err: failure }, 'the failed run could not be recorded'));
  } finally {
    clearTimeout(timer);
  }
  return true;
}
