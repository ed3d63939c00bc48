/** Options of `analyze` that ask further servers, or read more of one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { analyzeOnce } from '../../src/commands/analyze.ts';
import { loadConfig } from '../../src/config.ts';
import { testServer } from '../support/servers.ts';

let dsn: string;
let drop: () => Promise<void>;
beforeAll(async () => {
  ({ dsn, drop } = await (await testServer()).createDatabase());
});
afterAll(async () => drop?.());

const defaults = { whatIf: 'twin', format: 'text' } as const;

test('--replica takes standbys only', async () => {
  await expect(analyzeOnce(dsn, { ...defaults, replica: [dsn] })).rejects.toMatchObject({
    code: 'replica_invalid',
    message: expect.stringContaining('is no standby'),
  });
});

test('a snapshot file asks no server', async () => {
  for (const more of [{ measureBloat: 1 }, { replica: [dsn] }]) {
    await expect(analyzeOnce(undefined, { ...defaults, snapshot: 'a', ...more })).rejects.toMatchObject({
      code: 'usage_invalid',
    });
  }
});

test('PGLUTHIER_MEASURE_BLOAT is off, a size, or an error', () => {
  const of = (value?: string) =>
    loadConfig(value === undefined ? {} : { PGLUTHIER_MEASURE_BLOAT: value }).measure_bloat_bytes;
  expect([of(), of('off'), of('500MB'), of('4GB')]).toEqual([0, 0, 500 * 2 ** 20, 4 * 2 ** 30]);
  for (const wrong of ['0GB', 'on', '4', '4 TB']) expect(() => of(wrong)).toThrow(/PGLUTHIER_MEASURE_BLOAT/);
});
