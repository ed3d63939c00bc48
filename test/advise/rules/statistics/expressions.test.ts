/** Expressions without statistics, and what the real planner does once it has them. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/statistics/expressions.ts';
import { draftSchema, type RuleResult, type Snapshot, type WhatIf } from '../../../../src/domain/index.ts';
import { contextOf, type SampleDatabase, sampleDatabase, twinOf } from '../index/context.ts';

/** Nearly all kinds are 'usual': 0.5 % of the rows are expected, 98 % come. */
const JOIN =
  "SELECT o.id, i.pad FROM orders o JOIN items i ON i.order_id = o.id WHERE lower(o.kind) = 'usual';";
const RARE = "SELECT id FROM orders WHERE upper(note) = 'X';";

let database: SampleDatabase;
let client: pg.Client;
let snapshot: Snapshot;
let whatIf: WhatIf;
let result: RuleResult;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE TABLE orders (id int PRIMARY KEY, kind text, note text, pad text);
    INSERT INTO orders SELECT g, CASE WHEN g % 50 = 0 THEN 'Odd' ELSE 'Usual' END, md5(g::text), repeat('o', 40)
      FROM generate_series(1, 40000) g;
    CREATE TABLE items (order_id int, pad text);
    INSERT INTO items SELECT g % 40000, repeat('i', 60) FROM generate_series(1, 120000) g;
    CREATE INDEX items_order ON items (order_id);
    CREATE INDEX orders_note ON orders (upper(note));
  `);
  await database.query('VACUUM ANALYZE');
  client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  snapshot = await database.snapshot();
  whatIf = await twinOf(snapshot);
  result = await rule.evaluate(await contextOf(snapshot, { what_if: whatIf, sql: `${JOIN}\n${RARE}` }));
});
afterAll(async () => {
  await client?.end();
  await whatIf?.close();
  await database?.close();
});

test('an expression that most rows have, where the join is planned for a few', async () => {
  expect(result.recommendations).toHaveLength(1);
  const draft = draftSchema.parse(result.recommendations[0]);
  expect(draft.change.kind).toBe('finding');
  expect(draft.title).toContain('lower(');
  const [affected] = draft.affects;
  expect(affected?.cost_after).toBeLessThan((affected?.cost_before ?? 0) * 0.95);
  // What it says is done by hand, and the real planner then plans as was said.
  const plan = async () => JSON.stringify((await client.query(`EXPLAIN (FORMAT JSON) ${JOIN}`)).rows);
  const before = await plan();
  for (const note of draft.risk.notes.filter((each) => /^(CREATE|ANALYZE)/.test(each)))
    await client.query(note);
  expect(await plan()).not.toBe(before);
  expect(await plan()).toContain('Hash Join');
  const again = await rule.evaluate(
    await contextOf(await database.snapshot(), { what_if: whatIf, sql: JOIN }),
  );
  expect(again.recommendations).toEqual([]);
});

test('not where an index on the expression has the statistics, nor without a planner', async () => {
  expect(JSON.stringify([result.recommendations, result.rejections])).not.toContain('upper');
  const without = await rule.evaluate(await contextOf(snapshot, { sql: JOIN }));
  expect(without.recommendations).toEqual([]);
});

test('not where the plan stays as it is', async () => {
  const sql = "SELECT count(*) FROM orders WHERE lower(kind) = 'usual';";
  const { recommendations, rejections } = await rule.evaluate(
    await contextOf(snapshot, { what_if: whatIf, sql }),
  );
  expect(recommendations).toEqual([]);
  expect(rejections).toContainEqual(expect.objectContaining({ code: 'no_plan_change' }));
});
