/** A real standby that lags: changes are held off while it does, and go on after. */
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Change } from '../../src/domain/index.ts';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { applyInWindow, collectTarget } from '../../src/pipeline/index.ts';
import { type Advised, advisedOn } from './advised.ts';

let place: string;
let primary: EmbeddedServer;
let standby: EmbeddedServer;
let reader: pg.Client;
let at: Advised;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'pgluthier-lag-'));
  await chmod(place, 0o755);
  const settings = { wal_level: 'replica', shared_preload_libraries: 'pg_stat_statements' };
  primary = await startEmbedded({ settings, dataDirectory: join(place, 'primary') });
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
      // What it has replayed is told at once, not each ten seconds.
      wal_receiver_status_interval: '1s',
      primary_conninfo: `host=${primary.socketDirectory} port=${primary.port} user=postgres application_name=reader`,
    },
  });
  reader = new pg.Client({ connectionString: standby.dsn('postgres') });
  await reader.connect();
  at = await advisedOn(primary.dsn('postgres'), () => primary.stop('immediate'));
  await at.client.query('CREATE EXTENSION pg_stat_statements');
  await at.client.query('CREATE TABLE items (id int, owner int)');
}, 120_000);
afterAll(async () => {
  await reader?.end();
  await standby?.stop('immediate');
  await at?.close();
  if (place) await rm(place, { recursive: true, force: true });
});

const create = (name: string): Change => ({
  kind: 'index.create',
  index: {
    schema: 'public',
    table: 'items',
    name,
    method: 'btree',
    unique: false,
    keys: [
      { column: 'owner', expression: null, opclass: null, collation: null, direction: 'asc', nulls: null },
    ],
    include: [],
    where: `id > ${name.length}`,
    options: {},
  },
});
const write = () => at.client.query('INSERT INTO items SELECT i, i FROM generate_series(1, 5000) i');
const bytesBehind = () =>
  at.value(
    "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::int FROM pg_stat_replication WHERE application_name = 'reader'",
  );
const caughtUp = () => expect.poll(bytesBehind, { timeout: 20_000 }).toBe(0);
/** Approved, for a window that is always open. */
async function scheduled(id: string): Promise<string> {
  const path = await at.propose(id, create(id));
  const { plan_hash } = (await at.service.ask('GET', path)).body;
  await at.service.ask('POST', `${path}/approve`, { plan_hash });
  expect((await at.service.ask('POST', `${path}/schedule`)).status).toBe(200);
  return path;
}
const day = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const policy = (seconds: number) =>
  at.service.ask('PUT', `${at.base}/apply-policy`, {
    max_replica_lag_seconds: seconds,
    // A window of a day ends at midnight, whatever begins then.
    windows: ['00:00', '12:00'].map((at) => ({ days: day, from: at, to: at, time_zone: 'UTC' })),
  });
const refusalsOf = async (path: string) => (await at.service.ask('GET', `${path}/plan`)).body.refusals;
/** The lag of what was replayed last is shown until something else was, or for a while of quiet. */
async function lagForgotten(path: string): Promise<void> {
  await write();
  await expect.poll(() => refusalsOf(path), { timeout: 30_000 }).toEqual([]);
}
const run = () => applyInWindow(at.service.services, { id: at.targetId });

it('whose replay is paused holds a change off by what we saw written before, and lets it go on after', async () => {
  expect((await policy(1)).status).toBe(200);
  await expect.poll(bytesBehind, { timeout: 20_000 }).toBeTypeOf('number');
  await caughtUp();
  const path = await scheduled('paused');
  await reader.query('SELECT pg_wal_replay_pause()');
  await expect
    .poll(async () => (await reader.query('SELECT pg_get_wal_replay_pause_state() AS s')).rows[0].s)
    .toBe('paused');
  await write();
  await collectTarget(at.service.services, at.targetId);
  await expect
    .poll(() => refusalsOf(path), { timeout: 20_000 })
    .toMatchObject([{ code: 'replica_lag', message: expect.stringContaining('reader is at least') }]);
  expect(await run()).toEqual({ started: 0, held: { paused: 'replica_lag' } });
  const { status, body } = await at.service.ask('POST', `${path}/apply`);
  expect([status, body.code]).toEqual([409, 'replica_lag']);
  expect(await at.stateOf('paused')).toBe('scheduled');
  expect(await at.value("SELECT to_regclass('paused')")).toBeNull();

  await reader.query('SELECT pg_wal_replay_resume()');
  await caughtUp();
  await lagForgotten(path);
  expect(await run()).toEqual({ started: 1, held: {} });
  await at.service.services.background.idle();
  expect(await at.stateOf('paused')).toBe('verifying');
  await caughtUp();
  expect((await reader.query("SELECT to_regclass('paused') IS NOT NULL AS there")).rows).toEqual([
    { there: true },
  ]);
}, 60_000);

it('that replays later than the policy allows holds it off by the replay_lag that it reports', async () => {
  await policy(1);
  await reader.query("ALTER SYSTEM SET recovery_min_apply_delay = '3s'");
  await reader.query('SELECT pg_reload_conf()');
  const path = await scheduled('delayed_one');
  await write();
  await expect.poll(() => refusalsOf(path), { timeout: 20_000 }).toMatchObject([{ code: 'replica_lag' }]);
  await policy(3_600);
  expect(await refusalsOf(path)).toEqual([]);
  await policy(1);
  await reader.query('ALTER SYSTEM RESET recovery_min_apply_delay');
  await reader.query('SELECT pg_reload_conf()');
  await caughtUp();
  await lagForgotten(path);
  expect(await run()).toEqual({ started: 1, held: {} });
  await at.service.services.background.idle();
  expect(await at.stateOf('delayed_one')).toBe('verifying');
}, 90_000);
