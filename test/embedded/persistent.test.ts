import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';
import { shortTemporaryDirectory } from '../../src/embedded/private-directory.ts';
import { abandon, gone, query, running, startOwner } from './owner.ts';

const copy = promisify(execFile);

let temporaryDirectory = '';
const strangers: ChildProcess[] = [];
beforeAll(async () => {
  temporaryDirectory = await mkdtemp(join(shortTemporaryDirectory(), 'emb-'));
  await chmod(temporaryDirectory, 0o755);
});
afterAll(async () => {
  for (const stranger of strangers) stranger.kill('SIGKILL');
  await rm(temporaryDirectory, { recursive: true, force: true });
});

let count = 0;
let first = '';
/** A cluster with one table, stopped; its directory. The first is made, the others are what a DBA's copy would be. */
async function stoppedCluster(): Promise<string> {
  count += 1;
  const dataDirectory = join(temporaryDirectory, `cluster${count}`, 'data');
  if (first === '') {
    const original = join(temporaryDirectory, 'original');
    const server = await startEmbedded({ dataDirectory: original });
    await query(server.dsn(), 'create table kept as select 42 as n');
    await server.stop();
    first = original;
  }
  await mkdir(dirname(dataDirectory));
  await copy('cp', ['-a', first, dataDirectory]);
  return dataDirectory;
}

async function kept(server: EmbeddedServer): Promise<void> {
  expect(await query(server.dsn(), 'select n from kept')).toEqual([{ n: 42 }]);
}

describe('a persistent server', () => {
  it('keeps its data, is durable, and takes the settings of each start', async () => {
    const dataDirectory = await stoppedCluster();
    expect(existsSync(`${dataDirectory}.owner`)).toBe(false);
    const server = await startEmbedded({ dataDirectory, settings: { work_mem: '11MB' } });
    await kept(server);
    const [row] = await query(
      server.dsn(),
      `select current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
         current_setting('work_mem') as work_mem`,
    );
    expect(row).toEqual({ fsync: 'on', full_page_writes: 'on', work_mem: '11MB' });
    await server.stop();
    expect(existsSync(join(dataDirectory, 'PG_VERSION'))).toBe(true);
  });

  it('refuses a directory of another major, and one that is something else', async () => {
    const dataDirectory = await stoppedCluster();
    await expect(startEmbedded({ dataDirectory, major: 17 })).rejects.toMatchObject({
      code: 'embedded_version_mismatch',
      details: { found_major: '18', wanted_major: 17 },
    });
    const other = join(temporaryDirectory, 'photos');
    await mkdir(other);
    await writeFile(join(other, 'holiday.jpg'), '');
    await expect(startEmbedded({ dataDirectory: other })).rejects.toMatchObject({
      code: 'embedded_directory_not_empty',
    });
    const again = await startEmbedded({ dataDirectory });
    await kept(again);
    await again.stop();
  });

  it('belongs to one process at a time, by whatever path', async () => {
    const dataDirectory = await stoppedCluster();
    const alias = join(temporaryDirectory, 'alias');
    await symlink(dataDirectory, alias);
    const server = await startEmbedded({ dataDirectory });
    await expect(startEmbedded({ dataDirectory })).rejects.toMatchObject({ code: 'embedded_in_use' });
    await expect(startEmbedded({ dataDirectory: alias })).rejects.toMatchObject({ code: 'embedded_in_use' });
    await expect(startOwner({ temporaryDirectory, embedded: { dataDirectory } })).rejects.toThrow(
      'embedded_in_use',
    );
    await kept(server);
    await server.stop();
  });

  it('in a volume shared with another container belongs to that one while it gives signs of life', async () => {
    const dataDirectory = await stoppedCluster();
    const ownerFile = `${dataDirectory}.owner`;
    // This very pid, were it not for the other namespace.
    const owner = { pid: process.pid, start: '1', boot: 'same', pid_namespace: 'pid:[1]' };
    await writeFile(ownerFile, JSON.stringify(owner));
    const heart = setInterval(() => void utimes(ownerFile, new Date(), new Date()), 500);
    await expect(startEmbedded({ dataDirectory })).rejects.toMatchObject({ code: 'embedded_in_use' });
    clearInterval(heart);
    const long = new Date(Date.now() - 60_000);
    await utimes(ownerFile, long, long);
    const server = await startEmbedded({ dataDirectory });
    await kept(server);
    await server.stop();
  });

  it('is made once when two start at the same moment', async () => {
    const dataDirectory = join(temporaryDirectory, 'raced');
    const starts = await Promise.allSettled([1, 2, 3].map(() => startEmbedded({ dataDirectory })));
    const started = starts.filter((start) => start.status === 'fulfilled');
    expect(started).toHaveLength(1);
    for (const start of starts) {
      if (start.status === 'rejected') expect(start.reason).toMatchObject({ code: 'embedded_in_use' });
      else await start.value.stop();
    }
  });

  it('starts over where initdb was interrupted, also on an empty directory that exists', async () => {
    const dataDirectory = join(temporaryDirectory, 'interrupted');
    await mkdir(join(dataDirectory, 'unfinished-initdb', 'base'), { recursive: true });
    await writeFile(join(dataDirectory, 'unfinished-initdb', 'PG_VERSION'), '18\n');
    const server = await startEmbedded({ dataDirectory });
    expect(await query(server.dsn(), 'select 1 as n')).toEqual([{ n: 1 }]);
    expect(existsSync(join(dataDirectory, 'unfinished-initdb'))).toBe(false);
    await server.stop();
  });

  it('starts with a stale postmaster.pid whose process is gone', async () => {
    const dataDirectory = await stoppedCluster();
    const dead = spawn('true');
    await new Promise((resolve) => dead.on('exit', resolve));
    await writePid(dataDirectory, dead.pid ?? 0);
    const server = await startEmbedded({ dataDirectory });
    await kept(server);
    await server.stop();
  });

  it('starts with a stale postmaster.pid whose number a stranger of the same account has now', async () => {
    const dataDirectory = await stoppedCluster();
    const { uid, gid } = await stat(dataDirectory);
    // Named like a server, too: only where it works tells that it is not ours.
    const stranger = spawn('/bin/sh', ['-c', 'sleep 600; true', 'postgres'], { uid, gid, cwd: '/' });
    strangers.push(stranger);
    await writePid(dataDirectory, stranger.pid ?? 0);
    const server = await startEmbedded({ dataDirectory });
    await kept(server);
    expect(running(stranger.pid ?? 0)).toBe(true);
    await server.stop();
  });

  it('is stopped in good order soon after its owner was killed', async () => {
    const dataDirectory = join(temporaryDirectory, 'killed');
    const owner = await startOwner({ temporaryDirectory, embedded: { dataDirectory } });
    await query(owner.server.dsn, 'create table kept as select 42 as n');
    owner.process.kill('SIGKILL');
    await gone(owner);
    const server = await startEmbedded({ dataDirectory });
    await kept(server);
    await server.stop();
    expect(await collectedLog(dataDirectory)).not.toContain('automatic recovery in progress');
  });

  it('left over alone is stopped and taken over at the next start', async () => {
    const dataDirectory = join(temporaryDirectory, 'left-over');
    const owner = await startOwner({ temporaryDirectory, embedded: { dataDirectory } });
    await query(owner.server.dsn, 'create table kept as select 42 as n');
    await abandon(owner);
    expect(running(owner.server.pid)).toBe(true);
    const server = await startEmbedded({ dataDirectory });
    expect(running(owner.server.pid)).toBe(false);
    await kept(server);
    await server.stop();
  });

  it('recovers after its server was killed', async () => {
    const dataDirectory = await stoppedCluster();
    const server = await startEmbedded({ dataDirectory });
    await query(server.dsn(), 'insert into kept values (43)');
    process.kill(server.pid, 'SIGKILL');
    await server.restart();
    expect(await query(server.dsn(), 'select n from kept order by n')).toEqual([{ n: 42 }, { n: 43 }]);
    await server.stop();
  });

  it('names the end of its log when it cannot start', async () => {
    const dataDirectory = await stoppedCluster();
    await expect(
      startEmbedded({ dataDirectory, settings: { shared_preload_libraries: 'no_such_library' } }),
    ).rejects.toMatchObject({
      code: 'embedded_start_failed',
      message: expect.stringContaining('no_such_library'),
    });
    const server = await startEmbedded({ dataDirectory });
    await kept(server);
    await server.stop();
  });
});

async function writePid(dataDirectory: string, pid: number): Promise<void> {
  const { uid, gid } = await stat(dataDirectory);
  const file = join(dataDirectory, 'postmaster.pid');
  await writeFile(file, `${pid}\n${dataDirectory}\n1700000000\n5432\n/tmp\n\n  1  1\nready   \n`, {
    mode: 0o600,
  });
  await chown(file, uid, gid);
}

async function collectedLog(dataDirectory: string): Promise<string> {
  const day = new Date().toLocaleDateString('en-US', { weekday: 'short', timeZone: 'UTC' });
  return readFile(join(dataDirectory, 'log', `postgresql-${day}.log`), 'utf8');
}
