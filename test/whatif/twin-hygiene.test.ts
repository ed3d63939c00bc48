import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { lstat, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { PlannableStatement } from '../../src/domain/index.ts';
import type { EmbeddedServer } from '../../src/embedded/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { running } from '../embedded/owner.ts';
import { compiled } from '../support/compiled.ts';
import { openSource, type Source } from './source.ts';

const asIs = { created: [], hidden: [] };
const statement = (sql: string): PlannableStatement => ({ id: sql, query_id: sql, sql, weight: 1 });
const MB = 1024 * 1024;

/** Bytes on disk and bytes that files say they have. */
async function diskUse(directory: string): Promise<{ allocated: number; apparent: number }> {
  const total = { allocated: 0, apparent: 0 };
  for (const entry of await readdir(directory, { recursive: true })) {
    const found = await lstat(join(directory, entry));
    if (!found.isFile()) continue;
    total.allocated += found.blocks * 512;
    total.apparent += found.size;
  }
  return total;
}

/** Proportional set size of a process and its children, bytes: shared memory is counted once. */
function memoryOf(postmaster: number): number {
  const parentOf = (pid: string) =>
    Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  let total = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (Number(pid) !== postmaster && parentOf(pid) !== postmaster) continue;
      total += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) * 1024;
    } catch {
      // It ended meanwhile.
    }
  }
  return total;
}

describe('what a twin takes and leaves', () => {
  let source: Source;
  beforeAll(async () => {
    source = await openSource(18, [
      `CREATE TABLE large (id int8 PRIMARY KEY, v text, at timestamptz); CREATE INDEX large_v ON large (v);
       INSERT INTO large SELECT i, md5(i::text), now() FROM generate_series(1, 5000) AS i`,
      'ANALYZE',
    ]);
    for (const [name, pages] of [
      ['large', 2 ** 27],
      ['large_pkey', 2 ** 24],
      ['large_v', 2 ** 25],
    ] as const) {
      for (const row of [...source.snapshot.tables, ...source.snapshot.indexes]) {
        if (row.name === name) Object.assign(row, { relpages: pages, main_pages: pages, reltuples: 6e9 });
      }
    }
    for (const oid of Object.keys(source.snapshot.schema.btree_levels))
      source.snapshot.schema.btree_levels[oid] = 4;
  }, 60_000);
  afterAll(() => source?.close());

  it('a table of 1 TiB takes no more disk than an empty one, questions take little memory', async () => {
    let server: EmbeddedServer | undefined;
    const twin = await openTwin(source.snapshot, {
      inspect: async (found) => {
        server = found;
      },
    });
    try {
      if (server === undefined) throw new Error('no server was seen');
      for (let round = 0; round < 50; round += 1) {
        const asked = [1, 2, 3, 4].map((n) =>
          statement(`SELECT * FROM large WHERE id = ${n * round} OR v = '${n}'`),
        );
        for (const answer of await twin.costs(asIs, asked)) expect(answer.error).toBeNull();
      }
      const [whole] = await twin.costs(asIs, [statement('SELECT * FROM large')]);
      expect(whole?.cost).toBeGreaterThan(2 ** 27);
      const { allocated, apparent } = await diskUse(server.dataDirectory);
      expect(apparent).toBeGreaterThan(2 ** 40);
      expect(allocated).toBeLessThan(120 * MB);
      expect(memoryOf(server.pid)).toBeLessThan(200 * MB);
    } finally {
      await twin.close();
    }
    expect(existsSync(dirname(server.dataDirectory))).toBe(false);
  }, 60_000);

  it('is reached through a socket that its owner alone may open', async () => {
    let server: EmbeddedServer | undefined;
    const twin = await openTwin(source.snapshot, {
      inspect: async (found) => {
        server = found;
      },
    });
    try {
      const client = new pg.Client({ connectionString: server?.dsn() });
      await client.connect();
      const { rows } = await client.query("SELECT current_setting('listen_addresses') AS addresses");
      await client.end();
      expect(rows).toEqual([{ addresses: '' }]);
      expect((await stat(server?.socketDirectory ?? '')).mode & 0o077).toBe(0);
    } finally {
      await twin.close();
    }
  }, 60_000);

  it('goes with the process that asked for it, however that ends', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'twin-snapshot-'));
    const file = join(directory, 'snapshot.json');
    await writeFile(file, JSON.stringify(source.snapshot));
    const script = await compiled('test/whatif/twin-process');
    const child = spawn(process.execPath, [script, file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const said: { pid?: number; dataDirectory?: string; engine?: string }[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        said.push(JSON.parse(line));
        if (said.length === 2) break;
      }
      const [{ pid = 0, dataDirectory = '' } = {}] = said;
      expect(running(pid)).toBe(true);
      child.kill('SIGKILL');
      await vi.waitFor(
        () => {
          expect(running(pid)).toBe(false);
          expect(existsSync(dirname(dataDirectory))).toBe(false);
        },
        { timeout: 30_000, interval: 100 },
      );
    } finally {
      child.kill('SIGKILL');
      await rm(directory, { recursive: true });
    }
  }, 60_000);
});
