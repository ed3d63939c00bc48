import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildPlan, executePlan } from '../../src/apply/index.ts';
import { pace } from '../../src/apply/pace.ts';
import type { ApplyProgress } from '../../src/domain/index.ts';
import { openTarget } from '../../src/target/index.ts';
import { testMajors } from '../support/servers.ts';
import { newJournal } from './journal.ts';
import {
  applyDatabase,
  client,
  createIndexChange,
  indexState,
  newApplyId,
  QUALIFIED,
  snapshotHolder,
  waitingBuild,
} from './target.ts';

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('the watchdog, PostgreSQL %i', (major) => {
  let database: Awaited<ReturnType<typeof applyDatabase>>;
  beforeAll(async () => {
    database = await applyDatabase(major);
  });
  afterAll(() => database.drop());

  const run = (yieldAfterMs: number | null, lockBudgetMs: number) => {
    const progress: ApplyProgress[] = [];
    const outcome = executePlan(buildPlan(createIndexChange()), {
      dsn: database.dsn,
      apply_id: newApplyId(),
      openSession: openTarget,
      journal: newJournal(),
      onProgress: (item) => progress.push(item),
      yieldAfterMs,
      lockBudgetMs,
    });
    return { outcome, progress };
  };

  it('gives way when a migration has waited for our build, so that the traffic behind it goes on', async () => {
    const holder = await snapshotHolder(database.dsn);
    const { outcome, progress } = run(500, 60_000);
    await waitingBuild(database.dsn);
    const migration = await client(database.dsn);
    // It waits for our build, and everything on the table would wait for it.
    const altered = migration.query(`ALTER TABLE ${QUALIFIED} ADD COLUMN more int`);
    expect(await outcome).toMatchObject({ outcome: 'failed', code: 'yielded' });
    await altered;
    expect(await indexState(database.dsn)).toBe('absent');
    const seen = progress.flatMap(({ waiters }) => waiters ?? []);
    expect(seen[0]).toMatchObject({
      application_name: 'shop backend',
      query: expect.stringContaining('ADD COLUMN more'),
      reason: expect.stringContaining('waits for our lock'),
    });
    await migration.end();
    await holder.release();
  });

  it('ends a wait that is too long in all, and leaves nothing', async () => {
    const holder = await snapshotHolder(database.dsn);
    const { outcome } = run(null, 1_500);
    expect(await outcome).toMatchObject({
      outcome: 'failed',
      // Whichever of the server's limit of one wait and ours of all comes first.
      code: expect.stringMatching(/^(lock_timeout|waited_too_long)$/),
    });
    expect(await indexState(database.dsn)).toBe('absent');
    await holder.release();
  });

  it('lets others wait where the policy says so', async () => {
    const holder = await snapshotHolder(database.dsn);
    const { outcome } = run(null, 60_000);
    await waitingBuild(database.dsn);
    const migration = await client(database.dsn);
    const altered = migration.query(`ALTER TABLE ${QUALIFIED} ADD COLUMN once_more int`);
    await sleep(2_500);
    await holder.release();
    expect(await outcome).toMatchObject({ outcome: 'applied' });
    await altered;
    expect(await indexState(database.dsn)).toBe('valid');
    await migration.end();
  });
});

describe('the seconds left', () => {
  const scan = 'building index: scanning table';
  const blocks = (done: number, total = 1_000) => ({ done, total, unit: 'blocks' as const });

  it('are what the rest takes at the pace seen since the first look, not what came before it', () => {
    const left = pace();
    // At the first look half of it was done, in a time that nobody saw.
    expect(left(scan, blocks(500), 9_000)).toBeNull();
    expect(left(scan, blocks(510), 10_000)).toBeNull();
    expect(left(scan, blocks(600), 19_000)).toBe(40);
    expect(left(scan, blocks(900), 49_000)).toBe(10);
    expect(left(scan, blocks(1_000), 59_000)).toBe(0);
  });

  it('are told of a little that was seen for long', () => {
    const left = pace();
    left(scan, blocks(0), 0);
    expect(left(scan, blocks(1), 29_000)).toBeNull();
    expect(left(scan, blocks(1), 30_000)).toBe(29_970);
    expect(pace()(scan, blocks(0), 0)).toBeNull();
  });

  it('begin anew with a phase, with another index in the same phase, and after a wait', () => {
    const left = pace();
    left(scan, blocks(0), 0);
    expect(left(scan, blocks(900), 9_000)).toBe(1);
    expect(left(scan, blocks(10), 10_000)).toBeNull();
    expect(left(scan, blocks(110), 11_000)).toBe(9);
    expect(left(scan, blocks(200, 5_000), 12_000)).toBeNull();
    expect(left('waiting for old snapshots', { done: 1, total: 2, unit: 'sessions' }, 13_000)).toBeNull();
    expect(left('building index: sorting live tuples', null, 14_000)).toBeNull();
    expect(left(scan, blocks(300, 5_000), 15_000)).toBeNull();
  });
});
