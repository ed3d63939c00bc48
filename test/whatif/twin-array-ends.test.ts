import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withEnds } from '../../src/whatif/twin/array-ends.ts';
import { testServer } from '../support/servers.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 12 }).map((value) => value.replaceAll('\u0000', ''));

describe('a histogram with other ends', () => {
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client({ connectionString: (await testServer()).dsn() });
    await client.connect();
  });
  afterAll(() => client?.end());

  it('reads back with those ends and all between, whatever stands in them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 2, maxLength: 6 }),
        text,
        text,
        async (values, min, max) => {
          const { rows } = await client.query<{ bounds: string }>('SELECT $1::text[]::text AS bounds', [
            values,
          ]);
          const changed = withEnds(rows[0]?.bounds ?? '', { min, max });
          const { rows: back } = await client.query<{ values: string[] }>('SELECT $1::text[] AS values', [
            changed,
          ]);
          expect(back[0]?.values).toEqual([min, ...values.slice(1, -1), max]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('stays as it is where there are not two bounds', () => {
    for (const bounds of ['{}', '{a}', 'no array'])
      expect(withEnds(bounds, { min: '1', max: '2' })).toBe(bounds);
  });
});
