import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { RuleResult, Snapshot, WhatIf } from '../../../src/domain/index.ts';
import { workloadFromSnapshot } from '../../../src/workload/index.ts';
import { btree } from '../../support/definitions.ts';
import { statementRow } from '../../support/rows.ts';
import { contextOf, created, type SampleDatabase, sampleDatabase, twinOf } from '../rules/index/context.ts';

let database: SampleDatabase;
let snapshot: Snapshot;
let whatIf: WhatIf;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE EXTENSION btree_gist;
    CREATE EXTENSION pg_trgm;
    CREATE TABLE files (id int, digest text, code text, kind int, pad text);
    INSERT INTO files SELECT g, md5(g::text) || md5((g + 1)::text), substr(md5(g::text), 1, 8), g % 7, repeat('p', 60)
      FROM generate_series(1, 60000) g;
    CREATE TABLE bookings (id int, room int, during tstzrange, pad text);
    INSERT INTO bookings SELECT g, g % 400, tstzrange(t, t + interval '2 hours'), repeat('b', 60)
      FROM (SELECT g, timestamptz '2024-01-01' + (g * 7919 % 60000) * interval '10 minutes' AS t
            FROM generate_series(1, 60000) g) x;
    CREATE TABLE held (room int, during tstzrange, pad text, EXCLUDE USING gist (during WITH &&));
    INSERT INTO held SELECT g, tstzrange(t, t + interval '9 minutes'), repeat('h', 60)
      FROM (SELECT g, timestamptz '2024-01-01' + g * interval '10 minutes' AS t FROM generate_series(1, 20000) g) x;
    CREATE TABLE places (id int, at point, address inet, name text, pad text);
    INSERT INTO places SELECT g, point(g * 7919 % 10007, g * 20011 % 10009), '10.0.0.0'::inet + (g * 7919 % 1000000),
      md5(g::text), repeat('l', 60) FROM generate_series(1, 60000) g;
    CREATE TABLE stock (id int, item int, weight int, day date, note text, pad text);
    INSERT INTO stock SELECT g, g * 7919 % 6000, g * 20011 % 50021, date '2024-01-01' + g % 300, md5(g::text), repeat('s', 60)
      FROM generate_series(1, 60000) g;
    CREATE TABLE payments (id int, state text, at timestamptz, pad text);
    INSERT INTO payments SELECT g, CASE WHEN g > 59700 THEN 'open' ELSE 'settled' END,
      timestamptz '2024-01-01' + (g * 7919 % 60000) * interval '1 minute', repeat('p', 60) FROM generate_series(1, 60000) g;
    CREATE TABLE names (id int, plain text, bytes text COLLATE "C", natural_ text COLLATE "en-x-icu", pad text);
    INSERT INTO names SELECT g, md5(g::text), md5(g::text), md5(g::text), repeat('n', 60) FROM generate_series(1, 60000) g;
    CREATE INDEX names_plain ON names (plain);
    CREATE TABLE parts (id int, customer int, shop int, at date, pad text) PARTITION BY RANGE (at);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2024-04-01');
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2024-04-01') TO ('2024-07-01');
    CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
    INSERT INTO parts SELECT g, g * 7919 % 6000, g * 20011 % 5000, date '2024-01-01' + g % 360, repeat('q', 60)
      FROM generate_series(1, 90000) g;
    CREATE INDEX ON parts_1 (shop);
    CREATE INDEX ON parts_2 (shop);
    CREATE INDEX ON parts_3 (shop);
    CREATE TABLE visits (id bigint, at timestamptz, pad text);
    INSERT INTO visits SELECT g, timestamptz '2024-01-01' + g * interval '1 minute', repeat('v', 90)
      FROM generate_series(1, 120000) g;
    CREATE VIEW cheap AS SELECT id, item, note FROM stock;
    CREATE TABLE target (id int PRIMARY KEY, item int, note text);
    INSERT INTO target SELECT g, g, 'x' FROM generate_series(1, 20000) g;
  `);
  await database.query('VACUUM ANALYZE');
  snapshot = await database.snapshot();
  whatIf = await twinOf(snapshot);
});

afterAll(async () => {
  await whatIf?.close();
  await database?.close();
});

const ROW = statementRow({
  dbid: 1,
  calls: 100,
  total_exec_time_ms: 1000,
  mean_exec_time_ms: 10,
  stddev_exec_time_ms: 1,
  min_exec_time_ms: 1,
  max_exec_time_ms: 20,
  rows: 1000,
});

const advise = async (sql: string): Promise<RuleResult> =>
  rule.evaluate(await contextOf(snapshot, { what_if: whatIf, sql }));
const chosen = async (sql: string): Promise<string[]> => created((await advise(sql)).recommendations);

describe('hash', () => {
  test('for long values that are only compared', async () => {
    expect(await chosen('SELECT * FROM files WHERE digest = $1;')).toEqual([
      'public.files USING hash (digest)',
    ]);
  });
  test('not for short values, nor where the order is wanted, too', async () => {
    expect(await chosen('SELECT * FROM files WHERE code = $1;')).toEqual(['public.files USING btree (code)']);
    const both = await chosen(
      "SELECT * FROM files WHERE digest = $1; SELECT * FROM files WHERE digest > 'f' ORDER BY digest LIMIT 5;",
    );
    expect(both).toEqual(['public.files USING btree (digest)']);
  });
});

describe('GiST', () => {
  test('ranges that overlap, with what is compared before them', async () => {
    expect(
      await chosen("SELECT * FROM bookings WHERE during && tstzrange('2024-02-01', '2024-02-02');"),
    ).toEqual(['public.bookings USING gist (during)']);
    const both = await chosen(
      "SELECT * FROM bookings WHERE room = 7 AND during && tstzrange('2024-02-01', '2024-06-02');",
    );
    expect(both).toEqual([
      expect.stringMatching(/^public\.bookings USING (gist \(room, during\)|btree \(room\))/),
    ]);
  });
  test('not beside an exclusion constraint that does it', async () => {
    const result = await advise("SELECT * FROM held WHERE during && tstzrange('2024-02-01', '2024-02-02');");
    expect(created(result.recommendations)).toEqual([]);
    expect(result.rejections).toContainEqual(
      expect.objectContaining({ code: 'covered_by_existing', candidate: 'public.held USING gist (during)' }),
    );
  });
  test('what is nearest, and in which network', async () => {
    expect(await chosen("SELECT * FROM places ORDER BY at <-> point '(5,5)' LIMIT 5;")).toEqual([
      'public.places USING gist (at)',
    ]);
    expect(await chosen("SELECT * FROM places WHERE address <<= '10.1.2.0/24';")).toEqual([
      'public.places USING gist (address inet_ops)',
    ]);
  });
  test('not where the distance is a condition, which no index of it serves', async () => {
    expect(await chosen("SELECT * FROM places WHERE at <-> point '(5,5)' < 3;")).toEqual([]);
  });
});

describe('BRIN', () => {
  const read = "SELECT count(pad) FROM visits WHERE at >= '2024-02-01' AND at < '2024-02-03';";
  test('for ranges of a column in the order of the table, where a B-tree is too large', async () => {
    const context = await contextOf(snapshot, { what_if: whatIf, sql: read, index_budget_bytes: 256 * 1024 });
    const { recommendations, rejections } = await rule.evaluate(context);
    expect(created(recommendations)).toEqual([expect.stringMatching(/^public\.visits USING brin \(at\)/)]);
    expect(rejections.map((each) => each.candidate)).toContain('public.visits USING btree (at)');
  });
  test('not where one row is looked for often', async () => {
    const one =
      "-- calls: 20000\nSELECT pad FROM visits WHERE at > '2024-02-01' AND at < '2024-02-01 00:02';";
    expect(await chosen(one)).toEqual(['public.visits USING btree (at)']);
  });
});

describe('orders', () => {
  test('min and max', async () => {
    expect(await chosen('SELECT max(weight) FROM stock;')).toEqual(['public.stock USING btree (weight)']);
    const both = await chosen('SELECT min(weight), max(item) FROM stock;');
    expect(both.toSorted()).toEqual(['public.stock USING btree (item)', 'public.stock USING btree (weight)']);
  });
  test('not where all rows are read anyway', async () => {
    expect(await chosen('SELECT max(weight), count(DISTINCT note) FROM stock;')).toEqual([]);
  });
  test('what a LIMIT hopes for is told by the plan: it filters rows in order', async () => {
    const size = { pages: 200, tuples: 60_000, tree_height: 1 };
    const at = await whatIf.addIndex(btree('payments', ['at']), size);
    const both = await whatIf.addIndex(btree('payments', ['state', 'at']), size);
    const sql = "SELECT id FROM payments WHERE state = 'settled' ORDER BY at LIMIT 5";
    const risk = async (created: string[], text: string) =>
      (await whatIf.costs({ created, hidden: [] }, [{ id: 's', query_id: 's', sql: text, weight: 1 }]))[0]
        ?.early_end_risk;
    const open = sql.replace('settled', 'open');
    expect(await risk([at], open)).toBeGreaterThan(1000);
    // Nearly all rows pass: at worst the few others come first.
    expect(await risk([at], sql)).toBeLessThan(((await risk([at], open)) ?? 0) / 50);
    expect(await risk([both], open)).toBe(0);
    expect(await risk([], open)).toBe(0);
    expect(await risk([at], 'SELECT id FROM payments ORDER BY at LIMIT 5')).toBe(0);
  });
  test('a LIMIT after a filter: the filter’s column first, lest its rows are the last in order', async () => {
    const sql = 'SELECT id FROM payments WHERE state = $1 AND at < $2 ORDER BY at LIMIT $3;';
    expect(await chosen(sql)).toEqual([expect.stringMatching(/^public\.payments USING btree \(state, at\)/)]);
    expect(await chosen('SELECT id, state FROM payments ORDER BY at LIMIT $1;')).toEqual([
      expect.stringMatching(/^public\.payments USING btree \(at\)/),
    ]);
  });
  test('a window’s partition and order, out of an index alone', async () => {
    const sql = 'SELECT item, weight, rank() OVER (PARTITION BY item ORDER BY weight DESC) FROM stock;';
    expect(await chosen(sql)).toEqual([
      expect.stringMatching(/^public\.stock USING btree \((item, weight DESC|item DESC, weight)\)$/),
    ]);
    const few = await chosen('SELECT *, rank() OVER (ORDER BY weight) FROM stock WHERE item = $1;');
    expect(few).toEqual([expect.stringMatching(/^public\.stock USING btree \(item[,)]/)]);
  });
});

describe('statements that write read, too', () => {
  test.each([
    ["UPDATE stock SET pad = 'x' WHERE item = $1;"],
    ['DELETE FROM stock WHERE item = $1;'],
    ['INSERT INTO target SELECT id, item, note FROM stock WHERE item = $1;'],
    [
      'MERGE INTO target t USING (SELECT * FROM stock WHERE item = 5) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET note = s.note;',
    ],
    ['WITH s AS (SELECT * FROM stock WHERE item = $1) SELECT count(pad) FROM s;'],
    ['SELECT id, note FROM cheap WHERE item = $1;'],
  ])('%s', async (sql) => {
    expect(await chosen(sql)).toEqual([expect.stringMatching(/^public\.stock USING btree \(item[,)]/)]);
  });
  test('a column that every update sets anew is not indexed for one reader', async () => {
    const read = 'SELECT pad FROM stock WHERE weight = $1;';
    expect(await chosen(read)).toEqual(['public.stock USING btree (weight)']);
    const update = 'UPDATE stock SET weight = weight + 1 WHERE id = 5;';
    const indexes = await chosen(`${read}\n-- calls: 100000\n${update}`);
    expect(indexes).not.toContain('public.stock USING btree (weight)');
  });
});

describe('collations and operator classes', () => {
  test('another order than the column’s, which its index does not have', async () => {
    expect(await chosen('SELECT * FROM names ORDER BY plain COLLATE "en-x-icu" LIMIT 5;')).toEqual([
      'public.names USING btree (plain COLLATE "en-x-icu")',
    ]);
    const result = await advise('SELECT * FROM names ORDER BY plain LIMIT 5;');
    expect(created(result.recommendations)).toEqual([]);
  });
  test('a pattern’s beginning: by bytes, where the column is not sorted so', async () => {
    expect(await chosen("SELECT * FROM names WHERE bytes LIKE 'abcd%';")).toEqual([
      'public.names USING btree (bytes)',
    ]);
    expect(await chosen("SELECT * FROM names WHERE natural_ LIKE 'abcd%';")).toEqual([
      'public.names USING btree (natural_ text_pattern_ops)',
    ]);
  });
});

describe('partitioned tables', () => {
  test('one index on the parent, of the size of all its parts', async () => {
    const { recommendations } = await advise('SELECT * FROM parts WHERE customer = $1;');
    expect(created(recommendations)).toEqual(['public.parts USING btree (customer)']);
    // 90,000 entries of 16 bytes and four of line pointer, at nine tenths; equal ones are stored once.
    const bytes = recommendations[0]?.estimate.size_bytes ?? 0;
    expect(bytes).toBeGreaterThan(90_000 * 6);
    expect(bytes).toBeLessThan(90_000 * 26);
  });
  test('not where each partition has it, nor for what pruning does', async () => {
    const result = await advise('SELECT * FROM parts WHERE shop = $1;');
    expect(created(result.recommendations)).toEqual([]);
    expect(result.rejections.map((each) => each.code)).toContain('covered_by_existing');
    expect(
      await chosen("SELECT count(pad) FROM parts WHERE at >= '2024-01-01' AND at < '2024-04-01';"),
    ).toEqual([]);
  });
});

test('the coordinates of a point are numbers, whatever they are compared with', async () => {
  expect(await chosen('SELECT id FROM places ORDER BY at <-> point($1, $2) LIMIT $3;')).toEqual([
    'public.places USING gist (at)',
  ]);
});

describe('what other advisors stumble over', () => {
  test('a pattern that is a parameter is tried with and without a fixed beginning', async () => {
    const found = await chosen('SELECT id FROM places WHERE name LIKE $1;');
    for (const index of found) expect(index).toMatch(/gin_trgm_ops|\(name( text_pattern_ops)?(, id)?\)/);
    expect(found.length).toBeGreaterThan(0);
    // Which of the two it was decides which index serves it: a guess.
    const { recommendations } = await advise('SELECT id FROM places WHERE name LIKE $1;');
    const known = await advise("SELECT id FROM places WHERE name LIKE '%abc%';");
    for (const { evidence, confidence } of recommendations) {
      expect(evidence.find(({ name }) => name.endsWith('rests on erased values'))?.value).toBe(1);
      expect(confidence).toBeLessThan(known.recommendations[0]?.confidence ?? 0);
    }
    expect(known.recommendations[0]?.evidence.some(({ name }) => name.endsWith('erased values'))).toBe(false);
  });
  test('a truncated statement is set aside, and the others are advised', async () => {
    const texts = ['SELECT * FROM stock WHERE item = $1', "SELECT * FROM stock WHERE note = 'ab"];
    const statements = texts.map((query, position) => ({ ...ROW, query, queryid: String(position) }));
    const workload = await workloadFromSnapshot({ ...snapshot, statements });
    expect(workload.set_aside).toEqual([expect.objectContaining({ query: texts[1] })]);
    const result = await rule.evaluate(await contextOf(snapshot, { what_if: whatIf, workload }));
    expect(created(result.recommendations)).toEqual(['public.stock USING btree (item)']);
  });
});
