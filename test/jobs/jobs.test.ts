import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eachTarget } from '../../jobs/each-target.ts';
import type { Job } from '../../jobs/job.ts';
import { retentionJob } from '../../jobs/retention.ts';
import { runJob, startJobs } from '../../jobs/scheduler.ts';
import { snapshotJob } from '../../jobs/snapshot.ts';
import { loadConfig } from '../../src/config.ts';
import { type TestService, testService } from '../api/service.ts';
import { testServer } from '../support/servers.ts';

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

describe('targets of a job', () => {
  it('do not delay or fail each other', async () => {
    const server = await testServer();
    const database = await server.createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements' });
    const { targets, snapshots } = service.services.store;
    const good = await targets.add(
      { name: 'good', dsn: database.dsn, address: 'x', host_overrides: {} },
      't',
    );
    const dead = await targets.add(
      { name: 'dead', dsn: 'postgresql://u@127.0.0.1:1/x', address: 'x', host_overrides: {} },
      't',
    );
    const result = await snapshotJob.run(service.services, config);
    expect(result).toEqual({ succeeded: 1, failed: { [dead.id]: 'target_unreachable' } });
    expect((await snapshots.list(good.id, { limit: 5 }))[0]?.status).not.toBe('failed');
    expect((await snapshots.list(dead.id, { limit: 5 }))[0]).toMatchObject({
      status: 'failed',
      limits: [{ code: 'target_unreachable' }],
    });
    const seen: string[] = [];
    await eachTarget(service.services, 2, async (target) => {
      if (target.id === dead.id) throw new Error('boom');
      seen.push(target.id);
    });
    expect(seen).toEqual([good.id]);
    await database.drop();
  });
});

describe('schedules', () => {
  it('start in the configured time zone and stop', async () => {
    const stop = startJobs(service.services, loadConfig({ PGLUTHIER_TIMEZONE: 'Europe/Berlin' }), [job({})]);
    await stop();
  });

  it('refuse a wrong cron expression or time zone by the name of its variable', () => {
    expect(() => loadConfig({ PGLUTHIER_SNAPSHOT_CRON: 'every day' })).toThrow(/PGLUTHIER_SNAPSHOT_CRON/);
    expect(() => loadConfig({ PGLUTHIER_TIMEZONE: 'Mars/Olympus' })).toThrow(/PGLUTHIER_TIMEZONE/);
    expect(() => loadConfig({ PGLUTHIER_TOKEN: 'short' })).toThrow(/PGLUTHIER_TOKEN/);
  });

  it('run retention over an empty store without complaint', async () => {
    expect(await retentionJob.run(service.services, config)).toMatchObject({ partitions: [] });
  });
});
