import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quoteIdentifier, quoteLiteral } from '../../src/domain/index.ts';
import { testMajors, testServer } from '../support/servers.ts';

/** What UTF-8 makes of half a surrogate pair: a replacement character. */
const wellFormed = (text: string) => Buffer.from(text, 'utf8').toString('utf8');

describe.each(testMajors)('PostgreSQL %i', (major) => {
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client({ connectionString: (await testServer({ major })).dsn() });
    await client.connect();
  });
  afterAll(() => client.end());

  it('agrees that every keyword that needs quotes has them', async () => {
    const { rows } = await client.query<{ word: string; quoted: string }>(
      'SELECT word, quote_ident(word) AS quoted FROM pg_get_keywords()',
    );
    const bareHereOnly = rows.filter(
      (row) => row.quoted !== row.word && quoteIdentifier(row.word) === row.word,
    );
    expect(bareHereOnly).toEqual([]);
  });

  it('reads back any name and any literal as it was', async () => {
    const text = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 20 })
      .filter((value) => !value.includes('\0'));
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const { rows, fields } = await client.query(
          `SELECT ${quoteLiteral(value)} AS ${quoteIdentifier(value.slice(0, 10))}`,
        );
        const name = fields[0]?.name ?? '';
        expect(Object.values(rows[0] as Record<string, string>)[0]).toBe(wellFormed(value));
        expect(wellFormed(value.slice(0, 10)).startsWith(name)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});
