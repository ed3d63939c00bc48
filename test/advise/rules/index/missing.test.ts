import { afterAll, beforeAll, expect, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/index/missing.ts';
import type { RuleResult, Snapshot, WhatIf } from '../../../../src/domain/index.ts';
import { contextOf, created, type SampleDatabase, sampleDatabase, twinOf } from './context.ts';

let database: SampleDatabase;
let snapshot: Snapshot;
let whatIf: WhatIf;

beforeAll(async () => {
  database = await sampleDatabase(
    `
    CREATE EXTENSION pg_trgm;
    CREATE SCHEMA other;
    CREATE TABLE posts (id int PRIMARY KEY, status text, published timestamptz, author int, title text, body text,
      deleted_at timestamptz, meta jsonb, tags text[], pad text);
    INSERT INTO posts SELECT g, CASE WHEN g % 100 = 0 THEN 'pending' WHEN g % 20 = 0 THEN 'draft' ELSE 'done' END,
      timestamptz '2024-01-01' + (g * 7919 % 100000) * interval '1 minute', g * 7919 % 5000,
      substr(md5((g * 31)::text), 1, 12), 'w' || g % 5000 || ' v' || g % 300 || ' common text',
      CASE WHEN g % 50 = 0 THEN timestamptz '2024-02-01' + g * interval '1 second' END,
      jsonb_build_object('k', g % 2000, 'n', md5(g::text)), ARRAY['t' || g % 1000, 'x' || g % 7], repeat('p', 80)
      FROM generate_series(1, 100000) g;
    CREATE TABLE events (id bigint, at timestamptz, kind int, payload text);
    INSERT INTO events SELECT g, timestamptz '2024-01-01' + g * interval '1 second', g % 9, repeat('e', 90)
      FROM generate_series(1, 200000) g;
    CREATE TABLE "Order" ("Id" int, "Customer" int, pad text);
    INSERT INTO "Order" SELECT g, g * 7919 % 9000, repeat('o', 90) FROM generate_series(1, 50000) g;
    CREATE TABLE other."Order" ("Id" int, "Customer" int, pad text);
    INSERT INTO other."Order" SELECT g, g * 7919 % 9000, repeat('o', 90) FROM generate_series(1, 50000) g;
    CREATE TABLE indexed (id int, a int, pad text);
    INSERT INTO indexed SELECT g, g * 7919 % 9000, repeat('i', 90) FROM generate_series(1, 50000) g;
    CREATE INDEX indexed_a ON indexed (a);
    VACUUM ANALYZE;
  `.replace(/\s*VACUUM ANALYZE;\s*$/, ''),
  );
  await database.query('VACUUM ANALYZE');
  snapshot = await database.snapshot();
  whatIf = await twinOf(snapshot);
});

afterAll(async () => {
  await whatIf?.close();
  await database?.close();
});

const advise = async (sql: string, budget: number | null = null): Promise<RuleResult> =>
  rule.evaluate(await contextOf(snapshot, { what_if: whatIf, sql, index_budget_bytes: budget }));

const chosen = async (sql: string): Promise<string[]> => created((await advise(sql)).recommendations);

test('equality and order make one composite index, the equality first', async () => {
  const found = await chosen("SELECT * FROM posts WHERE status = 'draft' ORDER BY published DESC LIMIT 10;");
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/btree \((status, published|published)( DESC)?\)/);
  if (found[0]?.includes('(published')) expect(found[0]).toContain("WHERE status = 'draft'");
});

test('a parameter: the composite index, and no partial one', async () => {
  const found = await chosen('SELECT * FROM posts WHERE status = $1 ORDER BY published DESC LIMIT $2;');
  expect(found).toEqual([expect.stringMatching(/^public\.posts USING btree \(status, published( DESC)?\)$/)]);
});

test('an index that exists already is not advised, and the report says so', async () => {
  const result = await advise('SELECT * FROM indexed WHERE a = 5;');
  expect(created(result.recommendations)).toEqual([]);
  expect(result.rejections.map((each) => each.code)).toContain('covered_by_existing');
});

test('quoted names, and the same table in two schemas', async () => {
  const found = await chosen(`SELECT * FROM other."Order" WHERE "Customer" = 17;`);
  expect(found).toEqual(['other."Order" USING btree ("Customer")']);
});

test('a partial index out of IS NOT NULL with an order', async () => {
  const found = await chosen('SELECT id FROM posts WHERE deleted_at IS NOT NULL AND author = $1; SELECT 1;');
  expect(found).toHaveLength(1);
  expect(found[0]).toContain('author');
});

test('directions and places of nulls that one direction cannot serve', async () => {
  const found = await chosen('SELECT * FROM posts ORDER BY author, published DESC LIMIT 10;');
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/\((author, published DESC|author DESC, published)\)|\(author\)/);
  const last = await chosen('SELECT * FROM posts ORDER BY deleted_at DESC NULLS LAST LIMIT 10;');
  expect(last).toEqual([expect.stringMatching(/\(deleted_at (DESC NULLS LAST|NULLS FIRST)\)/)]);
});

test('an expression', async () => {
  const found = await chosen("SELECT * FROM posts WHERE lower(title) = 'abc';");
  expect(found).toEqual([expect.stringContaining('((lower(title)))')]);
});

test('what is not immutable is refused with PostgreSQL’s words', async () => {
  const result = await advise("SELECT * FROM posts WHERE to_tsvector(body) @@ to_tsquery('w7');");
  expect(created(result.recommendations)).toEqual([]);
  expect(result.rejections).toContainEqual(
    expect.objectContaining({ reason: expect.stringContaining('IMMUTABLE') }),
  );
});

test('full text, as the statement writes it', async () => {
  const found = await chosen(
    "SELECT id FROM posts WHERE to_tsvector('english', body) @@ to_tsquery('english', 'w7');",
  );
  expect(found).toEqual([expect.stringMatching(/gin \(\(to_tsvector\('english'(::regconfig)?, body\)\)\)/)]);
});

test('jsonb and arrays', async () => {
  expect(await chosen(`SELECT id FROM posts WHERE meta @> '{"k": 7}';`)).toEqual([
    'public.posts USING gin (meta jsonb_path_ops)',
  ]);
  expect(await chosen("SELECT id FROM posts WHERE tags @> ARRAY['t7'];")).toEqual([
    'public.posts USING gin (tags)',
  ]);
});

test('an infix pattern, by trigrams', async () => {
  expect(await chosen("SELECT id FROM posts WHERE title LIKE '%abcdef%';")).toEqual([
    'public.posts USING gin (title gin_trgm_ops)',
  ]);
});

test('a fixed beginning of a pattern', async () => {
  const { lc_collate, locale_provider } = snapshot.server;
  const bytewise = locale_provider !== 'i' && ['C', 'POSIX'].includes(lc_collate ?? '');
  const found = await chosen("SELECT * FROM posts WHERE title LIKE 'abcde%';");
  expect(found).toEqual([`public.posts USING btree (title${bytewise ? '' : ' text_pattern_ops'})`]);
});

test('ranges of a column in the order of the table', async () => {
  const found = await chosen(
    "SELECT count(payload) FROM events WHERE at BETWEEN '2024-01-02' AND '2024-01-02 12:00';",
  );
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/events USING (brin|btree) \(at\)/);
});

test('a join without an index on the inner side', async () => {
  const found = await chosen(
    'SELECT o.* FROM posts p JOIN "Order" o ON o."Customer" = p.author WHERE p.id = 77;',
  );
  expect(found).toEqual(['public."Order" USING btree ("Customer")']);
});

test('a budget is kept, and what did not fit is named', async () => {
  const sql =
    'SELECT * FROM posts WHERE author = 5; SELECT * FROM "Order" WHERE "Customer" = 17; SELECT * FROM other."Order" WHERE "Customer" = 17;';
  const free = await advise(sql);
  expect(free.recommendations.length).toBe(3);
  const budget = 1024 * 1024;
  const held = await advise(sql, budget);
  const bytes = held.recommendations.reduce((sum, each) => sum + (each.estimate.size_bytes ?? 0), 0);
  expect(bytes).toBeLessThanOrEqual(budget);
  expect(held.recommendations.length).toBeGreaterThan(0);
  expect(held.rejections.map((each) => each.code)).toContain('over_budget');
});

test('a table that is mostly written gets no index for a rare read', async () => {
  const read = 'SELECT * FROM "Order" WHERE "Customer" = 17;';
  const write = (calls: number) => `-- calls: ${calls}\nINSERT INTO "Order" VALUES (1, 2, 'x');`;
  expect(await chosen(`${read}\n${write(1)}`)).toHaveLength(1);
  expect(await chosen(`${read}\n${write(10_000_000)}`)).toEqual([]);
});

test('what was recommended has a name, evidence, affected statements and cover', async () => {
  const result = await advise('SELECT * FROM posts WHERE author = 5; SELECT nonsense FROM nowhere;');
  const [only] = result.recommendations;
  expect(only?.change).toMatchObject({ kind: 'index.create', index: { name: 'posts_author_idx' } });
  expect(only?.affects).toHaveLength(1);
  expect(only?.affects[0]?.cost_after).toBeLessThan(only?.affects[0]?.cost_before ?? 0);
  expect(result.coverage?.analysed).toHaveLength(1);
  expect(result.coverage?.not_analysed).toHaveLength(1);
});

test('a partial index for a state, none for the constant of one call', async () => {
  const draft = await chosen("SELECT id FROM posts WHERE status = 'pending' AND author = $1;");
  expect(draft).toHaveLength(1);
  for (const sql of [
    "SELECT * FROM posts WHERE author = 77 AND status = $1 AND published > '2024-02-01';",
    "SELECT * FROM events WHERE at > '2024-01-03' AND kind = $1 ORDER BY id LIMIT 5;",
  ]) {
    for (const index of await chosen(sql)) expect(index).not.toContain('WHERE');
  }
});

test('the evidence says how often, how long it takes to build, what writes it, what overlaps and which values stood in', async () => {
  const sql = `-- calls: 50
    SELECT pad FROM indexed WHERE a = $1 ORDER BY id LIMIT 1;
    -- calls: 3
    INSERT INTO indexed VALUES (1, $1, $2);`;
  const context = await contextOf(snapshot, { what_if: whatIf, sql });
  context.workload = { ...context.workload, source: 'window', seconds: 43_200 };
  const { recommendations } = await rule.evaluate(context);
  const found = recommendations.find(({ change }) => change.kind === 'index.create');
  expect(created(recommendations)).toEqual([expect.stringContaining('(a, id)')]);
  const [affected] = found?.affects ?? [];
  expect(affected).toMatchObject({ calls: 50, calls_per_day: 100 });
  expect(affected?.parameters?.[0]).toMatchObject({ number: 1, column: 'public.indexed.a' });
  expect(affected?.parameters?.[0]?.values.length).toBeGreaterThan(0);
  const row = (name: string) => found?.evidence.find((item) => item.name.startsWith(name));
  expect(row('calls a day of the statements that it helps')?.value).toBe(100);
  expect(row('statement that has to maintain it')?.value).toMatch(/^INSERT INTO indexed .*6 calls a day/);
  expect(row('existing index that overlaps')).toMatchObject({
    value: expect.stringContaining('indexed_a'),
    formula: expect.stringContaining('does all that indexed_a does'),
  });
  expect(row('samples of $1 (public.indexed.a)')?.level).toBe('simulated');
  const build = row('time to build it');
  expect(build).toMatchObject({
    unit: 's',
    level: 'estimated',
    formula: expect.stringContaining('100,000 rows read, each twice × '),
  });
  expect(build?.value).toBe(found?.estimate.build_seconds);
  const gain = found?.gain;
  expect(gain?.saved_share).toBeGreaterThan(0.5);
  expect(gain?.statements.map(({ query_id }) => query_id)).toEqual([affected?.query_id]);
});
