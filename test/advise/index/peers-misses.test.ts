/** Statements that other advisors are known to get wrong, or not at all: each is right here. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { RuleResult, Snapshot, WhatIf } from '../../../src/domain/index.ts';
import { workloadFromSnapshot } from '../../../src/workload/index.ts';
import { statementRow } from '../../support/rows.ts';
import { contextOf, created, type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';

let planned: PlannedDatabase;
let snapshot: Snapshot;
let whatIf: WhatIf;

beforeAll(async () => {
  planned = await plannedDatabase(`
    CREATE TABLE posts (id int PRIMARY KEY, status text, published boolean, author int, at timestamptz, score int, body text);
    INSERT INTO posts SELECT g, CASE WHEN g % 100 = 0 THEN 'new' ELSE 'done' END, g % 4 = 0, g * 7919 % 9000,
      timestamptz '2024-01-01' + (g * 7919 % 80000) * interval '1 minute', g * 20011 % 80021, repeat('b', 120)
      FROM generate_series(1, 80000) g;
    CREATE TABLE logs (id int, at timestamptz, tenant int, pad text);
    INSERT INTO logs SELECT g, timestamptz '2024-01-01' + (g * 7919 % 80000) * interval '1 minute', g % 40, repeat('l', 80)
      FROM generate_series(1, 80000) g;
    CREATE TABLE kept (id int PRIMARY KEY, code int, pad text);
    INSERT INTO kept SELECT g, g * 7919 % 20011, repeat('k', 60) FROM generate_series(1, 20000) g;
    CREATE INDEX kept_code ON kept (code);
    CREATE TABLE near (id int PRIMARY KEY, tag int, tag_id int, state text, pad text);
    INSERT INTO near SELECT g, g % 3, g * 7919 % 20011, CASE WHEN g % 100 = 0 THEN 'new' ELSE 'done' END, repeat('n', 80)
      FROM generate_series(1, 40000) g;
    CREATE INDEX near_new ON near (tag_id) WHERE state = 'new';
    CREATE FOREIGN DATA WRAPPER elsewhere;
    CREATE SERVER other FOREIGN DATA WRAPPER elsewhere;
    CREATE FOREIGN TABLE far (id int, code int) SERVER other;
  `);
  ({ snapshot, whatIf } = planned);
});

afterAll(() => planned?.close());

/** As pg_stat_statements shows it: constants replaced. */
async function seen(query: string): Promise<RuleResult> {
  const row = statementRow({
    dbid: 1,
    queryid: '1',
    query,
    calls: 1000,
    total_exec_time_ms: 20_000,
    mean_exec_time_ms: 20,
    min_exec_time_ms: 1,
    max_exec_time_ms: 40,
    stddev_exec_time_ms: 1,
    rows: 1000,
  });
  const workload = await workloadFromSnapshot({ ...snapshot, statements: [row] });
  return rule.evaluate(await contextOf(snapshot, { what_if: whatIf, workload }));
}

const chosen = async (sql: string): Promise<string[]> =>
  created((await rule.evaluate(await contextOf(snapshot, { what_if: whatIf, sql }))).recommendations);

test('two columns where one alone halves the cost already: dexter keeps the worse (published)', async () => {
  const [index, ...more] = await chosen(
    "SELECT * FROM posts WHERE status = 'new' AND published = true AND author = 7;",
  );
  expect(more).toEqual([]);
  expect(index).toMatch(/author/);
  const [two, ...others] = await chosen("SELECT * FROM posts WHERE status = 'new' AND published;");
  expect(others).toEqual([]);
  // Both conditions are in it, as keys or as what the index holds rows of.
  expect(two).toMatch(/status/);
  expect(two).toMatch(/published/);
});

test('status = $1 where values are skewed: rare ones are tried, too, which a generic plan never is', async () => {
  const result = await seen('SELECT * FROM posts WHERE status = $1');
  expect(created(result.recommendations)).toEqual(['public.posts USING btree (status)']);
  const values = result.recommendations[0]?.affects[0]?.parameters ?? [];
  expect(JSON.stringify(values)).toContain('new');
  // Nothing is known of what is asked for: no index of one value's rows.
  expect(created(result.recommendations).join()).not.toContain('WHERE');
});

test('LIMIT $1 is a small number, not a tenth of the rows', async () => {
  const result = await seen('SELECT * FROM logs ORDER BY at DESC LIMIT $1');
  expect(created(result.recommendations)).toEqual([
    expect.stringMatching(/^public\.logs USING btree \(at( DESC)?\)$/),
  ]);
  const affected = result.recommendations[0]?.affects[0];
  expect(affected?.cost_after).toBeLessThan((affected?.cost_before ?? 0) / 20);
});

test('a descending order behind an equality, in one index', async () => {
  const result = await seen('SELECT * FROM logs WHERE tenant = $1 ORDER BY at DESC LIMIT $2');
  expect(created(result.recommendations)).toEqual([
    expect.stringMatching(/^public\.logs USING btree \(tenant( DESC)?, at( DESC)?\)$/),
  ]);
});

test('an index that exists is not proposed again, and the answer says which', async () => {
  const result = await seen('SELECT * FROM kept WHERE code = $1');
  expect(created(result.recommendations)).toEqual([]);
  expect(result.rejections).toContainEqual(
    expect.objectContaining({ code: 'covered_by_existing', candidate: 'public.kept USING btree (code)' }),
  );
});

test('a unique column is not free: negative n_distinct is a share of the rows', async () => {
  expect(created((await seen('SELECT * FROM posts WHERE id = $1')).recommendations)).toEqual([]);
  expect(created((await seen('SELECT * FROM posts WHERE id < $1 AND score = $2')).recommendations)).toEqual([
    expect.stringMatching(/^public\.posts USING btree \(score/),
  ]);
});

test('a semicolon in a literal ends nothing, and upper case in one stays', async () => {
  expect(await chosen("SELECT id FROM posts WHERE author = 7 AND body <> 'A;B';")).toEqual([
    expect.stringMatching(/^public\.posts USING btree \(author/),
  ]);
});

test('a column is no other one whose name begins with its own: hyrise looks for a part of the text', async () => {
  expect(await chosen('SELECT pad FROM near WHERE tag_id = $1;')).toEqual([
    'public.near USING btree (tag_id)',
  ]);
});

test('a partial index does not stand for all rows, nor for a parameter: $1 proves no predicate', async () => {
  const { recommendations, rejections } = await seen('SELECT pad FROM near WHERE tag_id = $1 AND state = $2');
  expect(created(recommendations)).toEqual([
    expect.stringMatching(/^public\.near USING btree \((tag_id|state, tag_id|tag_id, state)\)$/),
  ]);
  expect(rejections.map(({ code }) => code)).not.toContain('covered_by_existing');
});

test('calls decide which of two fits the budget: hyrise does not look at them', async () => {
  const sql = (posts: number, logs: number) =>
    `-- calls: ${posts}\nSELECT body FROM posts WHERE author = $1;\n-- calls: ${logs}\nSELECT pad FROM logs WHERE at = $1;`;
  const run = async (text: string, budget: number | null) =>
    (
      await rule.evaluate(
        await contextOf(snapshot, { what_if: whatIf, sql: text, index_budget_bytes: budget }),
      )
    ).recommendations;
  const both = await run(sql(10, 10), null);
  expect(both).toHaveLength(2);
  // Room for the larger one alone.
  const budget = 1.05 * Math.max(...both.map(({ estimate }) => estimate.size_bytes ?? 0));
  const trees = (found: typeof both) => created(found).filter((index) => index.includes('btree'));
  expect(trees(await run(sql(1000, 1), budget))).toEqual([expect.stringContaining('public.posts')]);
  expect(trees(await run(sql(1, 1000), budget))).toEqual([expect.stringContaining('public.logs')]);
});

test('a foreign table is none to be indexed', async () => {
  const { recommendations } = await seen('SELECT * FROM far WHERE code = $1');
  expect(recommendations).toEqual([]);
});

test('where nothing was examined it is not said that all is well', async () => {
  const { recommendations, limits } = await rule.evaluate(await contextOf(snapshot, { what_if: whatIf }));
  expect(recommendations).toEqual([]);
  expect(limits).toEqual([expect.objectContaining({ code: 'no_workload' })]);
});

test('an index that a plan happens to use is no advice: index_advisor prints any that EXPLAIN shows', async () => {
  const { recommendations } = await seen(
    'SELECT k.pad, p.body FROM kept k JOIN posts p ON p.id = k.id WHERE k.code = $1',
  );
  // What would hold the other columns, too, may be.
  expect(created(recommendations)).not.toContain('public.kept USING btree (code)');
  expect(created(recommendations).join()).not.toContain('posts');
});
