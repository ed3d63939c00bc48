/** Indexes that pay only beside others: the outer side of a loop whose inner side has none either. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import { testMajors, testServer } from '../../support/servers.ts';
import { contextOf, created, type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';

const SCHEMA = `
  CREATE TABLE goods (id int PRIMARY KEY, sku text NOT NULL, maker int NOT NULL, listed boolean NOT NULL, pad text);
  INSERT INTO goods SELECT g, 'sku' || g, g::int8 * 7919 % 300, g % 50 > 0, repeat('p', 120) FROM generate_series(1, 20000) g;
  CREATE TABLE moves (id int PRIMARY KEY, good int NOT NULL, moved_at timestamptz NOT NULL, delta int NOT NULL);
  INSERT INTO moves SELECT m, m::int8 * 104729 % 20000, '2024-01-01'::timestamptz + m * interval '1 minute', m % 9
    FROM generate_series(1, 60000) m;
`;

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('PostgreSQL %i', (major) => {
  let planned: PlannedDatabase;
  beforeAll(async () => {
    planned = await plannedDatabase(SCHEMA, await testServer({ major }));
  }, 60_000);
  afterAll(() => planned?.close());

  const lastMoves = (condition: string) => `SELECT g.sku, m.moved_at, m.delta FROM goods g
    CROSS JOIN LATERAL (SELECT * FROM moves WHERE good = g.id ORDER BY moved_at DESC LIMIT 1) m WHERE ${condition}`;
  const advise = async (condition: string) => {
    const { snapshot, whatIf: what_if } = planned;
    const sql = `${lastMoves(condition)};`;
    const { recommendations } = await rule.evaluate(await contextOf(snapshot, { what_if, sql }));
    return created(recommendations);
  };

  test('both sides get one, the outer in its lean form', async () => {
    const indexes = await advise('g.maker = 77');
    expect(indexes).toContain('public.goods USING btree (maker)');
    expect(indexes.filter((one) => one.startsWith('public.moves'))).toHaveLength(1);
    expect(indexes).toHaveLength(2);
  });

  test('not the outer one where most of its rows are wanted', async () => {
    const indexes = await advise('g.listed');
    expect(indexes.filter((one) => one.startsWith('public.goods'))).toEqual([]);
    expect(indexes).toHaveLength(1);
  });
});
