import { existsSync } from 'node:fs';
import {
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbedded } from '../../src/embedded/index.ts';
import { packageRoot } from '../../src/package-root.ts';
import { compiled } from '../support/compiled.ts';
import { gone, query, startOwner } from './owner.ts';

const asRoot = process.getuid?.() === 0;
const USER = 1000;

let temporaryDirectory = '';
beforeAll(async () => {
  temporaryDirectory = await mkdtemp('/tmp/emb-');
  await chmod(temporaryDirectory, 0o755);
  if (asRoot) await chown(temporaryDirectory, USER, USER);
});
afterAll(() => rm(temporaryDirectory, { recursive: true, force: true }));

/** A version that no cache holds yet, so that every run copies. */
const VERSION = `0.0.0-test.${process.pid}`;

/** A second installation: the code as it is built, what it imports, and one major's binaries as npm leaves them without scripts. */
async function installAt(directory: string): Promise<string> {
  await mkdir(join(directory, 'node_modules'), { recursive: true });
  await cp(join(packageRoot, 'package.json'), join(directory, 'package.json'));
  const built = dirname(await compiled('src/main'));
  await cp(built, join(directory, 'dist', 'src'), { recursive: true });
  const name = `embedded-pg18-${process.platform}-${process.arch}`;
  await cp(join(packageRoot, 'node_modules', name), join(directory, 'node_modules', name), {
    recursive: true,
    filter: async (source) => !/\.so(\.\d+)?$/.test(source) || !(await isLink(source)),
  });
  const manifest = join(directory, 'node_modules', name, 'package.json');
  await writeFile(
    manifest,
    JSON.stringify({ ...JSON.parse(await readFile(manifest, 'utf8')), version: VERSION }),
  );
  for (const dependency of ['pg', 'zod']) {
    await symlink(join(packageRoot, 'node_modules', dependency), join(directory, 'node_modules', dependency));
  }
  return join(directory, 'dist', 'src', 'embedded', 'index.js');
}

async function isLink(path: string): Promise<boolean> {
  return (await lstat(path)).isSymbolicLink();
}

// Setting another uid takes root; as a normal user every other test of this folder covers the same ground.
describe.skipIf(!asRoot)('started by root', () => {
  it('runs as an account without rights', async () => {
    const server = await startEmbedded({ light: 'disk' });
    const owner = await stat(`/proc/${server.pid}`);
    expect(owner.uid).toBe(65534);
    expect((await stat(server.socketDirectory)).mode & 0o777).toBe(0o700);
    await server.stop();
  });

  it('takes over the directory of a normal user as that user', async () => {
    const dataDirectory = join(temporaryDirectory, 'users');
    const owner = await startOwner({ temporaryDirectory, uid: USER, embedded: { dataDirectory } });
    await query(owner.server.dsn, 'create table kept as select 42 as n');
    owner.process.stdin?.write('stop\n');
    await gone(owner);
    const server = await startEmbedded({ dataDirectory });
    expect((await stat(`/proc/${server.pid}`)).uid).toBe(USER);
    expect(await query(server.dsn(), 'select n from kept')).toEqual([{ n: 42 }]);
    await server.stop();
  });

  it('says so where its account cannot reach the data directory', async () => {
    const closed = await mkdtemp('/tmp/emb-closed-');
    await expect(startEmbedded({ dataDirectory: join(closed, 'data') })).rejects.toMatchObject({
      code: 'embedded_directory_unreachable',
    });
    await rm(closed, { recursive: true });
  });

  it('works out of a folder that only root may enter', async () => {
    const cache = '/var/cache/pgluthier';
    const closed = await mkdtemp(join(homedir(), '.emb-closed-'));
    try {
      const index = await installAt(closed);
      expect((await stat(closed)).mode & 0o077).toBe(0);
      // Two at once: both copy, one copy is kept.
      const owners = await Promise.all([
        startOwner({ temporaryDirectory: '/tmp', index }),
        startOwner({ temporaryDirectory: '/tmp', index }),
      ]);
      const copies = (await readdir(cache)).filter((entry) => entry.includes(VERSION));
      expect(copies).toEqual([`postgres-${VERSION}-${process.platform}-${process.arch}`]);
      for (const owner of owners) {
        expect(await query(owner.server.dsn, 'select 1 as n')).toEqual([{ n: 1 }]);
        owner.process.kill('SIGTERM');
        await gone(owner);
      }
    } finally {
      await rm(closed, { recursive: true, force: true });
      await rm(join(cache, `postgres-${VERSION}-${process.platform}-${process.arch}`), {
        recursive: true,
        force: true,
      });
    }
  });
});

describe.skipIf(!asRoot)('started by a normal user', () => {
  it('runs as that user', async () => {
    const owner = await startOwner({ temporaryDirectory, uid: USER });
    expect((await stat(`/proc/${owner.server.pid}`)).uid).toBe(USER);
    expect(await query(owner.server.dsn, 'select 1 as n')).toEqual([{ n: 1 }]);
    owner.process.kill('SIGKILL');
    await gone(owner);
  });

  it('works out of a folder that it may not write to and that lacks the symbolic links', async () => {
    const readOnly = join(await mkdtemp('/tmp/emb-installed-'), 'app');
    try {
      const index = await installAt(readOnly);
      await chmod(join(readOnly, '..'), 0o755);
      const owner = await startOwner({ temporaryDirectory, uid: USER, index });
      expect(await query(owner.server.dsn, 'select 1 as n')).toEqual([{ n: 1 }]);
      expect(existsSync(join(temporaryDirectory, '.cache', 'pgluthier'))).toBe(true);
      owner.process.kill('SIGTERM');
      await gone(owner);
    } finally {
      await rm(join(readOnly, '..'), { recursive: true, force: true });
    }
  });

  it("cannot use another account's data directory, and says so", async () => {
    const dataDirectory = await mkdtemp('/tmp/emb-other-');
    await expect(startOwner({ temporaryDirectory, uid: USER, embedded: { dataDirectory } })).rejects.toThrow(
      'embedded_directory_unreachable',
    );
    await rm(dataDirectory, { recursive: true });
  });
});
