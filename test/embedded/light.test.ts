import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEmbedded } from '../../src/embedded/index.ts';
import { MEMORY_DIRECTORY, memoryDirectory } from '../../src/embedded/memory-files.ts';
import { shortTemporaryDirectory } from '../../src/embedded/private-directory.ts';
import { abandon, gone, query, running, startOwner } from './owner.ts';

let temporaryDirectory = '';
beforeAll(async () => {
  temporaryDirectory = await mkdtemp(join(shortTemporaryDirectory(), 'light-'));
  await chmod(temporaryDirectory, 0o755);
});
afterAll(() => rm(temporaryDirectory, { recursive: true, force: true }));

const IDENTITY = `select system_identifier::text as system, current_setting('wal_segment_size') as segment,
  (select count(*)::int from pg_class where relname = 'mine') as tables from pg_control_system()`;

describe('a light server', () => {
  it('is a copy of a cluster that was made before, and shares nothing with it', async () => {
    const options = {
      light: 'memory' as const,
      initdbArgs: ['--wal-segsize=2'],
      settings: { work_mem: '9MB' },
    };
    const first = await startEmbedded(options);
    try {
      await query(first.dsn(), 'create table mine as select 1 as n');
      await first.restart();
      const second = await startEmbedded(options);
      try {
        const [one] = await query<{ system: string }>(first.dsn(), IDENTITY);
        const [two] = await query<{ system: string }>(second.dsn(), IDENTITY);
        expect(one).toMatchObject({ segment: '2MB', tables: 1 });
        expect(two).toEqual({ system: one?.system, segment: '2MB', tables: 0 });
        expect(await query(second.dsn(), 'show work_mem')).toEqual([{ work_mem: '9MB' }]);
      } finally {
        await second.stop();
      }
    } finally {
      await first.stop();
    }
    expect(existsSync(dirname(first.dataDirectory))).toBe(false);
  });

  it('is made by other arguments from another template', async () => {
    const server = await startEmbedded({ light: 'memory' as const, initdbArgs: ['--wal-segsize=4'] });
    try {
      const [row] = await query(server.dsn(), IDENTITY);
      expect(row).toMatchObject({ segment: '4MB', tables: 0 });
    } finally {
      await server.stop();
    }
  });

  it('lies in memory where there is plenty, and only then', async () => {
    const server = await startEmbedded({ light: 'memory' as const });
    const heavy = await startEmbedded({ light: 'disk' });
    try {
      expect(server.dataDirectory.startsWith(MEMORY_DIRECTORY)).toBe(memoryDirectory() !== null);
      expect(heavy.dataDirectory.startsWith(process.env.TMPDIR ?? '/tmp')).toBe(true);
    } finally {
      await server.stop();
      await heavy.stop();
    }
  });

  it('leaves an orphan without its watchdog, which any next start removes', async () => {
    const embedded = { light: 'memory' as const };
    const orphaned = await startOwner({ temporaryDirectory, embedded });
    await abandon(orphaned);
    expect(await query(orphaned.server.dsn, 'select 1 as alive')).toEqual([{ alive: 1 }]);
    const next = await startOwner({ temporaryDirectory, embedded: { light: 'disk' } });
    expect(running(orphaned.server.pid)).toBe(false);
    expect(existsSync(dirname(orphaned.server.dataDirectory))).toBe(false);
    next.process.kill('SIGTERM');
    await gone(next);
  });

  it('goes with its owner', async () => {
    const owner = await startOwner({ temporaryDirectory, embedded: { light: 'memory' as const } });
    owner.process.kill('SIGKILL');
    await gone(owner);
    expect(existsSync(join(owner.server.dataDirectory, 'PG_VERSION'))).toBe(false);
  });
});
