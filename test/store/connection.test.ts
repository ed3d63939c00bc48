import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import pg from 'pg';
import { expect, it } from 'vitest';
import { parseInt8, parseTimestamp } from '../../src/store/database.ts';
import { openStore } from '../../src/store/index.ts';
import { testServer } from '../support/servers.ts';
import { addTarget, freshStore, hostileSnapshot } from './fixtures.ts';

it.each([
  ['nobody listens', 'postgresql://u:geheim@127.0.0.1:1/x'],
  ['its port is none', 'postgresql://u:geheim@127.0.0.1:notaport/x'],
  ['there is no such host', 'postgresql://u:geheim@nowhere.invalid/x'],
])('is a clear error without the password when %s', async (_, dsn) => {
  const error: unknown = await openStore({ dsn, secretKey: randomBytes(32) }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'store_unreachable', status: 503 });
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('geheim');
});

it('says so when the database does not exist', async () => {
  const server = await testServer();
  await expect(
    openStore({ dsn: server.dsn('no_such_db'), secretKey: randomBytes(32) }),
  ).rejects.toMatchObject({
    code: 'store_unreachable',
    message: expect.stringContaining('no_such_db'),
  });
});

it('refuses a key of another length', async () => {
  await expect(openStore({ dsn: 'postgresql://x', secretKey: randomBytes(16) })).rejects.toMatchObject({
    code: 'secret_key_invalid',
  });
});

it('says so when it was not migrated', async () => {
  const server = await testServer();
  const database = await server.createDatabase();
  const store = await openStore({ dsn: database.dsn, secretKey: randomBytes(32) });
  await expect(store.targets.list()).rejects.toMatchObject({ code: 'store_not_migrated' });
  await store.close();
  await database.drop();
});

it('leaves no session behind when it was only migrated', async () => {
  const server = await testServer();
  const database = await server.createDatabase();
  const store = await openStore({ dsn: database.dsn, secretKey: randomBytes(32) });
  await store.migrate();
  await store.close();
  const admin = new pg.Client({ connectionString: server.dsn() });
  await admin.connect();
  // Without FORCE: the server waits for sessions that end, 5 s, and then refuses.
  await admin.query(`DROP DATABASE ${database.name}`);
  await admin.end();
});

it('survives losing its connections, idle and at work, and goes on', async () => {
  const { store, query, close } = await freshStore();
  const targetId = await addTarget(store);
  // Someone holds the target, so that the save below waits inside its transaction.
  await query('BEGIN');
  await query('SELECT FROM pgluthier.target FOR UPDATE');
  const saving = store.snapshots.save(targetId, hostileSnapshot('2026-11-20T00:00:00Z', 1));
  saving.catch(() => {});
  const waits = async () =>
    (
      await query<{ n: number }>(
        "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      )
    )[0]?.n;
  await expect.poll(waits).toBe(1);
  await query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pgluthier:store'",
  );
  await expect(saving).rejects.toMatchObject({ code: 'store_unreachable' });
  await query('ROLLBACK');
  expect(await store.targets.list()).toHaveLength(1);
  await store.ping();
  await close();
});

it('marks its sessions, and reads times whatever the role says about them', async () => {
  const { store, dsn, query, close } = await freshStore();
  const [{ name } = { name: '' }] = await query<{ name: string }>('SELECT current_database() AS name');
  await query(`ALTER DATABASE ${name} SET TimeZone = 'Asia/Kolkata'`);
  await query(`ALTER DATABASE ${name} SET DateStyle = 'SQL, DMY'`);
  const named = new URL(dsn);
  named.searchParams.set('application_name', 'mine');
  const other = await openStore({ dsn: named.href, secretKey: randomBytes(32) });
  const targetId = await addTarget(other);
  const taken = await other.snapshots.save(targetId, hostileSnapshot('2026-11-20T23:59:59.999999Z', 1));
  expect(taken.taken_at).toBe('2026-11-20T23:59:59.999999Z');
  const sessions = await query<{ application_name: string }>(
    'SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
  expect(sessions).toEqual([{ application_name: 'pgluthier:store' }]);
  await other.close();
  expect((await store.targets.list()).map((target) => target.id)).toContain(targetId);
  await close();
});

it('refuses texts that PostgreSQL cannot hold as the caller’s mistake', async () => {
  const { store, close } = await freshStore();
  await expect(store.targets.get('a\0b')).rejects.toMatchObject({ code: 'text_not_storable', status: 400 });
  await close();
});

it('reads numbers and times without loss, or not at all', () => {
  expect(parseInt8('9007199254740991')).toBe(9_007_199_254_740_991);
  expect(() => parseInt8('9007199254740993')).toThrow(RangeError);
  expect(parseTimestamp('2026-11-20 01:02:03+00')).toBe('2026-11-20T01:02:03.000Z');
  expect(parseTimestamp('2026-11-20 01:02:03.1+00')).toBe('2026-11-20T01:02:03.100Z');
  expect(parseTimestamp('2026-11-20 01:02:03.000001+00')).toBe('2026-11-20T01:02:03.000001Z');
  expect(() => parseTimestamp('20/11/2026 01:02:03 UTC')).toThrow(RangeError);
});
