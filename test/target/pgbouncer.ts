/** A real PgBouncer for tests, where one is installed. */
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { parseDsn } from '../../src/target/dsn.ts';

const PGBOUNCER = 'pgbouncer';
export const havePgBouncer = spawnSync(PGBOUNCER, ['--version']).status === 0;
/** Debian's account for it; PgBouncer does not run as root. */
const NOBODY = 65534;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Between us and the server of this DSN, until it is stopped as by kill -9. */
export async function pgBouncer(
  dsn: string,
  poolMode: string,
  poolSize = 5,
): Promise<{ dsn: string; stop(): Promise<void> }> {
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
default_pool_size = ${poolSize}
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
