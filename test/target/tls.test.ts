import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { openTarget } from '../../src/target/index.ts';

const options = { applicationName: 'pgluthier:test', readOnly: true };
const OPENSSL = 'openssl';
const haveOpenSsl = spawnSync(OPENSSL, ['version']).status === 0;

describe.skipIf(!haveOpenSsl)('TLS (skipped where there is no openssl to make a certificate)', () => {
  let server: EmbeddedServer;
  let directory: string;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'pgluthier-tls-'));
    const made = spawnSync(
      OPENSSL,
      [
        'req',
        '-new',
        '-x509',
        '-days',
        '2',
        '-nodes',
        '-newkey',
        'rsa:2048',
        '-subj',
        '/CN=localhost',
        '-addext',
        'subjectAltName=DNS:localhost',
        '-keyout',
        join(directory, 'server.key'),
        '-out',
        join(directory, 'server.crt'),
      ],
      { stdio: 'ignore' },
    );
    expect(made.status).toBe(0);
    server = await startEmbedded({ listen: 'tcp', light: 'disk', name: 'tls' });
    // The server's own account must own its key: it is written by the server, into its data directory.
    const admin = new pg.Client({ connectionString: server.dsn() });
    await admin.connect();
    for (const file of ['server.key', 'server.crt']) {
      const text = readFileSync(join(directory, file), 'utf8').trim().split('\n');
      await admin.query(
        `COPY (SELECT unnest(ARRAY[${text.map((line) => `'${line}'`).join(', ')}])) TO PROGRAM 'umask 077 && cat > ${file}'`,
      );
    }
    await admin.query('ALTER SYSTEM SET ssl = on');
    await admin.query('SELECT pg_reload_conf()');
    await admin.end();
  });

  afterAll(async () => {
    await server?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const dsn = (parameters: Record<string, string>) => {
    const url = new URL(server.dsn());
    url.hostname = 'localhost';
    url.searchParams.delete('sslmode');
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return url.href;
  };

  it.each(['prefer', 'require', undefined])(
    'is used with sslmode %s, without asking who signed',
    async (mode) => {
      const session = await openTarget(dsn(mode ? { sslmode: mode } : {}), options);
      expect(session.encrypted).toBe(true);
      expect(await session.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).toEqual([
        { ssl: true },
      ]);
      await session.close();
    },
  );

  it('asks who signed with verify-full, and takes the authority that it is given', async () => {
    await expect(openTarget(dsn({ sslmode: 'verify-full' }), options)).rejects.toMatchObject({
      code: 'target_tls_failed',
      remedy: expect.stringContaining('sslrootcert'),
    });
    const session = await openTarget(
      dsn({ sslmode: 'verify-full', sslrootcert: join(directory, 'server.crt') }),
      options,
    );
    expect(session.encrypted).toBe(true);
    await session.close();
  });

  it('refuses another host than the certificate names', async () => {
    const url = new URL(dsn({ sslmode: 'verify-full', sslrootcert: join(directory, 'server.crt') }));
    url.hostname = '127.0.0.1';
    await expect(openTarget(url.href, options)).rejects.toMatchObject({ code: 'target_tls_failed' });
  });
});
