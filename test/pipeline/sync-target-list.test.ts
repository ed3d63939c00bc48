import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runJob } from '../../jobs/scheduler.ts';
import { targetListJob } from '../../jobs/target-list.ts';
import { loadConfig } from '../../src/config.ts';
import { collectTarget, syncTargetList } from '../../src/pipeline/index.ts';
import { type TestService, testService } from '../api/service.ts';
import { testServer } from '../support/servers.ts';

let service: TestService;
let folder: string;
let path: string;
const environment: Record<string, string> = {
  A: 'postgresql://u@a.example/x',
  B: 'postgresql://u@b.example/x',
};

beforeEach(async () => {
  service = await testService(environment);
  folder = await mkdtemp(join(tmpdir(), 'pgluthier-sync-'));
  path = join(folder, 'targets.yaml');
});
afterEach(async () => {
  await service.close();
  await rm(folder, { recursive: true });
});

async function sync(list: unknown) {
  await writeFile(path, JSON.stringify({ targets: list }));
  const { hash: _, ...result } = await syncTargetList(service.services, path);
  return result;
}
const nothing = { added: [], changed: [], paused: [], resumed: [], unlisted: {} };
const targets = () => service.services.store.targets.list();

describe('the targets', () => {
  it('become what the list says: new ones, changed ones, gone ones and ones that come back', async () => {
    const [a, b] = [
      { name: 'a', dsn: 'env:A', labels: { team: 'x' } },
      { name: 'b', dsn: 'postgresql://u:geheim@b.example/x' },
    ];
    expect(await sync([a, b])).toEqual({ ...nothing, added: ['a', 'b'] });
    const before = await targets();
    expect(before).toMatchObject([
      { name: 'a', origin: 'file', dsn_source: 'env:A', address: 'a.example:5432/x', labels: { team: 'x' } },
      { name: 'b', origin: 'file', dsn_source: 'sealed' },
    ]);
    expect(await sync([b, a])).toEqual(nothing);
    expect(
      await sync([
        { ...a, dsn: 'env:B' },
        { ...b, dsn: 'postgresql://u:anders@b.example/x' },
      ]),
    ).toEqual({
      ...nothing,
      changed: ['a', 'b'],
    });
    expect(await service.services.store.targets.getDsnSource(before[1]?.id ?? '')).toEqual({
      kind: 'sealed',
      dsn: 'postgresql://u:anders@b.example/x',
    });
    expect(await sync([])).toEqual({ ...nothing, paused: ['a', 'b'] });
    expect(await sync([])).toEqual(nothing);
    // With their ids, and so with their history.
    expect((await targets()).map((target) => target.id)).toEqual(before.map((target) => target.id));
    expect(await sync([{ ...a, dsn: 'env:B' }])).toEqual({ ...nothing, resumed: ['a'] });
    expect(await sync([{ ...a, dsn: 'env:B', paused: true }])).toEqual({ ...nothing, paused: ['a'] });
    const audit = await service.services.store.audit.list({ limit: 100 });
    expect(
      audit
        .map((row) => row.action)
        .filter((action) => action.startsWith('target.'))
        .toSorted(),
    ).toEqual([
      ...['target.add', 'target.add', 'target.change', 'target.change'],
      ...['target.pause', 'target.pause', 'target.pause', 'target.resume'],
    ]);
    expect(JSON.stringify(audit)).not.toMatch(/geheim|anders/);
  });

  it('that somebody paused stay paused, and those that somebody added are not the list’s', async () => {
    const { store } = service.services;
    await sync([{ name: 'a', dsn: 'env:A' }]);
    const [a] = await targets();
    await store.targets.pause(a?.id ?? '', 'maintenance', 'dba');
    expect(await sync([{ name: 'a', dsn: 'env:A' }])).toEqual(nothing);
    expect((await targets())[0]?.paused_because).toBe('maintenance');

    await store.targets.add({ name: 'mine', dsn: 'env:B', address: 'x', host_overrides: {} }, 'dba');
    expect(await sync([{ name: 'a', dsn: 'env:A' }])).toEqual(nothing);
    await expect(
      sync([
        { name: 'new', dsn: 'env:A' },
        { name: 'mine', dsn: 'env:A' },
      ]),
    ).rejects.toMatchObject({
      code: 'target_exists',
    });
    expect((await targets()).map((target) => target.name)).toEqual(['a', 'mine']);
  });

  it('stay as they were when the list is broken; an entry that leads nowhere costs only itself', async () => {
    await sync([
      { name: 'a', dsn: 'env:A' },
      { name: 'b', dsn: 'env:B' },
    ]);
    const before = await targets();
    await expect(sync('all of them')).rejects.toMatchObject({ code: 'target_list_invalid' });
    expect(await targets()).toEqual(before);
    expect(
      await sync([
        { name: 'b', dsn: 'env:NOT_SET' },
        { name: 'c', dsn: 'env:A' },
      ]),
    ).toEqual({ ...nothing, added: ['c'], paused: ['a'], unlisted: { b: 'dsn_reference_unresolved' } });
    expect((await targets()).find((target) => target.name === 'b')).toEqual(before[1]);
  });

  it('that change keep their schedule and who collects them right now', async () => {
    await sync([{ name: 'a', dsn: 'env:A' }]);
    const { targetSchedule } = service.services.store;
    const now = new Date();
    const request = {
      owner: 'x',
      now,
      healthy: 1,
      suspects: 1,
      lease_until: new Date(now.getTime() + 60_000),
    };
    await targetSchedule.claim(request);
    const before = await targetSchedule.list();
    await sync([{ name: 'a', dsn: 'env:B', labels: { team: 'other' } }]);
    expect(await targetSchedule.list()).toEqual(before);
    expect(await targetSchedule.claim({ ...request, owner: 'y' })).toEqual([]);
  });
});

describe('the databases of a server', () => {
  it('are found, come and go, and stay while the server does not answer', async () => {
    const server = await testServer({ settings: { max_connections: '40' } });
    const [first, second] = await Promise.all([
      server.createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements; CREATE TABLE in_first (id int)' }),
      server.createDatabase(),
    ]);
    environment.SERVER = server.dsn('postgres');
    const entry = { name: 'srv', dsn: 'env:SERVER', databases: 'all' };
    const { added } = await sync([entry]);
    expect(added).toEqual(
      expect.arrayContaining([`srv/${first.name}`, `srv/${second.name}`, 'srv/postgres']),
    );
    const one = (await targets()).find((target) => target.name === `srv/${first.name}`);
    expect(one?.database_name).toBe(first.name);
    const { id } = await collectTarget(service.services, one?.id ?? '');
    const snapshot = await service.services.store.snapshots.get(one?.id ?? '', id);
    expect(snapshot.server.database).toBe(first.name);
    expect(snapshot.tables.map((table) => table.name)).toContain('in_first');

    await second.drop();
    expect((await sync([entry])).paused).toEqual([`srv/${second.name}`]);
    environment.SERVER = 'postgresql://u@127.0.0.1:1/x?sslmode=disable';
    expect(await sync([entry])).toEqual({ ...nothing, unlisted: { srv: 'target_unreachable' } });
    expect(await sync([{ ...entry, databases: [first.name] }])).toMatchObject({
      changed: [`srv/${first.name}`],
    });
    await first.drop();
  });
});

describe('a DSN behind a reference', () => {
  it('is read anew each time, so that a changed password needs no restart', async () => {
    const server = await testServer();
    const secret = join(folder, 'secret');
    await writeFile(secret, 'postgresql://u@127.0.0.1:1/x?sslmode=disable');
    const target = await service.services.store.targets.add(
      { name: 'rotated', dsn: `file:${secret}`, address: 'x', host_overrides: {} },
      'test',
    );
    await expect(collectTarget(service.services, target.id)).rejects.toMatchObject({
      code: 'target_unreachable',
    });
    await writeFile(secret, `${server.dsn('postgres')}\n`);
    expect((await collectTarget(service.services, target.id)).status).not.toBe('failed');
  });
});

describe('the job', () => {
  it('runs when the list changed, and records a broken list once', async () => {
    const config = loadConfig({ PGLUTHIER_TARGETS_FILE: path });
    const fire = (n: number) => runJob(service.services, config, targetListJob, new Date(n), 'a');
    expect(await fire(1)).toBe(true);
    expect(await fire(2)).toBe(false);
    await writeFile(path, 'targets: [{name: a, dsn: "env:A"}]');
    expect(await fire(3)).toBe(true);
    expect(await fire(4)).toBe(false);
    const runs = await service.services.store.jobRuns.list({ limit: 10, job: 'target-list' });
    expect(runs.map((run) => run.state).toSorted()).toEqual(['failed', 'succeeded']);
    expect(runs.find((run) => run.state === 'failed')?.error).toContain('target_list_unreadable');
    expect((await targets()).map((target) => target.name)).toEqual(['a']);
  });
});
