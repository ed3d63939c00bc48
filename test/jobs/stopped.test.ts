/** SIGTERM to a real service in the middle of a verification, and while somebody follows an apply. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Change } from '../../src/domain/index.ts';
import {
  approveRecommendation,
  collectTarget,
  recoverApplies,
  startApply,
  verifyAllApplied,
} from '../../src/pipeline/index.ts';
import {
  client,
  createIndexChange,
  indexState,
  QUALIFIED,
  rows,
  snapshotHolder,
  until,
} from '../apply/target.ts';
import { startCli } from '../e2e/run-cli.ts';
import { type OverOneStore, overOneStore } from '../pipeline/over-one-store.ts';
import { replica } from '../pipeline/replica.ts';

const TOKEN = 'a-token-for-tests-only';
let over: OverOneStore;
let one: Awaited<ReturnType<typeof replica>>;
let home: string;
beforeAll(async () => {
  over = await overOneStore();
  one = await replica(over.fresh.dsn, over.fresh.secretKey, { targetDsn: over.dsn });
  home = await mkdtemp(join(tmpdir(), 'pgluthier-stopped-'));
});
afterAll(async () => {
  await one?.close();
  await over?.close();
  await rm(home, { recursive: true, force: true });
});

async function serving() {
  const child = await startCli(home, ['serve'], {
    PGLUTHIER_PORT: '0',
    PGLUTHIER_STORE_URL: over.fresh.dsn,
    PGLUTHIER_SECRET_KEY: over.fresh.secretKey.toString('base64'),
    PGLUTHIER_TOKEN: TOKEN,
    PGLUTHIER_VERIFY_CRON: '* * * * * *',
    PGLUTHIER_SNAPSHOT_SECONDS: '3600',
    PGLUTHIER_STOP_SECONDS: '2',
    X: over.dsn,
  });
  let [out, log] = ['', ''];
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    log += chunk;
  });
  const exit = once(child, 'close');
  const url = await until(async () => {
    if (child.exitCode !== null) throw new Error(`serve ended: ${log}`);
    return /listens on (http:\S+)/.exec(out)?.[1];
  });
  const lines = () =>
    log
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { level: number; msg: string });
  return {
    url,
    log: () => log,
    /** Asks it to end, and waits until it has begun to. */
    terminate: async () => {
      child.kill('SIGTERM');
      await until(async () => lines().some(({ msg }) => msg === 'stopping'));
    },
    /** Its exit code, and what it logged as an error or as worth a warning. */
    ended: async () => {
      const [code] = await exit;
      return { code, warnings: lines().filter(({ level }) => level >= 40) };
    },
  };
}

async function approved(change: Change, name: string): Promise<string> {
  const { id, plan_hash } = await over.advise(change, name);
  await approveRecommendation(one.services, over.targetId, id, plan_hash, 'dba');
  return id;
}

/** An apply that waits for its verdict. */
async function applied(name: string): Promise<string> {
  const id = await approved({ kind: 'analyze', schema: 'public', table: 'other' }, name);
  const apply = await startApply(one.services, over.targetId, id, 'dba');
  await one.services.background.idle();
  // With a window after it: whether the service's own schedule brings one, and when, is not what is tested.
  await collectTarget(one.services, over.targetId);
  return apply.id;
}

/** Keeps verdicts from being written, and lets them be read. */
async function heldStore(): Promise<pg.Client> {
  const holder = new pg.Client({ connectionString: over.fresh.dsn });
  await holder.connect();
  await holder.query('BEGIN; LOCK TABLE pgluthier.apply IN SHARE MODE');
  return holder;
}

const verdictWaits = () =>
  until(
    async () =>
      (
        await rows(
          over.fresh.dsn,
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pgluthier:store'
             AND wait_event_type = 'Lock' AND query ILIKE '%"pgluthier"."apply"%'`,
        )
      ).length > 0,
  );

const verdictOf = async (id: string) => (await over.fresh.store.applies.get(over.targetId, id)).verdict;
const runs = () => over.fresh.store.jobRuns.list({ limit: 100, job: 'verify' });

it('a verdict that is being written is written, its run is recorded, and nothing is logged as an error', async () => {
  const id = await applied('kept');
  const holder = await heldStore();
  const service = await serving();
  await verdictWaits();
  await service.terminate();
  expect(await verdictOf(id)).toBeNull();
  await holder.query('COMMIT');
  await holder.end();
  expect(await service.ended()).toEqual({ code: 0, warnings: [] });
  expect(service.log()).not.toContain('destroyed');
  expect(await verdictOf(id)).toMatchObject({ verdict: 'inconclusive' });
  const [last] = await runs();
  expect(last).toMatchObject({ state: 'succeeded', details: { stopped: true } });
});

it('one that does not come to its end is cut off within a bound, wholly undone, and given by the next run', async () => {
  const id = await applied('late');
  const holder = await heldStore();
  const service = await serving();
  await verdictWaits();
  await service.terminate();
  // Nobody lets it go on.
  const { code, warnings } = await service.ended();
  expect(code).toBe(0);
  expect(warnings).toMatchObject([{ level: 40, jobs: ['verify'] }]);
  await holder.query('COMMIT');
  await holder.end();
  expect(await verdictOf(id)).toBeNull();
  // Another replica, or the next start.
  await verifyAllApplied(one.services, over.targetId);
  expect(await verdictOf(id)).not.toBeNull();
});

it('who follows a build that waits does not keep the service; the build is stopped and leaves nothing', async () => {
  const id = await approved(createIndexChange({ name: 'followed' }), 'followed');
  const service = await serving();
  const headers = { authorization: `Bearer ${TOKEN}` };
  const base = `${service.url}/v1/targets/${over.targetId}`;
  const begun = await fetch(`${base}/recommendations/${id}/apply`, { method: 'POST', headers });
  expect(begun.status, await begun.clone().text()).toBe(202);
  const apply = (await begun.json()) as { id: string };
  const holder = await snapshotHolder(over.dsn);
  const events = (await fetch(`${base}/applies/${apply.id}/events`, { headers })).text();
  await until(async () => {
    const { progress } = await over.fresh.store.applies.get(over.targetId, apply.id);
    return (progress?.blockers as unknown[] | undefined)?.length;
  });
  await service.terminate();
  expect((await service.ended()).code).toBe(0);
  expect(await events).toContain('event: apply');
  await holder.release();
  expect(await over.fresh.store.applies.get(over.targetId, apply.id)).toMatchObject({ state: 'failed' });
  expect(await rows(over.dsn, "SELECT FROM pg_class WHERE relname = 'followed'")).toEqual([]);
});

it('tidying up that others keep waiting is cut off within a bound, and the next start goes on from there', async () => {
  const name = 'cut off';
  const id = await approved(createIndexChange({ name }), name);
  const service = await serving();
  const headers = { authorization: `Bearer ${TOKEN}` };
  const base = `${service.url}/v1/targets/${over.targetId}`;
  const holder = await snapshotHolder(over.dsn);
  const begun = await fetch(`${base}/recommendations/${id}/apply`, { method: 'POST', headers });
  expect(begun.status, await begun.clone().text()).toBe(202);
  const apply = (await begun.json()) as { id: string };
  await until(async () => (await indexState(over.dsn, name)) === 'invalid');
  // A reader keeps no build waiting, and a drop it does.
  const reader = await client(over.dsn);
  await reader.query(`BEGIN; SELECT count(*) FROM ${QUALIFIED}`);
  await service.terminate();
  const { code, warnings } = await service.ended();
  expect(code).toBe(0);
  expect(warnings.at(-1)).toMatchObject({ level: 40, msg: expect.stringContaining('stays open') as string });
  const journal = await over.fresh.store.applies.journal(over.targetId, apply.id).entries();
  expect(journal.at(-1)).toMatchObject({ purpose: 'cleanup', state: 'unknown' });
  expect((await over.fresh.store.applies.get(over.targetId, apply.id)).state).toBe('running');
  expect(await indexState(over.dsn, name)).toBe('invalid');
  await reader.end();
  await holder.release();
  // Until the server has ended the drop whose client is gone, that still has the apply's lock.
  await until(async () => {
    await recoverApplies(one.services, 0);
    await one.services.background.idle();
    return (await over.fresh.store.applies.get(over.targetId, apply.id)).state === 'verifying';
  });
  expect(await indexState(over.dsn, name)).toBe('valid');
});
