/** Requested checkpoints that become timed ones: seen, advised, applied by the product, on real servers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testMajors } from '../support/servers.ts';
import { advise, find, settingsServer, sideOf, verdict } from './settings-server.ts';

// Each waits for a checkpoint that comes by time, 30 s at least: the servers wait together.
describe.concurrent.each(testMajors)('PostgreSQL %i', (major) => {
  let server: Awaited<ReturnType<typeof settingsServer>>;
  beforeAll(async () => {
    server = await settingsServer(major);
  });
  afterAll(async () => server?.stop());

  test('requested checkpoints become timed ones with max_wal_size', async () => {
    // What it waits for is asked of the server, a snapshot each time would be dear. 17 moved the counters.
    const counters =
      major < 17
        ? 'checkpoints_timed::int AS timed, checkpoints_req::int AS requested FROM pg_stat_bgwriter'
        : 'num_timed::int AS timed, num_requested::int AS requested FROM pg_stat_checkpointer';
    const count = async () => {
      const { rows } = await server.run(`SELECT ${counters}`);
      return rows[0] as { timed: number; requested: number };
    };
    // 16 MB of WAL, next to all of them in records that cost no index and no page anything.
    const load = async () => {
      await server.run(
        "INSERT INTO big SELECT 1000000 * random() + 1000000, repeat('y', 200) FROM generate_series(1, 3000) ON CONFLICT DO NOTHING",
      );
      await server.run(
        "SELECT count(pg_logical_emit_message(false, 'load', repeat('y', 1000000))) FROM generate_series(1, 15)",
      );
    };
    const first = await server.look();
    const start = await count();
    while ((await count()).requested < start.requested + 6) await load();
    // A window of less than one checkpoint_timeout (30 s) is too young to tell a rate of WAL.
    while (Date.now() - Date.parse(first.taken_at) < 31_500) await sleep(500);
    const before = await sideOf(first, await server.look());
    const advice = find(await advise(before), 'settings/max-wal-size', 'max_wal_size');
    expect(advice.evidence.map(({ name }) => name)).toContain('WAL in one checkpoint_timeout');
    await server.carryOut(advice);
    // Those that were asked for before it came into force have begun by then.
    await server.run('CHECKPOINT');
    const second = await server.look();
    const quiet = await count();
    const written = async () => {
      const { rows } = await server.run('SELECT wal_bytes::float8 AS bytes FROM pg_stat_wal');
      return rows[0].bytes - Number(second.counters.wal?.wal_bytes);
    };
    // With as much as before the p of six against none is just below 0.01, and above where a load begins early.
    while ((await written()) < 250 * 1024 ** 2) await load();
    while ((await count()).timed === quiet.timed) await sleep(500);
    const after = await sideOf(second, await server.look());
    // The same load filled 32 MB several times; now time alone makes checkpoints.
    expect(after.window.counters?.checkpoints).toMatchObject({ requested: 0 });
    expect(after.window.counters?.checkpoints?.timed).toBeGreaterThan(0);
    expect(verdict(advice, before, after).verdict).toBe('succeeded');
  }, 120_000);
});
