import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlannableStatement, WhatIf } from '../../src/domain/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { withNeededTables } from '../../src/whatif/twin/subset.ts';
import { openSource, type Source } from './source.ts';

const asIs = { created: [], hidden: [] };
const statement = (sql: string): PlannableStatement => ({ id: sql, query_id: sql, sql, weight: 1 });

/** Touched in every way that one can be; the other tables by nothing. */
const STATEMENTS = [
  'SELECT * FROM plain WHERE id = 1',
  'SELECT * FROM PUBLIC.Folded',
  'SELECT * FROM "Mixed Case "" name"',
  'SELECT * FROM through_view',
  'SELECT * FROM leaf_2 WHERE k = 150',
  'SELECT inlined(3)',
  'SELECT * FROM "Übung" WHERE a = 1',
  'DELETE FROM parent WHERE id = 7',
  'SELECT (r).id FROM holder',
];
const NEEDED = [
  'plain',
  'folded',
  'Mixed Case " name',
  'behind_view',
  'tree',
  'leaf_1',
  'leaf_2',
  'in_function',
  'Übung',
  'parent',
  'child',
  'holder',
  'row_source',
];

describe('a twin of many tables', () => {
  let source: Source;
  let twin: WhatIf;
  beforeAll(async () => {
    const idle = Array.from({ length: 520 }, (_, i) => `CREATE TABLE idle_${i} (id int PRIMARY KEY)`);
    source = await openSource(18, [
      idle.join(';'),
      `CREATE TABLE plain (id int PRIMARY KEY); CREATE TABLE folded (id int);
       CREATE TABLE "Mixed Case "" name" (id int); CREATE TABLE behind_view (id int PRIMARY KEY, v text);
       CREATE VIEW through_view AS SELECT v FROM behind_view WHERE id < 10;
       CREATE TABLE tree (k int) PARTITION BY RANGE (k);
       CREATE TABLE leaf_1 PARTITION OF tree FOR VALUES FROM (0) TO (100);
       CREATE TABLE leaf_2 PARTITION OF tree FOR VALUES FROM (100) TO (200);
       CREATE TABLE in_function (id int);
       CREATE FUNCTION inlined(n int) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM in_function WHERE id = n';
       CREATE TABLE "Übung" (a int);
       CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int, p int REFERENCES parent);
       CREATE TABLE row_source (id int, t text); CREATE TABLE holder (r row_source);
       INSERT INTO plain SELECT generate_series(1, 5000); ANALYZE plain`,
    ]);
    twin = await openTwin(source.snapshot, { statements: STATEMENTS });
  }, 120_000);
  afterAll(async () => {
    await twin?.close();
    await source?.close();
  });

  it('holds what the statements can touch, and no more', () => {
    const kept = withNeededTables(source.snapshot, STATEMENTS);
    expect(kept.tables.map((table) => table.name).sort()).toEqual(NEEDED.toSorted());
    expect(kept.columns.every((column) => NEEDED.includes(column.table))).toBe(true);
    expect(kept.indexes.map((index) => index.name).sort()).toEqual([
      'behind_view_pkey',
      'parent_pkey',
      'plain_pkey',
    ]);
  });

  it('plans them as the whole does', async () => {
    for (const sql of STATEMENTS) {
      const real = await source.plan(sql);
      const [answer] = await twin.costs(asIs, [statement(sql)]);
      expect([sql, answer?.error, answer?.cost]).toEqual([sql, null, real['Total Cost']]);
    }
  });

  it('says of the others that they are not there, and knows their indexes', async () => {
    const [answer] = await twin.costs({ created: [], hidden: ['public.idle_3_pkey'] }, [
      statement('SELECT * FROM idle_3'),
    ]);
    expect(answer?.error).toBe('relation "idle_3" does not exist');
  });

  it('is whole where the database is small', async () => {
    const few = { ...source.snapshot, tables: source.snapshot.tables.slice(0, 100) };
    expect(withNeededTables(few, STATEMENTS)).toBe(few);
  });
});
