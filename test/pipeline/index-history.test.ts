/** A primary and its standby, both watched: an index that only the standby uses is not unused. */
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rule } from '../../src/advise/rules/index/unused.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { collectTarget } from '../../src/pipeline/index.ts';
import { earliestLook, watchedReplicas } from '../../src/pipeline/index-history.ts';
import { contextOf, dropped } from '../advise/rules/index/context.ts';
import { type TestService, testService } from '../api/service.ts';

const SCHEMA = `
  CREATE TABLE t (id int PRIMARY KEY, v int, w int);
  INSERT INTO t SELECT g, g, g FROM generate_series(1, 100000) AS g;
  CREATE INDEX by_v ON t (v);
  CREATE INDEX by_w ON t (w);
  ANALYZE;
`;

let place: string;
let primary: EmbeddedServer;
let standby: EmbeddedServer;
let service: TestService;
const ids = { primary: '', standby: '' };

async function run(server: EmbeddedServer, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: server.dsn() });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'pgluthier-history-'));
  await chmod(place, 0o755);
  const settings = { wal_level: 'replica' };
  primary = await startEmbedded({ settings, dataDirectory: join(place, 'primary') });
  await run(primary, SCHEMA);
  const copy = join(place, 'standby');
  await primary.restart(async () => {
    execFileSync('cp', ['-a', primary.dataDirectory, copy]);
    const { uid, gid } = await stat(primary.dataDirectory);
    await writeFile(join(copy, 'standby.signal'), '');
    await chown(join(copy, 'standby.signal'), uid, gid);
  });
  standby = await startEmbedded({
    dataDirectory: copy,
    settings: {
      ...settings,
      primary_conninfo: `host=${primary.socketDirectory} port=${primary.port} user=postgres application_name=reader`,
    },
  });
  await run(standby, 'SET enable_seqscan = off; SELECT count(*) FROM t WHERE v = 5; SELECT pg_sleep(0)');
  service = await testService({ PRIMARY: primary.dsn(), STANDBY: standby.dsn() });
  for (const [name, variable] of [
    ['primary', 'PRIMARY'],
    ['standby', 'STANDBY'],
  ] as const) {
    const target = await service.services.store.targets.add(
      { name, dsn: `env:${variable}`, address: name, host_overrides: {} },
      'test',
    );
    ids[name] = target.id;
  }
}, 120_000);
afterAll(async () => {
  await service?.close();
  await standby?.stop('immediate');
  await primary?.stop('immediate');
  if (place) await rm(place, { recursive: true, force: true });
});

describe('of indexes the store knows', () => {
  it('their counters on the standby, by the identifier that both have', async () => {
    const { services } = service;
    const { store } = services;
    for (;;) {
      const { rows } = await run(primary, "SELECT FROM pg_stat_replication WHERE state = 'streaming'");
      const used = await run(
        standby,
        "SELECT FROM pg_stat_user_indexes WHERE indexrelname = 'by_v' AND idx_scan > 0",
      );
      if (rows.length > 0 && used.rows.length > 0) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const first = await collectTarget(services, ids.primary);
    const snapshot = await store.snapshots.get(ids.primary, first.id);
    const aged = {
      ...snapshot,
      server: { ...snapshot.server, stats_reset: new Date(Date.now() - 60 * 86_400_000).toISOString() },
    };
    const verdicts = async () => {
      const replicas = (await watchedReplicas(services, ids.primary, aged)).map(
        ({ name, snapshot: there }) => ({
          name,
          snapshot: {
            ...there,
            server: { ...there.server, stats_reset: new Date(Date.now() - 60 * 86_400_000).toISOString() },
          },
        }),
      );
      const result = await rule.evaluate(await contextOf(aged, { replicas }));
      const codes = Object.fromEntries(result.rejections.map(({ candidate, code }) => [candidate, code]));
      return { replicas: replicas.map(({ name }) => name), codes, dropped: dropped(result.recommendations) };
    };
    // Not collected from yet: it is known of, by its stream alone.
    expect(await verdicts()).toMatchObject({
      replicas: [],
      codes: { 'drop public.by_v': 'replicas_unseen', 'drop public.by_w': 'replicas_unseen' },
      dropped: [],
    });
    await collectTarget(services, ids.standby);
    expect(await verdicts()).toMatchObject({
      replicas: ['standby'],
      codes: { 'drop public.by_v': 'used_on_replica' },
      dropped: ['public.by_w'],
    });
    const onStandby = await store.snapshots.latest(ids.standby);
    const there = await store.snapshots.get(ids.standby, onStandby?.id ?? '');
    expect(await watchedReplicas(services, ids.standby, there)).toEqual([]);
  });

  it('which were there at the earliest look', async () => {
    const { services } = service;
    const { store } = services;
    const first = await store.snapshots.latest(ids.primary);
    const earliest = await store.snapshots.get(ids.primary, first?.id ?? '');
    expect(await earliestLook(services, ids.primary, earliest)).toBeNull();
    await run(primary, 'CREATE INDEX late ON t (w, v)');
    const second = await collectTarget(services, ids.primary);
    const now = await store.snapshots.get(ids.primary, second.id);
    const look = await earliestLook(services, ids.primary, now);
    const late = now.indexes.find(({ name }) => name === 'late')?.oid ?? 0;
    expect(look?.index_oids.has(late)).toBe(false);
    expect(look?.index_oids.size).toBe(3);
  });
});
