import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { availableMajors, startEmbedded } from '../../src/embedded/index.ts';
import { shortTemporaryDirectory } from '../../src/embedded/private-directory.ts';
import { abandon, gone, type Owner, query, running, startOwner } from './owner.ts';

// Where it does not matter how a cluster comes about it is a copy of a template: initdb takes a second.
const light = 'disk';

let temporaryDirectory = '';
beforeAll(async () => {
  temporaryDirectory = await mkdtemp(join(shortTemporaryDirectory(), 'emb-'));
  await chmod(temporaryDirectory, 0o755);
});
afterAll(() => rm(temporaryDirectory, { recursive: true, force: true }));

describe('a temporary server', () => {
  it('runs in every installed major, side by side, with contrib modules', async () => {
    const majors = availableMajors();
    expect(majors.length).toBeGreaterThanOrEqual(4);
    const servers = await Promise.all(
      majors.map((major) =>
        startEmbedded({
          major,
          settings: { shared_preload_libraries: 'pg_stat_statements', work_mem: '7MB' },
        }),
      ),
    );
    try {
      for (const server of servers) {
        await query(server.dsn(), 'create extension pg_stat_statements');
        const [row] = await query(
          server.dsn(),
          `select current_setting('server_version') as version, current_setting('work_mem') as work_mem,
             pg_encoding_to_char(encoding) as encoding, (select count(*) > 0 from pg_stat_statements) as seen
           from pg_database where datname = current_database()`,
        );
        expect(row).toEqual({ version: server.version, work_mem: '7MB', encoding: 'UTF8', seen: true });
        expect(server.version.startsWith(`${server.major}.`)).toBe(true);
      }
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
    for (const server of servers) {
      expect(running(server.pid)).toBe(false);
      expect(existsSync(dirname(server.dataDirectory))).toBe(false);
    }
  });

  it('keeps its data and its address over a restart', async () => {
    const server = await startEmbedded({ listen: 'tcp', light });
    const { pid, port } = server;
    await query(server.dsn(), 'create table kept as select 42 as n');
    await query(server.dsn(), "alter system set work_mem = '9MB'");
    await server.restart();
    expect(server.pid).not.toBe(pid);
    expect(server.port).toBe(port);
    expect(await query(server.dsn(), "select n, current_setting('work_mem') as work_mem from kept")).toEqual([
      { n: 42, work_mem: '9MB' },
    ]);
    await server.stop();
    await server.stop();
  });

  it('listens on 127.0.0.1 with a password, or on no port at all', async () => {
    const server = await startEmbedded({ listen: 'tcp', light });
    const wrong = new URL(server.dsn());
    wrong.password = 'guess';
    await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    const [tcp] = await query(
      server.dsn(),
      `select current_setting('listen_addresses') as addresses, left(rolpassword, 13) as verifier, ssl
       from pg_authid, pg_stat_ssl where rolname = 'postgres' and pid = pg_backend_pid()`,
    );
    expect(tcp).toEqual({ addresses: '127.0.0.1', verifier: 'SCRAM-SHA-256', ssl: false });
    await server.stop();
    const quiet = await startEmbedded({ light });
    const [socket] = await query(quiet.dsn(), "select current_setting('listen_addresses') as addresses");
    expect(socket).toEqual({ addresses: '' });
    await quiet.stop();
  });

  it('reaches databases whose names need escaping', async () => {
    const server = await startEmbedded({ listen: 'tcp', light });
    const name = 'Größe "x"/100%:a=b&c+d@';
    await query(server.dsn(), `create database "${name.replaceAll('"', '""')}"`);
    expect(await query(server.dsn(name), 'select current_database() as name')).toEqual([{ name }]);
    await server.stop();
    const quiet = await startEmbedded({ light });
    await query(quiet.dsn(), `create database "${name.replaceAll('"', '""')}"`);
    expect(await query(quiet.dsn(name), 'select current_database() as name')).toEqual([{ name }]);
    await quiet.stop();
  });

  it('takes initdb arguments, a locale among them', async () => {
    const server = await startEmbedded({
      initdbArgs: ['--locale-provider=icu', '--icu-locale=de', '--data-checksums'],
    });
    expect(
      await query(
        server.dsn(),
        "select datlocprovider as provider, current_setting('data_checksums') as checksums from pg_database limit 1",
      ),
    ).toEqual([{ provider: 'i', checksums: 'on' }]);
    await server.stop();
    await expect(startEmbedded({ initdbArgs: ['--no-such-argument'] })).rejects.toMatchObject({
      code: 'embedded_init_failed',
      message: expect.stringContaining('no-such-argument'),
    });
  });

  it('says what the log says when it cannot start, and leaves nothing', async () => {
    const folder = join(shortTemporaryDirectory(), `pgluthier-${process.getuid?.()}`);
    const before = new Set(readdirSync(folder));
    await expect(
      startEmbedded({ name: 'broken', light, settings: { work_mem: 'banana' } }),
    ).rejects.toMatchObject({
      code: 'embedded_start_failed',
      message: expect.stringMatching(/work_mem.*banana/),
    });
    const after = readdirSync(folder);
    expect(after.filter((entry) => entry.startsWith('broken') && !before.has(entry))).toEqual([]);
    await expect(startEmbedded({ light, settings: { 'work_mem = 1\nfsync': 'x' } })).rejects.toMatchObject({
      code: 'embedded_setting_invalid',
    });
    await expect(startEmbedded({ major: 9 })).rejects.toMatchObject({ code: 'embedded_major_unavailable' });
  });
});

describe('the end of the process that owns a temporary server', () => {
  const ends: [string, (owner: Owner) => void][] = [
    ['SIGTERM', (owner) => void owner.process.kill('SIGTERM')],
    ['SIGINT', (owner) => void owner.process.kill('SIGINT')],
    ['SIGKILL', (owner) => void owner.process.kill('SIGKILL')],
    ['process.exit', (owner) => void owner.process.stdin?.write('exit\n')],
    ['an uncaught exception', (owner) => void owner.process.stdin?.write('throw\n')],
  ];

  it.each(ends)('by %s takes the server and its folder along', async (_how, end) => {
    const owner = await startOwner({ temporaryDirectory, embedded: { light } });
    expect(running(owner.server.pid)).toBe(true);
    end(owner);
    await gone(owner);
  });

  it('without its watchdog leaves an orphan, which the next start removes', async () => {
    const orphaned = await startOwner({ temporaryDirectory, embedded: { light } });
    const other = await startOwner({ temporaryDirectory, embedded: { light } });
    await abandon(orphaned);
    expect(await query(orphaned.server.dsn, 'select 1 as alive')).toEqual([{ alive: 1 }]);
    const next = await startOwner({ temporaryDirectory, embedded: { light } });
    expect(running(orphaned.server.pid)).toBe(false);
    expect(existsSync(dirname(orphaned.server.dataDirectory))).toBe(false);
    expect(await query(other.server.dsn, 'select 1 as alive')).toEqual([{ alive: 1 }]);
    for (const owner of [other, next]) {
      owner.process.kill('SIGTERM');
      await gone(owner);
    }
  });
});
