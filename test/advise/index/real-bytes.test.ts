/** A budget is of real bytes: sets that are advised within one are built, and must not take more. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import { renderIndexDefinition } from '../../../src/domain/index.ts';
import { testMajors, testServer } from '../../support/servers.ts';
import { contextOf, type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';

/** Biographies are long and have a note, heights are short and have none; names are common or occur once. */
const TABLES = `SELECT setseed(0.5);
  CREATE TABLE facts AS SELECT (random() ^ 2 * 30000)::int AS person, kind,
    CASE WHEN kind <= 3 THEN repeat(md5(g::text), 2 + g % 5) ELSE (150 + g % 60) || ' cm' END AS info,
    CASE WHEN kind <= 3 THEN 'Written by ' || floor(5000 ^ random()) || ' and others' END AS note, repeat('p', 60) AS pad
    FROM (SELECT g, 1 + floor(random() * 20)::int kind FROM generate_series(1, 200000) g) x;
  CREATE TABLE works AS SELECT g AS id, CASE WHEN random() < 0.4 THEN 'Common ' || floor(2000 ^ random())
    ELSE 'Title ' || md5(g::text) END AS title, ((floor(60000 ^ random()))::bigint * 7919 % 1000003)::int AS author,
    repeat('p', 60) AS pad FROM generate_series(1, 200000) g;`;

const QUERIES = `-- calls: 100\nSELECT info, note FROM facts WHERE note IS NOT NULL AND person = 77;
  -- calls: 100\nSELECT id FROM works WHERE title = 'Common 12';
  -- calls: 100\nSELECT id, pad FROM works WHERE author = 7919;`;

/** Texts of which each has a word of its own, which full text makes large. */
const TEXTS = `SELECT setseed(0.5);
  CREATE TABLE posts AS SELECT g AS id, CASE WHEN random() < 0.5 THEN 'Title ' || floor(5000 ^ random()) END AS title,
    repeat(md5(g::text) || ' ', 1 + g % 13) || 'common ' || floor(3000 ^ random()) AS body,
    CASE WHEN random() < 0.3 THEN ARRAY['tag-' || floor(1500 ^ random()), 'tag-' || floor(1500 ^ random())] END AS tags
    FROM generate_series(1, 60000) g;`;
const SEARCHES = `-- calls: 100\nSELECT id FROM posts WHERE to_tsvector('english', coalesce(title, '') || ' ' || body) @@ to_tsquery('english', 'common & 77');
  -- calls: 100\nSELECT id FROM posts WHERE tags @> ARRAY['tag-1200'];
  -- calls: 100\nSELECT body FROM posts WHERE id = 4711;`;

describe.each([...new Set([testMajors[0] ?? 15, testMajors.at(-1) ?? 18])])('PostgreSQL %s', (major) => {
  let planned: PlannedDatabase;
  let searched: PlannedDatabase;
  beforeAll(async () => {
    const server = await testServer({ major });
    planned = await plannedDatabase(TABLES, server);
    searched = await plannedDatabase(TEXTS, server);
  });
  afterAll(async () => {
    await planned?.close();
    await searched?.close();
  });

  async function built(
    budget: number,
    { database, snapshot, whatIf }: PlannedDatabase = planned,
    sql = QUERIES,
  ): Promise<{ bytes: number; reserved: number; said: number; indexes: number }> {
    const context = await contextOf(snapshot, { what_if: whatIf, sql, index_budget_bytes: budget });
    const query = async (text: string) => (await database.query(text)) as { rows: { bytes: number }[] };
    const { recommendations } = await rule.evaluate(context);
    const sum = { bytes: 0, reserved: 0, said: 0, indexes: recommendations.length };
    for (const { change, estimate, evidence } of recommendations) {
      if (change.kind !== 'index.create') continue;
      await query(renderIndexDefinition({ ...change.index, name: 'measured' }));
      sum.bytes += (await query("SELECT pg_relation_size('measured')::float8 AS bytes")).rows[0]?.bytes ?? 0;
      await query('DROP INDEX measured');
      const said = estimate.size_bytes ?? 0;
      sum.said += said;
      sum.reserved += Number(evidence.find(({ name }) => name === 'taken of the budget')?.value ?? said);
    }
    return sum;
  }

  test.each([2, 3, 5, 8, 12, 20])('what is built of a set within %d MB is within it', async (megabytes) => {
    const budget = megabytes * 1024 * 1024;
    const { bytes, reserved, said, indexes } = await built(budget);
    expect(bytes, `${said} said`).toBeLessThanOrEqual(budget);
    expect(reserved).toBeLessThanOrEqual(budget);
    expect(reserved).toBeGreaterThanOrEqual(said);
    // The trap: caution that leaves nothing of a budget that is large enough for all.
    if (megabytes >= 20) expect(indexes).toBe(3);
  });

  test.each([3, 10, 40])('full text within %d MB, too', async (megabytes) => {
    const budget = megabytes * 1024 * 1024;
    const { bytes, reserved, said, indexes } = await built(budget, searched, SEARCHES);
    expect(bytes, `${said} said, ${reserved} reserved`).toBeLessThanOrEqual(budget);
    expect(reserved).toBeLessThanOrEqual(budget);
    if (megabytes >= 40) expect(indexes).toBe(3);
  });
});
