import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { collectTarget } from '../../src/pipeline/index.ts';
import { type TestService, testService } from '../api/service.ts';
import { tcpFront } from '../target/tcp-front.ts';

/** A server of its own: it is restarted. */
let server: EmbeddedServer;
let service: TestService;
let id: string;

async function run(sql: string, values: unknown[] = []): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.dsn('postgres') });
  await client.connect();
  try {
    return (await client.query(sql, values)).rows as unknown[];
  } finally {
    await client.end();
  }
}

beforeAll(async () => {
  server = await startEmbedded({
    light: 'disk',
    name: 'test-collect-target',
    settings: { shared_preload_libraries: 'pg_stat_statements' },
  });
  await run('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  await run('CREATE TABLE seen (id int PRIMARY KEY)');
  service = await testService({ TARGET_DSN: server.dsn('postgres') });
  const target = await service.services.store.targets.add(
    { name: 'one', dsn: 'env:TARGET_DSN', address: 'one', host_overrides: {} },
    'test',
  );
  id = target.id;
});
afterAll(async () => {
  await service?.close();
  await server?.stop('immediate');
});

describe('the cadence of a target', () => {
  it('begins with everything, goes on with counters, and comes back to everything when that is due', async () => {
    const auto = { cadence: 'auto' } as const;
    const { store } = service.services;
    const first = await collectTarget(service.services, id, auto);
    expect(first.cadence).toBe('full');
    for (let n = 0; n < 7; n += 1) await run('INSERT INTO seen VALUES ($1)', [n]);
    const second = await collectTarget(service.services, id, auto);
    const third = await collectTarget(service.services, id, auto);
    expect([second.cadence, third.cadence]).toEqual(['fast', 'fast']);
    const composed = await store.snapshots.get(id, third.id);
    expect(composed.full_taken_at).toBe((await store.snapshots.get(id, first.id)).taken_at);
    expect(composed.tables.find((table) => table.name === 'seen')?.n_tup_ins).toBe(7);
    expect(composed.statements.find((row) => row.query?.startsWith('INSERT INTO seen'))?.calls).toBe(7);
    expect(composed.server.database_size_bytes).toBeGreaterThan(0);

    expect((await collectTarget(service.services, id)).cadence).toBe('full');
    const due = await collectTarget(service.services, id, { ...auto, fullEveryMinutes: 0 });
    expect(due.cadence).toBe('full');
    expect((await collectTarget(service.services, id, auto)).cadence).toBe('fast');
  });

  it('reads everything after a restart', async () => {
    await server.restart();
    expect((await collectTarget(service.services, id, { cadence: 'auto' })).cadence).toBe('full');
    expect((await collectTarget(service.services, id, { cadence: 'auto' })).cadence).toBe('fast');
  });
});

describe('ends of columns', () => {
  it('are read and kept, and where that is switched off they are not', async () => {
    await run('CREATE TABLE ending (id int PRIMARY KEY)');
    await run('INSERT INTO ending SELECT generate_series(1, 1000)');
    await run('ANALYZE ending');
    await run('INSERT INTO ending VALUES (1001)');
    const { store } = service.services;
    const endsOf = async (services: typeof service.services) => {
      const { id: snapshotId } = await collectTarget(services, id);
      const { columns } = await store.snapshots.get(id, snapshotId);
      return columns.find((column) => column.table === 'ending')?.ends;
    };
    expect(await endsOf(service.services)).toEqual({ min: '1', max: '1001' });
    expect(await endsOf({ ...service.services, column_ends: false })).toBeUndefined();
    await run('DROP TABLE ending');
  });
});

it('is stopped at once when it is told to, and that is recorded', async () => {
  const front = await tcpFront(server.dsn('postgres'));
  front.fallSilent();
  const { store } = service.services;
  try {
    const target = await store.targets.add(
      { name: 'silent', dsn: front.dsn, address: 'silent', host_overrides: {} },
      'test',
    );
    const stop = new AbortController();
    const collecting = collectTarget(service.services, target.id, { signal: stop.signal });
    const outcome = expect(collecting).rejects.toMatchObject({ code: 'collect_aborted' });
    setTimeout(() => stop.abort(), 200);
    await outcome;
    const [recorded] = await store.snapshots.list(target.id, { limit: 1 });
    expect(recorded).toMatchObject({ status: 'failed', limits: [{ code: 'collect_aborted' }] });
    await expect(
      collectTarget(service.services, target.id, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'collect_aborted' });
  } finally {
    await front.close();
  }
});
