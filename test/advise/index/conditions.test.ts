/** What statements ask for, kind by kind: an index where it pays, and none in the trap next to it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { Snapshot, WhatIf } from '../../../src/domain/index.ts';
import { contextOf, created, type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';

let planned: PlannedDatabase;
let snapshot: Snapshot;
let whatIf: WhatIf;

beforeAll(async () => {
  planned = await plannedDatabase(`
    CREATE EXTENSION pg_trgm;
    CREATE TABLE people (id int PRIMARY KEY, name text, born date, pad text);
    INSERT INTO people SELECT g, md5(g::text), date '1950-01-01' + g % 20000, repeat('p', 60) FROM generate_series(1, 20000) g;
    CREATE TABLE events (id int, kind int, who int, amount int, at timestamptz, ended timestamptz, note text, pad text);
    INSERT INTO events SELECT g, g % 10, 1 + g * 7919 % 20000, g * 20011 % 50021,
      timestamptz '2024-01-01' + (g * 7919 % 60000) * interval '1 minute',
      CASE WHEN g % 500 = 0 THEN NULL ELSE timestamptz '2024-06-01' END, md5(g::text), repeat('e', 90)
      FROM generate_series(1, 60000) g;
    CREATE TABLE sorted (id int, at int, pad text);
    INSERT INTO sorted SELECT g, g * 7919 % 60000, repeat('s', 60) FROM generate_series(1, 60000) g;
    CREATE INDEX sorted_at ON sorted (at);
    CREATE TABLE docs (id int, doc jsonb, tags text[], body text, pad text);
    INSERT INTO docs SELECT g, jsonb_build_object('live', true, 'code', g % 3000), ARRAY['all', 't' || g % 900],
      'word' || g % 2000 || ' word' || g % 1999 || ' common', repeat('d', 60) FROM generate_series(1, 30000) g;
    CREATE INDEX docs_body_simple ON docs USING gin (to_tsvector('simple', body));
  `);
  ({ snapshot, whatIf } = planned);
});

afterAll(() => planned?.close());

const chosen = async (sql: string): Promise<string[]> =>
  created((await rule.evaluate(await contextOf(snapshot, { what_if: whatIf, sql }))).recommendations);

describe('conditions', () => {
  test('a range, not one that keeps most rows', async () => {
    expect(await chosen('SELECT * FROM events WHERE amount BETWEEN 5 AND 20;')).toEqual([
      'public.events USING btree (amount)',
    ]);
    expect(await chosen('SELECT * FROM events WHERE amount > 900;')).toEqual([]);
  });
  test('IN, not NOT IN', async () => {
    expect(await chosen('SELECT * FROM events WHERE who IN (5, 77, 900);')).toEqual([
      'public.events USING btree (who)',
    ]);
    expect(await chosen('SELECT * FROM events WHERE who NOT IN (5, 77, 900);')).toEqual([]);
  });
  test('IS NULL where nulls are rare, not IS NOT NULL there', async () => {
    expect(await chosen('SELECT * FROM events WHERE ended IS NULL;')).toEqual([
      expect.stringMatching(/^public\.events USING btree \((ended|\w+)\)( WHERE ended IS NULL)?$/),
    ]);
    expect(await chosen('SELECT * FROM events WHERE ended IS NOT NULL;')).toEqual([]);
  });
  test('what is compared first, what is a range after it', async () => {
    expect(await chosen('SELECT * FROM events WHERE amount > 40000 AND kind = 3 AND who < 500;')).toEqual([
      expect.stringMatching(/^public\.events USING btree \(kind, (who|amount)/),
    ]);
    // Two ranges: the second one only filters, so the one that keeps more is no key before the other.
    expect(await chosen('SELECT * FROM events WHERE amount < 25000 AND who < 40;')).toEqual([
      expect.stringMatching(/^public\.events USING btree \(who[,)]/),
    ]);
  });
  test('a pattern’s trigrams, not where the pattern has none', async () => {
    expect(await chosen("SELECT * FROM people WHERE name LIKE '%abcde%';")).toEqual([
      'public.people USING gin (name gin_trgm_ops)',
    ]);
    expect(await chosen("SELECT * FROM people WHERE name LIKE '%a%';")).toEqual([]);
  });
  test('documents and arrays, not for what all of them have', async () => {
    expect(await chosen(`SELECT * FROM docs WHERE doc @> '{"code": 77}';`)).toEqual([
      expect.stringMatching(/^public\.docs USING gin \(doc/),
    ]);
    expect(await chosen(`SELECT * FROM docs WHERE doc @> '{"live": true}';`)).toEqual([]);
    expect(await chosen(`SELECT * FROM docs WHERE tags @> ARRAY['t77'];`)).toEqual([
      'public.docs USING gin (tags)',
    ]);
    expect(await chosen(`SELECT * FROM docs WHERE tags @> ARRAY['all'];`)).toEqual([]);
  });
  test('full text by the statement’s own configuration, which an index of another does not serve', async () => {
    const sql = (configuration: string) =>
      `SELECT id FROM docs WHERE to_tsvector('${configuration}', body) @@ to_tsquery('${configuration}', 'word77');`;
    expect(await chosen(sql('english'))).toEqual([
      expect.stringMatching(/^public\.docs USING gin \(\(to_tsvector\('english'/),
    ]);
    expect(await chosen(sql('simple'))).toEqual([]);
  });
  test('an expression, which an index of the column does not serve; not one over most rows', async () => {
    expect(await chosen("SELECT * FROM people WHERE upper(name) = 'ABC';")).toEqual([
      'public.people USING btree ((upper(name)))',
    ]);
    expect(await chosen('SELECT * FROM people WHERE length(name) > 3;')).toEqual([]);
  });
});

test('an index that no plan reads is none, whatever its statistics make the planner expect', async () => {
  const join = 'SELECT p.pad, e.pad FROM people p JOIN events e ON upper(e.note) = upper(p.name)';
  const { recommendations, rejections } = await rule.evaluate(
    await contextOf(snapshot, { what_if: whatIf, sql: `${join};` }),
  );
  expect(created(recommendations)).toEqual([]);
  expect(rejections).toContainEqual(
    expect.objectContaining({ code: 'statistics_only', reason: expect.stringContaining('upper(') }),
  );
  // The trap: of few rows the other side is looked up in it.
  expect(await chosen(`${join} WHERE p.id < 5;`)).toEqual(['public.events USING btree ((upper(note)))']);
});

describe('joins and subqueries', () => {
  const BY_WHO = expect.stringMatching(/^public\.events USING btree \(who\)( INCLUDE \(pad\))?$/);
  test('the inner side of few rows, not where both are read whole', async () => {
    const join = 'SELECT p.name, e.pad FROM people p JOIN events e ON e.who = p.id';
    expect(await chosen(`${join} WHERE p.id < 20;`)).toEqual([BY_WHO]);
    expect(await chosen(`${join};`)).toEqual([]);
  });
  test('EXISTS and IN of a subquery, not an anti-join of all rows', async () => {
    const exists =
      'SELECT name FROM people p WHERE p.id < 20 AND EXISTS (SELECT FROM events e WHERE e.who = p.id);';
    expect(await chosen(exists)).toEqual([BY_WHO]);
    const among = 'SELECT pad FROM events WHERE who IN (SELECT id FROM people WHERE id < 20);';
    expect(await chosen(among)).toEqual([BY_WHO]);
    const anti =
      'SELECT name FROM people p WHERE NOT EXISTS (SELECT FROM events e WHERE e.who = p.id AND e.note <> p.name);';
    expect(await chosen(anti)).toEqual([]);
  });
  test('the order of a merge join that a LIMIT cuts short', async () => {
    const sql = 'SELECT s.pad, e.pad FROM sorted s JOIN events e ON e.amount = s.at ORDER BY s.at LIMIT 20;';
    expect(await chosen(sql)).toEqual([expect.stringMatching(/^public\.events USING btree \(amount[,)]/)]);
    expect(await chosen('SELECT s.pad, e.pad FROM sorted s JOIN events e ON e.amount = s.at;')).toEqual([]);
  });
});

describe('orders and groups', () => {
  test('an order with a LIMIT; not where an index read backwards has it, nor of a few rows', async () => {
    expect(await chosen('SELECT * FROM events ORDER BY amount DESC LIMIT 5;')).toEqual([
      expect.stringMatching(/^public\.events USING btree \(amount( DESC)?\)$/),
    ]);
    expect(await chosen('SELECT * FROM sorted ORDER BY at DESC LIMIT 5;')).toEqual([]);
    // Three rows are sorted sooner than an index on their order is read.
    expect(await chosen('SELECT * FROM events WHERE who = 5 ORDER BY note;')).toEqual([
      'public.events USING btree (who)',
    ]);
  });
  test('nulls where the index has them, which another place of nulls does not serve', async () => {
    expect(await chosen('SELECT * FROM sorted ORDER BY at DESC NULLS LAST LIMIT 5;')).toEqual([
      expect.stringMatching(/^public\.sorted USING btree \(at (DESC NULLS LAST|NULLS FIRST)\)$/),
    ]);
  });
  test('GROUP BY and DISTINCT out of an index alone, not where all columns are read', async () => {
    expect(await chosen('SELECT who, count(*) FROM events GROUP BY who;')).toEqual([
      'public.events USING btree (who)',
    ]);
    expect(await chosen('SELECT DISTINCT kind FROM events;')).toEqual(['public.events USING btree (kind)']);
    expect(await chosen('SELECT who, max(note), max(pad), max(at) FROM events GROUP BY who;')).toEqual([]);
  });
  test('columns that are only read make an index-only scan; not for all of them', async () => {
    expect(await chosen('SELECT amount FROM events WHERE who BETWEEN 100 AND 1500;')).toEqual([
      expect.stringMatching(/^public\.events USING btree \(who(, amount\)|\) INCLUDE \(amount\))$/),
    ]);
    expect(await chosen('SELECT * FROM events WHERE who BETWEEN 100 AND 150;')).toEqual([
      'public.events USING btree (who)',
    ]);
  });
});
