import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ArrayElement,
  arrayValues,
  formatArrayText,
  parseArrayText,
} from '../../src/workload/array-text.ts';
import { testServer } from '../support/servers.ts';

describe('array texts', () => {
  test.each<[string, ArrayElement[]]>([
    ['{}', []],
    ['{a,NULL,"NULL",null,"a b"}', ['a', null, 'NULL', null, 'a b']],
    ['{"a\\"b","c\\\\d",""}', ['a"b', 'c\\d', '']],
    [
      '{{1,2},{3,4}}',
      [
        ['1', '2'],
        ['3', '4'],
      ],
    ],
    ['[0:1]={x,y}', ['x', 'y']],
    ['{"{a,\\"b,c\\"}","{}"}', ['{a,"b,c"}', '{}']],
    ['{ü,日本}', ['ü', '日本']],
  ])('%s', (text, elements) => {
    expect(parseArrayText(text)).toEqual(elements);
  });

  test('boxes are set apart by semicolons', () => {
    expect(arrayValues('{(1,1),(0,0);(2,2),(1,1)}', ';')).toEqual(['(1,1),(0,0)', '(2,2),(1,1)']);
  });

  test.each(['', 'a', '{a', '{a}}', '{,}', '{"a}', '{a,}'])('%s is refused', (text) => {
    expect(() => parseArrayText(text)).toThrow(/malformed|expected/);
  });
});

describe('against a server', () => {
  let database: Awaited<ReturnType<Awaited<ReturnType<typeof testServer>>['createDatabase']>>;
  let client: pg.Client;
  beforeAll(async () => {
    const server = await testServer();
    database = await server.createDatabase();
    client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
  });
  afterAll(async () => {
    await client?.end();
    await database?.drop();
  });

  const value = fc.string({ unit: fc.constantFrom(...'abN UuLl{},;"\\\'ß日\n\t'), maxLength: 8 });
  const element = fc.option(value, { nil: null });

  test('array_out is read, and what is written is taken, whatever is in the elements', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(element, { maxLength: 6 }), async (elements) => {
        const answer = await client.query(
          'select $1::text[]::text as out, ($2::text[] = $1::text[]) as same',
          [elements, formatArrayText(elements)],
        );
        expect(parseArrayText(answer.rows[0].out)).toEqual(elements);
        expect(answer.rows[0].same).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  test('nested arrays too', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(element, element), { minLength: 1, maxLength: 4 }), async (rows) => {
        const answer = await client.query('select $1::text[]::text as out', [formatArrayText(rows)]);
        expect(parseArrayText(answer.rows[0].out)).toEqual(rows);
      }),
      { numRuns: 50 },
    );
  });

  test('pg_stat_statements gives the population standard deviation', async () => {
    await client.query('create extension if not exists pg_stat_statements');
    await client.query('select pg_sleep(0.001)');
    await client.query('select pg_sleep(0.03)');
    const answer = await client.query(
      `select calls::int, min_exec_time a, max_exec_time b, stddev_exec_time s from pg_stat_statements
       where query like 'select pg_sleep%' and dbid = (select oid from pg_database where datname = current_database())`,
    );
    const { calls, a, b, s } = answer.rows[0];
    expect(calls).toBe(2);
    // Of two values it is half of their distance; the sample's would be that times √2.
    expect(s / ((b - a) / 2)).toBeCloseTo(1, 6);
  });
});
