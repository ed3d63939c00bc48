import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { openTarget } from '../../src/target/index.ts';
import { testServer } from '../support/servers.ts';
import { havePgBouncer, pgBouncer } from './pgbouncer.ts';
import { tcpFront } from './tcp-front.ts';

const options = { applicationName: 'pgluthier:test', readOnly: true };

it('takes a server for what it is', async () => {
  const session = await openTarget((await testServer()).dsn(), options);
  expect(session.pooling).toBe('none');
  await session.close();
});

it('sees a pooler by its process id, and that it keeps one backend for a session', async () => {
  const front = await tcpFront((await testServer()).dsn(), { announcedPid: 1 });
  const session = await openTarget(front.dsn, options);
  expect(session.pooling).toBe('session');
  await session.close();
  await front.close();
});

it('leaves a pooled backend without its role, its locks and its settings', async () => {
  const server = await testServer();
  const front = await tcpFront(server.dsn(), { announcedPid: 1, keepBackends: true });
  const session = await openTarget(front.dsn, { ...options, applicationName: 'pgluthier:left' });
  await session.query('SET ROLE pg_monitor');
  await session.query('SELECT pg_advisory_lock(71, 4)');
  await session.close();
  const client = new pg.Client({ connectionString: server.dsn() });
  await client.connect();
  const { rows } = await client.query(
    `SELECT (SELECT count(*)::int FROM pg_stat_activity WHERE pid = $1) AS backends,
            (SELECT count(*)::int FROM pg_locks WHERE pid = $1 AND locktype = 'advisory') AS locks,
            (SELECT query FROM pg_stat_activity WHERE pid = $1) AS last`,
    [session.pid],
  );
  await client.end();
  await front.close();
  // DISCARD ALL takes the role off, too, which RESET ALL does not (GUC_NO_RESET_ALL, guc_tables.c).
  expect(rows).toMatchObject([{ backends: 1, locks: 0, last: expect.stringContaining('DISCARD ALL') }]);
});

describe.skipIf(!havePgBouncer)('PgBouncer (skipped where it is not installed)', () => {
  it.each(['transaction', 'statement'])('is refused in %s mode, and nothing is left behind', async (mode) => {
    const bouncer = await pgBouncer((await testServer()).dsn(), mode);
    try {
      await expect(openTarget(bouncer.dsn, options)).rejects.toMatchObject({ code: 'target_behind_pooler' });
      const client = new pg.Client({ connectionString: bouncer.dsn });
      await client.connect();
      const { rows } = await client.query(
        "SELECT current_setting('default_transaction_read_only') AS read_only, current_setting('search_path') AS path",
      );
      expect(rows[0].read_only).toBe('off');
      expect(rows[0].path).not.toBe('pg_catalog');
      await client.end();
    } finally {
      await bouncer.stop();
    }
  });

  it('serves in session mode, and the next client finds the backend clean', async () => {
    const bouncer = await pgBouncer((await testServer()).dsn(), 'session');
    try {
      const session = await openTarget(bouncer.dsn, options);
      expect(session.pooling).toBe('session');
      expect(await session.query("SELECT current_setting('search_path') AS path")).toEqual([
        { path: 'pg_catalog' },
      ]);
      await session.close();
      const client = new pg.Client({ connectionString: bouncer.dsn });
      await client.connect();
      const { rows } = await client.query(
        "SELECT current_setting('default_transaction_read_only') AS read_only",
      );
      expect(rows[0].read_only).toBe('off');
      await client.end();
    } finally {
      await bouncer.stop();
    }
  });
});
