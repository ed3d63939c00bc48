/** Sizes of indexes on several keys whose values meet as in a grid, and of GiST indexes on several columns. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { btree } from '../../support/definitions.ts';
import { testMajors } from '../../support/servers.ts';
import { type SizesOn, sizesOn } from './sizes-on.ts';

const SCHEMA = `
  CREATE EXTENSION btree_gist;
  SELECT setseed(0.4);
  CREATE TABLE readings AS SELECT i % 200 AS sensor, i / 200 AS moment FROM generate_series(0, 79999) i;
  CREATE TABLE visits AS
    SELECT (random() * 199)::int AS guest, (random() * 799)::int AS room FROM generate_series(1, 80000);
  CREATE TABLE places AS SELECT (ARRAY['cafe', 'shop', 'school', 'museum'])[1 + i % 4] AS kind, i % 900 AS room,
      point(random(), random()) AS at, int4range(i / 900 * 10, i / 900 * 10 + 1 + i % 7) AS during
    FROM generate_series(1, 60000) i;
`;

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('PostgreSQL %i', (major) => {
  let sizes: SizesOn;
  beforeAll(async () => {
    sizes = await sizesOn(major, SCHEMA);
  }, 60_000);
  afterAll(() => sizes?.close());

  const off = async (...of: Parameters<typeof btree>) => {
    const definition = btree(...of);
    return (await sizes.said(definition)) / (await sizes.real(definition));
  };

  test('each sensor at each time is there once', async () => {
    expect(Math.abs((await off('readings', ['sensor', 'moment'])) - 1)).toBeLessThan(0.05);
  });

  test('not so where rows are drawn at random out of twice as many pairs: some occur twice', async () => {
    expect(Math.abs((await off('visits', ['guest', 'room'])) - 1)).toBeLessThan(0.08);
  });

  test.each([
    ['kind', 'at'],
    ['room', 'during'],
  ])('a GiST index on %s and %s', async (...keys) => {
    const share = await off('places', keys, { method: 'gist' });
    expect(share).toBeGreaterThan(0.7);
    expect(share).toBeLessThan(1.4);
  });
});
