import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Dispatcher, type DispatcherOptions } from '../../jobs/dispatcher.ts';
import { snapshotDispatcher } from '../../jobs/snapshot.ts';
import { loadConfig } from '../../src/config.ts';
import { type TestService, testService } from '../api/service.ts';
import { testServer } from '../support/servers.ts';

let service: TestService;
/** The service's clock, which tests move. */
let clock: number;
const open: Dispatcher[] = [];

beforeEach(async () => {
  service = await testService();
  clock = Date.parse('2026-01-01T00:00:00Z');
  service.services.now = () => new Date(clock);
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.stop()));
  await service.close();
});

async function addTargets(names: string[], server = (name: string) => `${name}:5432`): Promise<void> {
  for (const name of names) {
    await service.services.store.targets.add(
      { name, dsn: 'env:X', address: `${server(name)}/db`, host_overrides: {} },
      'test',
    );
  }
}

/** Work that knows how each target behaves, and writes down what happened. */
class Fleet {
  readonly collected: string[] = [];
  atOnce = 0;
  most = 0;
  readonly #names = new Map<string, string>();
  readonly #behaviour: (name: string) => 'answers' | 'hangs' | 'refuses';
  constructor(behaviour: (name: string) => 'answers' | 'hangs' | 'refuses') {
    this.#behaviour = behaviour;
  }

  readonly work = async (targetId: string, signal: AbortSignal): Promise<void> => {
    if (this.#names.size === 0) {
      for (const { id, name } of await service.services.store.targets.list()) this.#names.set(id, name);
    }
    const name = this.#names.get(targetId) ?? '';
    this.atOnce += 1;
    this.most = Math.max(this.most, this.atOnce);
    try {
      const behaviour = this.#behaviour(name);
      if (behaviour === 'refuses') throw new Error('refused');
      if (behaviour === 'hangs') {
        // It may have been ended while the names were read.
        signal.throwIfAborted();
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('ended')));
        });
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
      this.collected.push(name);
    } finally {
      this.atOnce -= 1;
    }
  };
}

function dispatcher(fleet: Fleet, options: Partial<DispatcherOptions> = {}): Dispatcher {
  const one = new Dispatcher(
    service.services,
    // A deadline that no test lives to see: whoever waits for it fails.
    { owner: 'a', intervalMs: 60_000, quick: 8, patienceMs: 40, deadlineMs: 3_600_000, ...options },
    fleet.work,
  );
  open.push(one);
  return one;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

describe('two hundred targets', () => {
  it('are all collected though half of them hang, and no more than the lanes hold at once', async () => {
    const good = numbered('good', 100);
    await addTargets([...numbered('hang', 80), ...good, ...numbered('refuse', 20)]);
    const fleet = new Fleet((name) =>
      name.startsWith('hang') ? 'hangs' : name.startsWith('refuse') ? 'refuses' : 'answers',
    );
    const one = dispatcher(fleet);
    await one.tick();
    // Nobody moves the clock and no deadline passes: only the lanes can bring this about.
    await until(() => fleet.collected.length === 100);
    expect(fleet.collected.toSorted()).toEqual(good.toSorted());
    expect(fleet.most).toBeLessThanOrEqual(8 + 16);

    // A minute later the good ones are collected again at once; who failed waits longer each time.
    for (let minute = 2; minute <= 4; minute += 1) {
      clock += 60_000;
      await one.tick();
      await until(() => fleet.collected.length === 100 * minute);
    }
    expect(new Set(fleet.collected.slice(300))).toEqual(new Set(good));
    const schedules = await service.services.store.targetSchedule.list();
    const failures = schedules.map((row) => row.consecutive_failures);
    expect(failures.filter((count) => count === 0).length).toBeGreaterThanOrEqual(100);
    expect(failures.filter((count) => count > 0).length).toBeGreaterThan(50);
    expect(Math.max(...failures)).toBeLessThanOrEqual(3);
  });

  it('are shared by replicas: each is collected by one of them', async () => {
    const names = numbered('t', 60);
    await addTargets(names);
    const fleet = new Fleet(() => 'answers');
    const replicas = ['a', 'b', 'c'].map((owner) => dispatcher(fleet, { owner, quick: 3 }));
    await Promise.all(replicas.map((one) => one.tick()));
    await Promise.all(replicas.map((one) => one.idle()));
    expect(fleet.collected.toSorted()).toEqual(names.toSorted());
  });
});

describe('a lease', () => {
  it('of a replica that was killed ends by itself, and what it says then counts no more', async () => {
    await addTargets(['one']);
    const { targetSchedule } = service.services.store;
    const request = { now: new Date(clock), healthy: 1, suspects: 1, lease_until: new Date(clock + 90_000) };
    const [claim] = await targetSchedule.claim({ ...request, owner: 'killed' });
    const fleet = new Fleet(() => 'answers');
    const one = dispatcher(fleet);
    clock += 89_000;
    await one.tick();
    await one.idle();
    expect(fleet.collected).toEqual([]);
    clock += 2_000;
    await one.tick();
    await one.idle();
    expect(fleet.collected).toEqual(['one']);
    const [before] = await targetSchedule.list();
    const late = { owner: 'killed', now: new Date(clock), next_due_at: new Date(0), error_code: 'x' };
    await targetSchedule.giveBack({ target_id: claim?.target_id ?? '', ...late });
    expect(await targetSchedule.list()).toEqual([before]);
  });

  it('is given back by a stop, which is nothing against the target', async () => {
    await addTargets(['hangs']);
    const fleet = new Fleet(() => 'hangs');
    const one = dispatcher(fleet);
    await one.tick();
    await until(() => fleet.atOnce === 1);
    await one.stop();
    const [schedule] = await service.services.store.targetSchedule.list();
    expect(schedule).toMatchObject({ lease_owner: null, consecutive_failures: 0, last_success_at: null });
    await one.tick();
    expect(fleet.atOnce).toBe(0);
  });
});

describe('a stop', () => {
  it('ends what the store was about to hand out, too', async () => {
    await addTargets(numbered('hang', 3));
    const fleet = new Fleet(() => 'hangs');
    const one = dispatcher(fleet);
    // The claim is on its way to the store.
    const ticking = one.tick();
    await one.stop();
    await ticking;
    expect(fleet.atOnce).toBe(0);
    for (const row of await service.services.store.targetSchedule.list()) {
      expect(row).toMatchObject({ lease_owner: null, consecutive_failures: 0 });
    }
  });
});

describe('what is due', () => {
  it('is one database of a server at a time, and never a paused target', async () => {
    await addTargets(numbered('db', 6), () => 'one-server:5432');
    await addTargets(['paused']);
    const { targets } = service.services.store;
    const paused = (await targets.list()).find((target) => target.name === 'paused');
    await targets.pause(paused?.id ?? '', 'being moved', 'test');
    const fleet = new Fleet(() => 'answers');
    const one = dispatcher(fleet);
    await one.tick();
    await until(() => fleet.collected.length === 6);
    await one.idle();
    expect(fleet.most).toBe(1);
    expect(fleet.collected).not.toContain('paused');
  });

  it('is not made up for after a pause of the service', async () => {
    await addTargets(['one']);
    const fleet = new Fleet(() => 'answers');
    const one = dispatcher(fleet);
    await one.tick();
    await one.idle();
    clock += 3_600_000;
    await one.tick();
    await one.idle();
    await one.tick();
    await one.idle();
    expect(fleet.collected).toEqual(['one', 'one']);
  });
});

describe('real targets', () => {
  const listeners: Server[] = [];
  afterEach(() => {
    for (const one of listeners.splice(0)) one.close();
  });

  /** A port that takes connections. */
  async function listen(then: (socket: Socket) => void): Promise<number> {
    const listener = createServer((socket) => {
      socket.on('error', () => {});
      then(socket);
    });
    listeners.push(listener);
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    listener.unref();
    return (listener.address() as { port: number }).port;
  }

  it('are collected beside servers that hang and ports where nobody listens', async () => {
    const server = await testServer();
    const database = await server.createDatabase({ sql: 'CREATE EXTENSION pg_stat_statements' });
    service.services.now = () => new Date();
    const { store } = service.services;
    const add = (name: string, dsn: string) =>
      store.targets.add({ name, dsn, address: `${name}:1/x`, host_overrides: {} }, 'test');
    for (let n = 0; n < 6; n += 1) {
      await add(
        `resets${n}`,
        `postgresql://u@127.0.0.1:${await listen((socket) => socket.destroy())}/x?sslmode=disable`,
      );
      await add(`hang${n}`, `postgresql://u@127.0.0.1:${await listen(() => {})}/x?sslmode=disable`);
      await add(`nobody${n}`, 'postgresql://u@127.0.0.1:1/x?sslmode=disable');
      await add(`good${n}`, database.dsn);
    }
    const config = loadConfig({ PGLUTHIER_SNAPSHOT_SECONDS: '10', PGLUTHIER_CONCURRENCY: '2' });
    const one = snapshotDispatcher(service.services, config, 'a');
    open.push(one);
    await one.tick();
    const targets = await store.targets.list();
    const newest = async (name: string) => {
      const target = targets.find((item) => item.name === name);
      return (await store.snapshots.list(target?.id ?? '', { limit: 1 }))[0];
    };
    for (let done = 0; done < 6; ) {
      done = 0;
      for (let n = 0; n < 6; n += 1) if ((await newest(`good${n}`))?.cadence === 'full') done += 1;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await one.stop();
    expect(await newest('nobody0')).toMatchObject({
      status: 'failed',
      limits: [{ code: 'target_unreachable' }],
    });
    expect(await newest('resets0')).toMatchObject({ status: 'failed' });
    expect(await newest('hang0')).toMatchObject({ status: 'failed', limits: [{ code: 'collect_aborted' }] });
    expect((await newest('good5'))?.status).not.toBe('failed');
    await database.drop();
  });
});
