/** Partial indexes whose condition has to do with other columns: nulls, widths and values of the rows that it keeps. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IndexDefinition } from '../../../src/domain/index.ts';
import { btree } from '../../support/definitions.ts';
import { testMajors } from '../../support/servers.ts';
import { type Presence, type SizesOn, sizesOn } from './sizes-on.ts';

/** Of ANALYZE, the middle one counts: any one of them may be off by some per cent. */
const SAMPLES = 5;

/** Facts of people: biographies are long and say who wrote them, heights are short and say nothing. */
const TABLES = `SELECT setseed(0.37);
  CREATE UNLOGGED TABLE facts AS SELECT (random() ^ 2 * 30000)::int person, kind,
    CASE WHEN kind <= 3 THEN repeat(md5(g::text), 2 + g % 5) ELSE (150 + g % 60) || ' cm' END info,
    CASE WHEN kind <= 3 THEN 'Written by ' || floor(5000 ^ random()) || ' and others' END note
    FROM (SELECT g, 1 + floor(random() * 20)::int kind FROM generate_series(1, 150000) g) x;
  CREATE UNLOGGED TABLE companies AS SELECT (random() ^ 2 * 40000)::int movie, floor(20000 ^ random())::int company,
    CASE WHEN r < 0.45 THEN NULL WHEN r < 0.75 THEN '(' || (1950 + g % 60) || ') (USA) (TV)'
      ELSE '(' || (1950 + g % 60) || ') (worldwide) (DVD) (distributor ' || floor(3000 ^ random()) || ')' END note
    FROM (SELECT g, random() r FROM generate_series(1, 125000) g) x;
  CREATE UNLOGGED TABLE orders AS SELECT CASE WHEN random() < 0.8 THEN g END closed, (random() * 20000)::int customer,
    CASE WHEN random() < 0.1 THEN 'open' ELSE 'done' END state,
    CASE WHEN random() < 0.5 THEN 'c' || repeat('x', (random() * 60)::int) END remark FROM generate_series(1, 150000) g;`;

interface Case {
  index: IndexDefinition;
  presence?: Presence;
}
const present = (column: string): Presence => ({ column, is_null: false });
const where = (table: string, keys: string[], condition: string, include: string[] = []) =>
  btree(table, keys, { include, where: condition });
const noted: Case = {
  index: where('facts', ['person', 'kind'], 'note IS NOT NULL', ['info', 'note']),
  presence: present('note'),
};
const foreign: Case = {
  index: where('companies', ['company'], "note NOT LIKE '%(USA)%'", ['movie', 'note']),
  presence: present('note'),
};
const unrelated: Case[] = [
  { index: where('orders', ['customer'], "state = 'open'", ['remark']) },
  { index: where('orders', ['customer'], "state = 'open'", ['closed']) },
  { index: where('orders', ['closed'], 'closed IS NOT NULL'), presence: present('closed') },
  { index: where('orders', ['remark'], 'remark IS NOT NULL'), presence: present('remark') },
  {
    index: where('orders', ['customer'], 'closed IS NULL', ['closed']),
    presence: { column: 'closed', is_null: true },
  },
  { index: where('facts', ['note'], 'note IS NOT NULL'), presence: present('note') },
];

describe.each([...new Set([testMajors[0] ?? 15, testMajors.at(-1) ?? 18])])('PostgreSQL %s', (major) => {
  let sizes: SizesOn;
  beforeAll(async () => {
    sizes = await sizesOn(major, TABLES, SAMPLES);
  });
  afterAll(() => sizes?.close());

  test.each([noted, foreign])(
    'long values where the condition holds lie in the range',
    async ({ index, presence }) => {
      const real = await sizes.real(index);
      for (const { least, most } of await sizes.ranges(index, presence)) {
        expect(real).toBeGreaterThanOrEqual(least);
        expect(real).toBeLessThanOrEqual(most);
      }
      // What a budget reserves reaches as far, but for what sizes are off anyway.
      const reserved = await sizes.said(index, { bound: 'reserved', ...(presence ? { presence } : {}) });
      expect(reserved / real).toBeGreaterThan(0.95);
    },
  );

  test('the condition’s own column has no nulls in the index, and its values are those of all rows', async () => {
    for (const { index, presence } of unrelated) {
      const real = await sizes.real(index);
      const said = await sizes.said(index, presence ? { presence } : {});
      expect(Math.abs(said / real - 1), `${index.where}: ${said} said, ${real} real`).toBeLessThan(0.06);
    }
  });

  test('a condition that keeps common values only makes it smaller, which the range says', async () => {
    const index = where('facts', ['info'], 'note IS NULL');
    const presence = { column: 'note', is_null: true };
    const real = await sizes.real(index);
    for (const { least } of await sizes.ranges(index, presence)) expect(real).toBeGreaterThanOrEqual(least);
    expect(await sizes.said(index, { presence })).toBeGreaterThan(2 * real);
  });
});
