/** B-trees over values that occur unevenly: n_distinct alone says far too few of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { btree } from '../../support/definitions.ts';
import { testMajors } from '../../support/servers.ts';
import { type SizesOn, sizesOn } from './sizes-on.ts';

const ROWS = 300_000;
/** Of ANALYZE, the middle one counts: any one of them may be off by some per cent. */
const SAMPLES = 5;
/** Values in no order of their frequency. */
const shuffled = (rank: string) => `((${rank})::bigint * 7919 % 1000003)::int`;
const TABLES = `SELECT setseed(0.42);
  CREATE UNLOGGED TABLE drawn AS SELECT
    ${shuffled('floor(60000 ^ random())')} zipf,
    ${shuffled('floor(random() ^ 5 * 60000)')} zipf_08,
    ${shuffled('floor(random() ^ 2 * 60000)')} zipf_05,
    md5((floor(60000 ^ random()))::text) zipf_text,
    CASE WHEN random() < 0.4 THEN 'Common ' || floor(2000 ^ random()) ELSE 'Title ' || md5(g::text) END title,
    CASE WHEN random() < 0.4 THEN 'Common ' || floor(random() * 3000) ELSE 'Title ' || md5(g::text) END two_kinds,
    CASE WHEN random() < 0.5 THEN 'Common ' || floor(random() * 20) ELSE 'Note ' || md5(g::text) END few_common,
    CASE WHEN random() < 0.7 THEN NULL WHEN random() < 0.5 THEN 'n' || floor(30000 ^ random())
      ELSE '(' || md5(g::text) || ')' END mostly_null,
    floor(100000 ^ random())::int::text words,
    floor(random() * 100000)::int alike,
    (g::bigint * 7919 % 100000)::int thrice,
    md5(floor(random() * 100000)::text) alike_text,
    md5((g::bigint * 7919 % 100000)::text) thrice_text
    FROM generate_series(1, ${ROWS}) g;
  CREATE UNLOGGED TABLE sizes AS SELECT v, ceil(exp(1.3 * sqrt(-2 * ln(1 - random())) * cos(6.2831853 * random()) + 0.3))::int lognormal,
    least(3000, ceil(0.7 * (1 - random()) ^ (-1 / 1.3)))::int pareto, 1 + floor(-ln(1 - random()) * 4)::int geometric
    FROM generate_series(1, 60000) v;
  CREATE UNLOGGED TABLE lognormal AS SELECT v AS number, md5(v::text) AS letters FROM sizes, generate_series(1, least(lognormal, 2000)) ORDER BY random();
  CREATE UNLOGGED TABLE in_order AS SELECT v AS number FROM sizes, generate_series(1, least(lognormal, 2000)) ORDER BY v;
  CREATE UNLOGGED TABLE pareto AS SELECT v AS number, md5(v::text) AS letters FROM sizes, generate_series(1, pareto) ORDER BY random();
  CREATE UNLOGGED TABLE geometric AS SELECT v AS number FROM sizes, generate_series(1, geometric) ORDER BY random();`;

/** Columns with the share by which the size may be off; each was off by more as if all values were alike. */
const UNEVEN: readonly [table: string, column: string, off: number][] = [
  ['drawn', 'zipf', 0.04],
  ['drawn', 'zipf_08', 0.05],
  ['drawn', 'zipf_05', 0.05],
  ['drawn', 'zipf_text', 0.06],
  ['drawn', 'title', 0.08],
  ['drawn', 'two_kinds', 0.08],
  ['drawn', 'few_common', 0.03],
  ['drawn', 'mostly_null', 0.15],
  ['drawn', 'words', 0.06],
  ['lognormal', 'number', 0.06],
  ['in_order', 'number', 0.06],
  ['lognormal', 'letters', 0.1],
  ['pareto', 'number', 0.05],
  ['pareto', 'letters', 0.12],
  ['geometric', 'number', 0.05],
];

describe.each([...new Set([testMajors[0] ?? 15, testMajors.at(-1) ?? 18])])('PostgreSQL %s', (major) => {
  let sizes: SizesOn;
  beforeAll(async () => {
    sizes = await sizesOn(major, TABLES, SAMPLES);
  });
  afterAll(() => sizes?.close());

  test.each(UNEVEN)('%s (%s) is within %f of the real pages and in its range', async (table, column, off) => {
    const definition = btree(table, [column]);
    const real = await sizes.real(definition);
    const said = await sizes.said(definition);
    expect(Math.abs(said / real - 1), `${said} said, ${real} real`).toBeLessThan(off);
    for (const { least, most } of await sizes.ranges(definition)) {
      expect(real).toBeGreaterThanOrEqual(least);
      expect(real).toBeLessThanOrEqual(most);
    }
  });

  test('values that are about alike are sized as before; what may be otherwise is in the range', async () => {
    for (const column of ['alike', 'thrice', 'alike_text', 'thrice_text']) {
      const definition = btree('drawn', [column]);
      const real = await sizes.real(definition);
      const ranges = await sizes.ranges(definition);
      for (const { least, most } of ranges) {
        expect(real, column).toBeGreaterThanOrEqual(least);
        expect(real, column).toBeLessThanOrEqual(most);
      }
      // Texts of which each occurs three times look like texts drawn at random.
      const said = await sizes.said(definition);
      if (column !== 'thrice_text') expect(Math.abs(said / real - 1), column).toBeLessThan(0.03);
      // Whole numbers that are all used leave hardly any room for more values.
      if (!column.endsWith('text'))
        for (const { most } of ranges) expect(most / said, column).toBeLessThan(1.08);
    }
  });
});
