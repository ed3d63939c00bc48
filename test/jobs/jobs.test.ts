import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EachTargetOptions, eachTarget } from '../../jobs/each-target.ts';
import type { Job } from '../../jobs/job.ts';
import { retentionJob } from '../../jobs/retention.ts';
import { runJob, startJobs } from '../../jobs/scheduler.ts';
import { loadConfig } from '../../src/config.ts';
import { type TestService, testService } from '../api/service.ts';

let service: TestService;
const config = loadConfig({});

beforeAll(async () => {
  service = await testService();
});
afterAll(() => service.close());

const job = (overrides: Partial<Job>): Job => ({
  name: `job-${Math.random()}`,
  cron: () => '0 0 1 1 *',
  deadlineMs: 10_000,
  run: async () => ({ did: 'something' }),
  ...overrides,
});

describe('a fire of a job', () => {
  it('runs in one replica only and is recorded with what it did', async () => {
    let runs = 0;
    const counted = job({
      run: async () => {
        runs += 1;
        return { n: runs };
      },
    });
    const fire = new Date('2026-01-01T00:00:00Z');
    const won = await Promise.all(
      ['a', 'b', 'c'].map((instance) => runJob(service.services, config, counted, fire, instance)),
    );
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(runs).toBe(1);
    expect(await service.services.store.jobRuns.list({ limit: 1, job: counted.name })).toMatchObject([
      { state: 'succeeded', details: { n: 1 }, error: null },
    ]);
  });

  it('that fails or takes too long is recorded as failed, without internals', async () => {
    const failing = job({ run: () => Promise.reject(new Error('password=geheim')) });
    const slow = job({ deadlineMs: 20, run: () => new Promise(() => {}) });
    for (const one of [failing, slow]) await runJob(service.services, config, one, new Date(), 'a');
    const [failed] = await service.services.store.jobRuns.list({ limit: 1, job: failing.name });
    expect(failed).toMatchObject({ state: 'failed', error: 'internal_error' });
    const [late] = await service.services.store.jobRuns.list({ limit: 1, job: slow.name });
    expect(late?.error).toContain('job_deadline_exceeded');
  });
});

describe('a run whose replica was killed', () => {
  it('is recorded as abandoned by the next fire, and no other is', async () => {
    const { jobRuns } = service.services.store;
    const one = job({ deadlineMs: 1000 });
    const killed = await jobRuns.claim({ job: one.name, fire_at: new Date(0), instance: 'gone' });
    const running = await jobRuns.claim({ job: 'another', fire_at: new Date(0), instance: 'gone' });
    const { now } = service.services;
    service.services.now = () => new Date(Date.now() + 120_000);
    try {
      await runJob(service.services, config, one, new Date(), 'b');
    } finally {
      service.services.now = now;
    }
    const states = new Map((await jobRuns.list({ limit: 100 })).map((run) => [run.id, run.state]));
    expect(states.get(killed ?? '')).toBe('abandoned');
    expect(states.get(running ?? '')).toBe('running');
  });

  it('leaves no record where a fire has nothing to do', async () => {
    const idle = job({ isDue: () => Promise.resolve(false) });
    expect(await runJob(service.services, config, idle, new Date(), 'a')).toBe(false);
    expect(await service.services.store.jobRuns.list({ limit: 1, job: idle.name })).toEqual([]);
  });

  it('is told to stop at its deadline', async () => {
    let stopped = false;
    const late = job({
      deadlineMs: 20,
      run: (_, __, signal) =>
        new Promise(() => {
          signal.addEventListener('abort', () => {
            stopped = true;
          });
        }),
    });
    await runJob(service.services, config, late, new Date(), 'a');
    expect(stopped).toBe(true);
  });
});

describe('targets of a job', () => {
  const options = (parts: Partial<EachTargetOptions> = {}): EachTargetOptions => ({
    concurrency: 2,
    signal: new AbortController().signal,
    patienceMs: 10_000,
    connects: true,
    ...parts,
  });

  it('do not delay or fail each other; the paused and the dead are left alone', async () => {
    const { targets, targetSchedule } = service.services.store;
    const add = (name: string) =>
      targets.add({ name, dsn: 'env:X', address: `${name}:5432/x`, host_overrides: {} }, 't');
    const [good, failing, slow, paused, dead] = await Promise.all(
      ['good', 'failing', 'slow', 'paused', 'dead'].map(add),
    );
    if (!good || !failing || !slow || !paused || !dead) throw new Error('five targets');
    await targets.pause(paused.id, 'being moved', 't');
    const now = new Date();
    for (let failure = 0; failure < 3; failure += 1) {
      const claims = await targetSchedule.claim({
        owner: 'a',
        now,
        healthy: 10,
        suspects: 10,
        lease_until: new Date(now.getTime() + 1000),
      });
      for (const { target_id } of claims) {
        const error_code = target_id === dead.id ? 'target_unreachable' : null;
        await targetSchedule.giveBack({ target_id, owner: 'a', now, next_due_at: now, error_code });
      }
    }
    let told = false;
    const seen: string[] = [];
    const result = await eachTarget(service.services, options({ patienceMs: 100 }), (target, signal) => {
      if (target.id === failing.id) throw new Error('boom');
      if (target.id === slow.id) {
        return new Promise(() => signal.addEventListener('abort', () => (told = true)));
      }
      seen.push(target.id);
      return Promise.resolve();
    });
    expect(result).toEqual({
      succeeded: 1,
      failed: { [failing.id]: 'internal_error', [slow.id]: 'target_too_slow' },
      skipped: { [paused.id]: 'paused', [dead.id]: 'target_unreachable' },
    });
    expect(told).toBe(true);
    expect(seen).toEqual([good.id]);
    const offline = await eachTarget(service.services, options({ connects: false }), () => Promise.resolve());
    expect(offline).toMatchObject({ succeeded: 4, skipped: { [paused.id]: 'paused' } });
    await targets.resume(paused.id, 't');
    expect(await targets.get(paused.id)).toMatchObject({ paused_at: null, paused_because: null });
  });

  it('are not begun any more once the job is told to stop', async () => {
    const result = await eachTarget(service.services, options({ signal: AbortSignal.abort() }), () =>
      Promise.reject(new Error('begun')),
    );
    expect(result).toEqual({ succeeded: 0, failed: {}, skipped: {} });
  });
});

describe('schedules', () => {
  it('start in the configured time zone and stop', async () => {
    const stop = startJobs(service.services, loadConfig({ PGLUTHIER_TIMEZONE: 'Europe/Berlin' }), [job({})]);
    await stop();
  });

  it('refuse a wrong cron expression or time zone by the name of its variable', () => {
    expect(() => loadConfig({ PGLUTHIER_VERIFY_CRON: 'every day' })).toThrow(/PGLUTHIER_VERIFY_CRON/);
    // Of an older version: not to be ignored in silence.
    expect(() => loadConfig({ PGLUTHIER_SNAPSHOT_CRON: '*/5 * * * *' })).toThrow(
      /PGLUTHIER_SNAPSHOT_CRON: is gone: set PGLUTHIER_SNAPSHOT_SECONDS/,
    );
    expect(() => loadConfig({ PGLUTHIER_TIMEZONE: 'Mars/Olympus' })).toThrow(/PGLUTHIER_TIMEZONE/);
    expect(() => loadConfig({ PGLUTHIER_TOKEN: 'short' })).toThrow(/PGLUTHIER_TOKEN/);
  });

  it('run retention over an empty store without complaint', async () => {
    expect(await retentionJob.run(service.services, config, new AbortController().signal)).toMatchObject({
      partitions: [],
    });
  });
});
