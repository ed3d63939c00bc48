import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fastPart } from '../../src/domain/index.ts';
import { packageRoot } from '../../src/package-root.ts';
import {
  readSnapshotFile,
  type SnapshotFile,
  stripLiterals,
  writeSnapshotFile,
} from '../../src/snapshot-file/index.ts';
import { compiled } from '../support/compiled.ts';
import { tableRow } from '../support/rows.ts';
import { snapshotOf } from '../support/snapshot-builder.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgluthier-file-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const toast = {
  oid: 5,
  relpages: 1,
  reltuples: 1,
  n_tup_ins: 1,
  n_tup_del: 0,
  n_live_tup: 1,
  n_dead_tup: 0,
  n_ins_since_vacuum: 0,
  last_autovacuum: null,
  vacuum_count: 0,
  autovacuum_count: 0,
  xid_age: null,
  mxid_age: null,
};

function fileOf(tables: number): SnapshotFile {
  const snapshot = snapshotOf({
    tables: Array.from({ length: tables }, (_, at) => tableRow({ oid: at + 1, name: `t${at}\n"é`, toast })),
  });
  return {
    header: {
      format: 'pgluthier-snapshot',
      format_version: 1,
      pgluthier_version: '0.1.0',
      written_at: '2026-03-01T12:00:00.000Z',
      target: 'db.example:5432/app',
      stripped: null,
    },
    snapshot,
    first: fastPart(snapshot),
  };
}

async function linesOf(path: string): Promise<string[]> {
  return gunzipSync(await readFile(path))
    .toString()
    .split('\n')
    .slice(0, -1);
}

describe('a snapshot file', () => {
  it('reads back as it was written, whatever the number of rows a line', async () => {
    for (const count of [0, 1, 200, 201, 1001]) {
      const path = join(directory, `whole-${count}`);
      const file = fileOf(count);
      await writeSnapshotFile(path, file);
      expect(await readSnapshotFile(path)).toEqual(file);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
    }
    expect((await readdir(directory)).filter((name) => name.includes('.tmp'))).toEqual([]);
  });

  it('is not replaced unless forced, and a folder that is not there is told', async () => {
    const path = join(directory, 'kept');
    await writeFile(path, 'mine');
    await expect(writeSnapshotFile(path, fileOf(1))).rejects.toMatchObject({ code: 'snapshot_file_exists' });
    expect(await readFile(path, 'utf8')).toBe('mine');
    await writeSnapshotFile(path, fileOf(1), { force: true });
    expect((await readSnapshotFile(path)).snapshot.tables).toHaveLength(1);
    await expect(writeSnapshotFile(join(directory, 'no', 'x'), fileOf(1))).rejects.toMatchObject({
      code: 'snapshot_file_unwritable',
    });
  });

  it('names what is wrong with it', async () => {
    const good = join(directory, 'good');
    await writeSnapshotFile(good, fileOf(3));
    const bytes = await readFile(good);
    const lines = await linesOf(good);
    const packed = (changed: string[]) => gzipSync(`${changed.join('\n')}\n`);
    const cases: [code: string, content: Buffer][] = [
      ['snapshot_file_unknown', Buffer.from('CREATE TABLE t ();')],
      ['snapshot_file_unknown', gzipSync('hello\n')],
      ['snapshot_file_unknown', gzipSync('{"format":"other","format_version":1}\n')],
      ['snapshot_file_truncated', bytes.subarray(0, bytes.length - 40)],
      ['snapshot_file_truncated', packed(lines.slice(0, -1))],
      [
        'snapshot_file_hash',
        packed(lines.map((line) => line.replaceAll('16384', '16385').replace('"app"', '"apq"'))),
      ],
      ['snapshot_file_hash', packed(lines.filter((_, at) => at !== 4))],
      [
        'snapshot_file_too_new',
        packed([(lines[0] ?? '').replace('"format_version":1', '"format_version":2')]),
      ],
      ['snapshot_file_damaged', packed([...lines, '{}'])],
    ];
    for (const [code, content] of cases) {
      const path = join(directory, 'bad');
      await writeFile(path, content);
      await expect(readSnapshotFile(path), code).rejects.toMatchObject({ code });
    }
    await expect(readSnapshotFile(join(directory, 'missing'))).rejects.toMatchObject({
      code: 'snapshot_file_unreadable',
    });
  });

  it('says which field is wrong', async () => {
    const file = fileOf(2);
    const path = join(directory, 'shape');
    const { reltuples: _gone, ...broken } = tableRow({ toast: null });
    await writeSnapshotFile(path, {
      ...file,
      snapshot: { ...file.snapshot, tables: [tableRow(), broken as ReturnType<typeof tableRow>] },
    });
    await expect(readSnapshotFile(path)).rejects.toMatchObject({
      code: 'snapshot_file_invalid',
      message: expect.stringContaining('snapshot.tables.1.reltuples'),
    });
  });

  it('is not unpacked beyond its limit, in all and a line', async () => {
    const path = join(directory, 'bomb');
    await writeFile(path, gzipSync(Buffer.alloc(80 * 1024 ** 2, 'x')));
    await expect(readSnapshotFile(path)).rejects.toMatchObject({ code: 'snapshot_file_too_large' });
    await writeSnapshotFile(path, fileOf(2000), { force: true });
    await expect(readSnapshotFile(path, { maxBytes: 100_000 })).rejects.toMatchObject({
      code: 'snapshot_file_too_large',
    });
  });

  it('is whole or not there when its writer is killed', async () => {
    const folder = await mkdtemp(join(directory, 'killed-'));
    const path = join(folder, 'app.snapshot');
    for (let round = 0; round < 4; round += 1) {
      const child = spawn(process.execPath, [await compiled('test/snapshot-file/write-process'), path], {
        stdio: 'ignore',
      });
      const ended = new Promise((resolve) => child.on('exit', resolve));
      // In the middle of its first file, then in the middle of replacing a whole one.
      while (!(await readdir(folder)).some((name) => name.endsWith('.tmp'))) await sleep(2);
      if (round > 1) {
        while (!(await readdir(folder)).includes('app.snapshot')) await sleep(2);
        while (!(await readdir(folder)).some((name) => name.endsWith('.tmp'))) await sleep(1);
      }
      child.kill('SIGKILL');
      await ended;
      const names = await readdir(folder);
      if (names.includes('app.snapshot'))
        expect((await readSnapshotFile(path)).snapshot.tables).toHaveLength(10_000);
      else expect(round).toBeLessThan(2);
      for (const name of names) if (name.endsWith('.tmp')) await rm(join(folder, name));
    }
  }, 60_000);

  it('of the first format is read by every later PgLuthier', async () => {
    // Written on 2026-11-24 of a small database on PostgreSQL 18, and never again.
    const { header, snapshot, first } = await readSnapshotFile(
      join(packageRoot, 'test', 'snapshot-file', 'format-1.snapshot'),
    );
    expect(header).toMatchObject({ format_version: 1, stripped: null });
    expect(snapshot.tables.map((table) => table.name)).toEqual(['kept']);
    expect(snapshot.columns.map((column) => column.stats?.n_distinct)).toEqual([-1, 7]);
    expect(first?.tables).toHaveLength(1);
    expect((await stripLiterals(snapshot, first)).snapshot.tables).toHaveLength(1);
  });
});
