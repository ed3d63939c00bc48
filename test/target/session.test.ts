import { describe, expect, it } from 'vitest';
import { openTarget, targetAddress } from '../../src/target/index.ts';
import { testServer } from '../support/servers.ts';
import { asRole } from './as-role.ts';

const options = { applicationName: 'pgluthier:test', readOnly: true };

describe('a connection that does not come about', () => {
  it('is told apart by its reason, and never shows the password', async () => {
    const server = await testServer();
    const cases: [dsn: string, code: string][] = [
      ['no dsn at all', 'dsn_invalid'],
      ['mysql://u:geheim@h/db', 'dsn_invalid'],
      ['postgresql://u:geheim@127.0.0.1:1/db', 'target_unreachable'],
      ['postgresql://u:geheim@does-not-exist.invalid/db', 'target_unreachable'],
      [server.dsn('no_such_database'), 'target_database_missing'],
      [asRole(server.dsn(), 'no_such_role', 'geheim'), 'target_auth_failed'],
    ];
    for (const [dsn, code] of cases) {
      const error = await openTarget(dsn, options).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      expect(error, dsn).toMatchObject({ code });
      expect(JSON.stringify(error) + String(error)).not.toContain('geheim');
    }
  });
});

describe('a session', () => {
  it('is marked, bounded, and cannot write', async () => {
    const server = await testServer();
    const session = await openTarget(server.dsn(), options);
    const [row] = await session.query<Record<string, string>>(
      "SELECT current_setting('application_name') AS name, current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock, current_setting('search_path') AS path",
    );
    expect(row).toEqual({ name: 'pgluthier:test', statement: '30s', lock: '1s', path: 'pg_catalog' });
    await expect(session.query('CREATE TABLE public.t (i int)')).rejects.toMatchObject({ sqlstate: '25006' });
    await session.close();
  });

  it('refuses a second statement where the text is somebody else’s', async () => {
    const server = await testServer();
    const session = await openTarget(server.dsn(), options);
    const text = 'SELECT 1 AS one; SELECT 2 AS one';
    expect(await session.query('SELECT 1 AS one', [], { single: true })).toEqual([{ one: 1 }]);
    expect(await session.query('SELECT 1 AS one; -- and no more', [], { single: true })).toEqual([
      { one: 1 },
    ]);
    await expect(session.query(text, [], { single: true })).rejects.toMatchObject({ sqlstate: '42601' });
    await session.close();
  });

  it('gives counters as numbers, times as ISO 8601, and refuses what would be rounded', async () => {
    const server = await testServer();
    const session = await openTarget(server.dsn(), options);
    expect(
      await session.query(
        "SELECT 5::int8 AS i, 1.5::numeric AS n, '2026-01-02 03:04:05.678+02'::timestamptz AS t",
      ),
    ).toEqual([{ i: 5, n: 1.5, t: '2026-01-02T01:04:05.678Z' }]);
    await expect(session.query('SELECT 9007199254740993::int8 AS i')).rejects.toThrow();
    await session.close();
  });

  it('is given up at once when its signal is aborted, whatever runs in it', async () => {
    const stop = new AbortController();
    const server = await testServer();
    const session = await openTarget(server.dsn(), { ...options, signal: stop.signal });
    const asleep = expect(session.query('SELECT pg_sleep(25)')).rejects.toMatchObject({
      code: 'target_connection_lost',
    });
    stop.abort();
    await asleep;
    await expect(session.query('SELECT 1')).rejects.toMatchObject({ code: 'target_connection_lost' });
    await session.close();
    await expect(openTarget(server.dsn(), { ...options, signal: stop.signal })).rejects.toBeDefined();
  });

  it('shows its address without user and password', () => {
    expect(targetAddress('postgresql://u:geheim@db.example.org:6000/shop?sslmode=require')).toBe(
      'db.example.org:6000/shop',
    );
  });
});
