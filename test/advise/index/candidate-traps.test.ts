/** Kinds of statements and candidates beside those of candidate-kinds and conditions: found where it pays, and the trap next to it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { RuleContext, RuleResult, Snapshot, WhatIf } from '../../../src/domain/index.ts';
import { contextOf, created, type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';

let planned: PlannedDatabase;
let snapshot: Snapshot;
let whatIf: WhatIf;

beforeAll(async () => {
  // Without pg_trgm: a pattern that begins with anything is served by nothing.
  planned = await plannedDatabase(`
    CREATE TABLE stock (id int PRIMARY KEY, item int, weight int, at timestamp, seen timestamptz, name text, deleted_at timestamptz,
      doc jsonb, pad text);
    INSERT INTO stock SELECT g, g * 7919 % 6000, g * 20011 % 50021, t, t, md5(g::text),
      CASE WHEN g % 40 = 0 THEN t END,
      jsonb_build_object('k', jsonb_build_object('ref', md5(g::text)), 'kind', 'k' || g * 31 % 4000) ||
        CASE WHEN g % 1000 = 0 THEN '{"flag": 1}' ELSE '{}' END::jsonb, repeat('s', 60)
      FROM (SELECT g, timestamp '2024-01-01' + (g * 7919 % 60000) * interval '10 minutes' AS t FROM generate_series(1, 60000) g) x;
    CREATE INDEX stock_kind ON stock ((doc ->> 'kind'));
    CREATE TABLE target (id int PRIMARY KEY, item int, note text);
    INSERT INTO target SELECT g, g * 31 % 6000, 'x' FROM generate_series(1, 20000) g;
    CREATE VIEW by_item AS SELECT item, max(pad) AS pad, max(weight) AS most FROM stock GROUP BY item;
    CREATE TABLE queue (id int PRIMARY KEY, owner int, done_at timestamptz, pad text);
    INSERT INTO queue SELECT g, g * 7919 % 50, CASE WHEN g % 200 <> 0 THEN timestamptz '2024-01-01' + g * interval '1 minute' END,
      repeat('q', 90) FROM generate_series(1, 60000) g;
    CREATE TABLE tasks (id int PRIMARY KEY, state text, rank int, due timestamptz, pad text);
    INSERT INTO tasks SELECT g, CASE WHEN g % 3 = 0 THEN 'ready' ELSE 'done' END, g * 31 % 400,
      timestamptz '2024-01-01' + (g * 7919 % 60000) * interval '1 minute', repeat('t', 90) FROM generate_series(1, 60000) g;
    CREATE TABLE words (id int, natural_ text COLLATE "en-x-icu", there text COLLATE "en-x-icu", pad text);
    INSERT INTO words SELECT g, md5(g::text), md5(g::text), repeat('w', 60) FROM generate_series(1, 40000) g;
    CREATE INDEX words_there ON words (there text_pattern_ops);
  `);
  ({ snapshot, whatIf } = planned);
});

afterAll(() => planned?.close());

const advise = async (sql: string, parts: Partial<RuleContext> = {}): Promise<RuleResult> =>
  rule.evaluate(await contextOf(snapshot, { what_if: whatIf, sql, ...parts }));
const chosen = async (sql: string): Promise<string[]> => created((await advise(sql)).recommendations);
const BY_ITEM = expect.stringMatching(/^public\.stock USING btree \(item[,)]/);

describe('statements of every kind', () => {
  test.each([
    ['UPDATE by its key', "UPDATE stock SET pad = 'x' WHERE id = $1;"],
    ['DELETE of nearly all rows', 'DELETE FROM stock WHERE weight > 5;'],
    ['INSERT of values', 'INSERT INTO target VALUES ($1, $2, $3);'],
    ['INSERT … SELECT of all rows', 'INSERT INTO target SELECT id, item, name FROM stock;'],
    [
      'MERGE by its key',
      'MERGE INTO target t USING (VALUES (1, 2)) s (id, item) ON t.id = s.id WHEN MATCHED THEN UPDATE SET item = s.item;',
    ],
    [
      'a CTE that is made whole',
      'WITH s AS MATERIALIZED (SELECT * FROM stock) SELECT count(pad) FROM s WHERE item = 5;',
    ],
    ['a subquery that is made whole', 'SELECT name FROM (SELECT * FROM stock OFFSET 0) s WHERE item = 5;'],
    ['a view’s aggregate', 'SELECT pad FROM by_item WHERE most = 77;'],
  ])('nothing for %s', async (_, sql) => {
    expect(await chosen(sql)).toEqual([]);
  });
  test.each([
    ['UPDATE', "UPDATE stock SET pad = 'x' WHERE item = $1;"],
    ['DELETE with USING', 'DELETE FROM stock s USING target t WHERE s.item = t.item AND t.id = $1;'],
    ['a CTE that is not', 'WITH s AS (SELECT * FROM stock) SELECT count(pad) FROM s WHERE item = 5;'],
    ['a subquery that is not', 'SELECT name FROM (SELECT * FROM stock) s WHERE item = 5;'],
    ['a view’s group', 'SELECT pad FROM by_item WHERE item = 77;'],
    [
      'a subquery of each row',
      'SELECT id, (SELECT max(weight) FROM stock s WHERE s.item = t.item) FROM target t WHERE id < 20;',
    ],
    [
      'LATERAL',
      `SELECT t.id, l.weight FROM target t, LATERAL (SELECT weight FROM stock s WHERE s.item = t.item
       ORDER BY weight DESC LIMIT 1) l WHERE t.id < 20;`,
    ],
  ])('its condition’s column for %s', async (_, sql) => {
    expect(await chosen(sql)).toEqual([BY_ITEM]);
  });
});

describe('expressions', () => {
  test('a time’s date where it is immutable, refused where it hangs on the time zone', async () => {
    expect(await chosen("SELECT pad FROM stock WHERE date(at) = '2024-02-03';")).toEqual([
      'public.stock USING btree ((date(at)))',
    ]);
    const { recommendations, rejections } = await advise(
      "SELECT pad FROM stock WHERE date(seen) = '2024-02-03';",
    );
    expect(created(recommendations)).toEqual([]);
    expect(rejections).toContainEqual(
      expect.objectContaining({ reason: expect.stringContaining('IMMUTABLE') }),
    );
  });
  test('a path within a document, not one that an index has', async () => {
    expect(await chosen("SELECT pad FROM stock WHERE doc #>> '{k,ref}' = 'x';")).toEqual([
      expect.stringMatching(/^public\.stock USING btree \(\(\(?doc #>> '\{k,ref\}'/),
    ]);
    expect(await chosen("SELECT pad FROM stock WHERE doc -> 'k' ->> 'ref' = 'x';")).toEqual([
      expect.stringMatching(/^public\.stock USING btree \(\(\(?\(?doc -> 'k'/),
    ]);
    expect(await chosen("SELECT pad FROM stock WHERE doc ->> 'kind' = 'k77';")).toEqual([]);
  });
  test('a key that few documents have takes jsonb_ops, for jsonb_path_ops has no keys; none that all have', async () => {
    const [index, ...more] = await chosen("SELECT pad FROM stock WHERE doc ? 'flag';");
    expect(more).toEqual([]);
    expect(index).toMatch(/^public\.stock USING gin \(doc( jsonb_ops)?\)$/);
    expect(await chosen("SELECT pad FROM stock WHERE doc ? 'kind';")).toEqual([]);
  });
});

describe('partial by IS NULL', () => {
  test('where nulls are few: it fits where an index of all rows does not', async () => {
    const { recommendations } = await advise(
      '-- calls: 50\nSELECT id FROM queue WHERE done_at IS NULL AND owner = $1; SELECT count(pad) FROM queue WHERE done_at IS NULL;',
      { index_budget_bytes: 128 * 1024 },
    );
    const indexes = created(recommendations);
    expect(indexes.length).toBeGreaterThan(0);
    for (const index of indexes)
      expect(index).toMatch(/^public\.queue USING btree .* WHERE done_at IS NULL$/);
    const all = await advise('-- calls: 50\nSELECT id FROM queue WHERE owner = $1;', {
      index_budget_bytes: 128 * 1024,
    });
    expect(all.rejections.map(({ code }) => code)).toContain('over_budget');
  });
  test('not where nearly all are: the condition would keep what it is for', async () => {
    expect(await chosen('SELECT pad FROM stock WHERE deleted_at IS NULL AND item = $1;')).toEqual([
      'public.stock USING btree (item)',
    ]);
  });
});

describe('orders', () => {
  test('DISTINCT ON with its order out of an index alone, not where a few rows are sorted', async () => {
    const sql = 'SELECT DISTINCT ON (item) item, weight FROM stock ORDER BY item, weight DESC;';
    expect(await chosen(sql)).toEqual([
      expect.stringMatching(/^public\.stock USING btree \((item, weight DESC|item DESC, weight)\)$/),
    ]);
    expect(
      await chosen('SELECT DISTINCT ON (item) * FROM stock WHERE id < 50 ORDER BY item, weight DESC;'),
    ).toEqual([]);
  });
  test('the greatest of a group, and no order of a few rows', async () => {
    expect(await chosen('SELECT max(weight) FROM stock WHERE item = $1;')).toEqual([BY_ITEM]);
    expect(await chosen('SELECT * FROM stock WHERE id < 50 ORDER BY weight;')).toEqual([]);
  });
});

describe('leading keys alone', () => {
  const WITHIN = { index_budget_bytes: 768 * 1024 };
  test('where they repeat: what is ordered behind them is sorted, a few rows at a time', async () => {
    const sql = 'SELECT pad FROM tasks WHERE state = $1 ORDER BY rank, due LIMIT 10;';
    expect(await chosen(sql)).toEqual(['public.tasks USING btree (state, rank, due)']);
    const { recommendations, rejections } = await advise(sql, WITHIN);
    expect(created(recommendations)).toEqual(['public.tasks USING btree (state, rank)']);
    expect(rejections).toContainEqual(
      expect.objectContaining({
        code: 'over_budget',
        candidate: 'public.tasks USING btree (state, rank, due)',
      }),
    );
  });
  test('not where they would take as much', async () => {
    const { recommendations, rejections } = await advise(
      'SELECT pad FROM tasks WHERE state = $1 ORDER BY due, rank LIMIT 10;',
      WITHIN,
    );
    const named = [...created(recommendations), ...rejections.map(({ candidate }) => candidate)];
    expect(named).toContain('public.tasks USING btree (state, due, rank)');
    expect(named).not.toContain('public.tasks USING btree (state, due)');
  });
});

describe('patterns and block ranges', () => {
  test('a fixed beginning, not where an index of the operator class is there, nor a fixed end', async () => {
    expect(await chosen("SELECT * FROM words WHERE natural_ LIKE 'abcd%';")).toEqual([
      'public.words USING btree (natural_ text_pattern_ops)',
    ]);
    const there = await advise("SELECT * FROM words WHERE there LIKE 'abcd%';");
    expect(created(there.recommendations)).toEqual([]);
    expect(there.rejections.map(({ code }) => code)).toContain('covered_by_existing');
    expect(await chosen("SELECT * FROM words WHERE natural_ LIKE '%abcd';")).toEqual([]);
  });
  test('no BRIN of values that have nothing to do with the table’s order, however small the budget', async () => {
    const { recommendations } = await advise('SELECT count(pad) FROM stock WHERE weight BETWEEN 5 AND 300;', {
      index_budget_bytes: 64 * 1024,
    });
    expect(created(recommendations)).toEqual([]);
  });
});
