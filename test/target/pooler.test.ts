import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { parseDsn } from '../../src/target/dsn.ts';
import { openTarget } from '../../src/target/index.ts';
import { testServer } from '../support/servers.ts';
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

const PGBOUNCER = 'pgbouncer';
const havePgBouncer = spawnSync(PGBOUNCER, ['--version']).status === 0;
/** Debian's account for it; PgBouncer does not run as root. */
const NOBODY = 65534;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function pgBouncer(dsn: string, poolMode: string): Promise<{ dsn: string; stop(): Promise<void> }> {
  const { host, port, user, password, database } = parseDsn(dsn);
  const directory = mkdtempSync(join(tmpdir(), 'pgluthier-pgbouncer-'));
  const listenPort = await freePort();
  writeFileSync(
    join(directory, 'pgbouncer.ini'),
    `[databases]
db = host=${host} port=${port} user=${user} dbname=${database}${password ? ` password=${password}` : ''}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
pool_mode = ${poolMode}
default_pool_size = 5
ignore_startup_parameters = extra_float_digits
`,
  );
  const asRoot = process.getuid?.() === 0;
  if (asRoot) chownSync(directory, NOBODY, NOBODY);
  const child = spawn(PGBOUNCER, [join(directory, 'pgbouncer.ini')], {
    stdio: 'ignore',
    ...(asRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  const pooled = `postgresql://${user}@127.0.0.1:${listenPort}/db`;
  for (let attempt = 0; ; attempt += 1) {
    const client = new pg.Client({ connectionString: pooled });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('SELECT 1');
      await client.end();
      break;
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return {
    dsn: pooled,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

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
