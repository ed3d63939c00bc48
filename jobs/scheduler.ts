/** The ticker: node-cron fires, the store decides which replica runs, and every run leaves a record. */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
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

/**
 * Starts all jobs in the configured time zone. The returned function stops them: no run begins any more, those that are
 * there are told to end at their next safe point, and waited for within a bound.
 */
export function startJobs(services: Services, config: Config, jobs: Job[] = allJobs): () => Promise<void> {
  const instance = `${hostname()}:${process.pid}`;
  const stopping = new AbortController();
  const running = new Map<Promise<unknown>, string>();
  const tasks: ScheduledTask[] = jobs.map((job) =>
    schedule(
      job.cron(config),
      async (context) => {
        const run = runJob(services, config, job, context.date, instance, stopping.signal);
        running.set(run, job.name);
        await run.finally(() => running.delete(run));
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
    stopping.abort();
    await Promise.all(tasks.map((task) => task.destroy()));
    const snapshots = dispatcher.stop().finally(() => running.delete(snapshots));
    running.set(snapshots, 'snapshot');
    await endOf(running, services, config.stop_within_ms);
  };
}

/** Waits for the runs that are there, and says which were not done in time: what they had begun is not kept. */
async function endOf(
  running: ReadonlyMap<Promise<unknown>, string>,
  { logger }: Services,
  withinMs: number,
): Promise<void> {
  const bound = new AbortController();
  const over = sleep(withinMs, undefined, { signal: bound.signal }).catch(() => {});
  await Promise.race([Promise.allSettled(running.keys()), over]);
  bound.abort();
  if (running.size === 0) return;
  logger.warn({ jobs: [...running.values()] }, 'did not end in time; their next run takes it up');
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
 * @param stopping aborted when the service stops: the run ends at its next safe point, and its record says so.
 */
export async function runJob(
  services: Services,
  config: Config,
  job: Job,
  fireAt: Date,
  instance: string,
  stopping: AbortSignal = services.background.signal,
): Promise<boolean> {
  const log = services.logger.child({ job: job.name });
  if (stopping.aborted) return false;
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
      job.run(services, config, AbortSignal.any([over.signal, services.background.signal, stopping])),
      late,
    ]);
    const facts = stopping.aborted ? { ...details, stopped: true } : details;
    await services.store.jobRuns.finish(runId, { state: 'succeeded', details: facts, error: null });
  } catch (error) {
    // What the end of the service cut off is no failure; by then the store may be closed, and the next fire records it.
    const level = stopping.aborted ? 'info' : 'error';
    log[level]({ err: error }, stopping.aborted ? 'job ended with the service' : 'job failed');
    const known = error instanceof PgLuthierError ? `${error.code}: ${error.message}` : 'internal_error';
    await services.store.jobRuns
      .finish(runId, { state: 'failed', details: null, error: stopping.aborted ? 'service_stopped' : known })
      .catch((failure: unknown) => log[level]({ err: failure }, 'the failed run could not be recorded'));
  } finally {
    clearTimeout(timer);
  }
  return true;
}
