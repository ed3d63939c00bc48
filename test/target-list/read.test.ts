import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTargetList, targetListHash } from '../../src/target-list/index.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pgluthier-list-'));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function file(text: string, extension = 'yaml'): Promise<string> {
  files += 1;
  const path = join(folder, `list${files}.${extension}`);
  await writeFile(path, text);
  return path;
}

describe('a list of targets', () => {
  it('is read from YAML', async () => {
    const path = await file(`
targets:
  - name: shop
    dsn: env:SHOP_DSN
    labels: { team: payments }
    host: { ram_bytes: 68719476736, disk_type: nvme }
  - name: warehouse
    dsn: file:/run/secrets/warehouse
    databases: all
    paused: true
`);
    expect((await readTargetList(path)).entries).toEqual([
      {
        name: 'shop',
        dsn: 'env:SHOP_DSN',
        labels: { team: 'payments' },
        host: { ram_bytes: 68719476736, disk_type: 'nvme' },
        paused: false,
      },
      {
        name: 'warehouse',
        dsn: 'file:/run/secrets/warehouse',
        databases: 'all',
        labels: {},
        host: {},
        paused: true,
      },
    ]);
  });

  it('may be JSON, may be empty, may be a folder of files in the order of their names', async () => {
    const json = await file('{"targets": [{"name": "a", "dsn": "env:A"}]}', 'json');
    expect((await readTargetList(json)).entries).toMatchObject([{ name: 'a' }]);
    expect((await readTargetList(await file(''))).entries).toEqual([]);
    const many = await mkdtemp(join(folder, 'many-'));
    await writeFile(join(many, 'b.yml'), 'targets: [{name: b, dsn: "env:B"}]');
    await writeFile(join(many, 'a.yaml'), 'targets: [{name: a, dsn: "env:A"}]');
    await writeFile(join(many, 'notes.txt'), 'not a list');
    await writeFile(join(many, '.hidden.yaml'), 'not a list');
    expect((await readTargetList(many)).entries.map((entry) => entry.name)).toEqual(['a', 'b']);
  });

  it('has the same hash as long as nothing in it changes', async () => {
    const path = await file('targets: [{name: a, dsn: "env:A"}]');
    const before = await targetListHash(path);
    expect((await readTargetList(path)).hash).toBe(before);
    await writeFile(path, 'targets: [{name: a, dsn: "env:B"}]');
    expect(await targetListHash(path)).not.toBe(before);
  });

  it.each([
    ['targets: [', 'is not YAML or JSON'],
    ['- name: a', 'must hold "targets:"'],
    ['targets: [{dsn: "env:A"}]', 'entry 1: name'],
    [
      'targets: [{name: a, dsn: "env:A"}, {name: b, dsn: "env:B", database: x}]',
      'entry 2: it: Unrecognized key',
    ],
    ['targets: [{name: a, dsn: "env:A"}, {name: a, dsn: "env:B"}]', 'a is the name of'],
    ['targets: [{name: a, dsn: "env:A", databases: some}]', 'entry 1: databases'],
    ['targets: [{name: a, dsn: "env:A", host: {ram_bytes: lots}}]', 'entry 1: host.ram_bytes'],
    ['targets: [7]', 'entry 1: it'],
  ])('that is wrong is refused by its place: %s', async (text, words) => {
    await expect(readTargetList(await file(text))).rejects.toMatchObject({
      code: 'target_list_invalid',
      message: expect.stringContaining(words) as string,
    });
  });

  it('never has its DSNs in what is said about it', async () => {
    const path = await file('targets: [{name: a, dsn: "postgresql://u:geheim@h/d", dns: "x"}]');
    const error = await readTargetList(path).catch((thrown: unknown) => thrown);
    expect(JSON.stringify(error) + String(error)).not.toContain('geheim');
    const broken = await file('targets: [{name: a, dsn: "postgresql://u:geheim@h/d"');
    const other = await readTargetList(broken).catch((thrown: unknown) => thrown);
    expect(JSON.stringify(other) + String(other)).not.toContain('geheim');
  });

  it('that is not there is said to be unreadable', async () => {
    await expect(readTargetList(join(folder, 'none.yaml'))).rejects.toMatchObject({
      code: 'target_list_unreadable',
      message: expect.stringContaining('ENOENT') as string,
    });
  });
});
