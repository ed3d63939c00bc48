/**
 * Rows that a LIMIT finds late: what is not done yet in the order of age, and values that are left out and come first in
 * the order. What is advised is carried out on real servers, and what the statements then read is compared.
 */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { advisorCatalog } from '../../../src/advise/index-advisor/catalog.ts';
import { coveringIndex } from '../../../src/advise/index-advisor/covered.ts';
import { columnsSet, markLateRows } from '../../../src/advise/index-advisor/late-rows.ts';
import { prepareStatement } from '../../../src/advise/index-advisor/statement.ts';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { RecommendationDraft } from '../../../src/domain/index.ts';
import { usageCatalog } from '../../../src/workload/index.ts';
import { btree } from '../../support/definitions.ts';
import { testMajors, testServer } from '../../support/servers.ts';
import { contextOf, created, type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';
import { readBy, withIndexes } from './carried-out.ts';

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('PostgreSQL %i', (major) => {
  let planned: PlannedDatabase;
  let client: pg.Client;

  beforeAll(async () => {
    planned = await plannedDatabase(
      `
      CREATE TABLE outbox (id int PRIMARY KEY, published_at timestamptz, created_at timestamptz NOT NULL, payload text NOT NULL);
      INSERT INTO outbox SELECT g, CASE WHEN g <= 59700 THEN timestamptz '2024-01-01' + g * interval '1 minute' END,
        timestamptz '2024-01-01' + g * interval '1 minute', repeat('p', 150) FROM generate_series(1, 60000) g;
      CREATE TABLE hits (id int PRIMARY KEY, phrase text NOT NULL, price int, pad text);
      INSERT INTO hits SELECT g, CASE WHEN g % 8 = 0 THEN md5(g::text) ELSE '' END, CASE WHEN g % 5 > 0 THEN g % 5000 END,
        repeat('p', 150) FROM generate_series(1, 40000) g;
    `,
      await testServer({ major }),
    );
    client = new pg.Client({ connectionString: planned.database.dsn });
    await client.connect();
  }, 60_000);
  afterAll(async () => {
    await client?.end();
    await planned?.close();
  });

  const advise = async (sql: string): Promise<RecommendationDraft[]> =>
    (await rule.evaluate(await contextOf(planned.snapshot, { what_if: planned.whatIf, sql })))
      .recommendations;
  const NEXT =
    'SELECT id, payload FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT 50 FOR UPDATE SKIP LOCKED';
  const DONE = '-- calls: 500\nUPDATE outbox SET published_at = now() WHERE id = 59900;';

  test('what is not done yet has an index of its own, whatever there is on its order', async () => {
    const drafts = await advise(`-- calls: 500\n${NEXT};\n${DONE}`);
    expect(created(drafts)).toEqual(['public.outbox USING btree (id) WHERE published_at IS NULL']);
    const before = await readBy(client, NEXT);
    const after = await withIndexes(client, drafts, () => readBy(client, NEXT));
    expect(before.blocks).toBeGreaterThan(1000);
    expect(after.blocks).toBeLessThan(before.blocks / 10);
  });

  test('not where an index has what the condition is about among its keys', async () => {
    await planned.database.query('CREATE INDEX both_keys ON outbox (published_at, id)');
    try {
      const { indexes } = await planned.database.snapshot();
      const onOutbox = indexes.filter(({ table }) => table === 'outbox');
      const served = (columns: string[], where: string | null) =>
        coveringIndex(btree('outbox', columns, { where }), onOutbox)?.name ?? null;
      expect(served(['published_at'], 'published_at IS NULL')).toBe('both_keys');
      expect(served(['id'], 'published_at IS NULL')).toBeNull();
      expect(served(['id'], null)).toBe('outbox_pkey');
      expect(served(['id'], 'id > 5')).toBe('outbox_pkey');
    } finally {
      await planned.database.query('DROP INDEX both_keys');
    }
  });

  /** How many times more likely than of others its rows are taken to come last. */
  async function timesOf(sql: string, ...others: string[]): Promise<number> {
    const { workload } = await contextOf(planned.snapshot, {
      sql: [sql, ...others].map((one) => `${one};`).join('\n'),
    });
    const catalog = await usageCatalog(planned.snapshot);
    const [query] = workload.queries;
    if (!query) throw new Error('there is no statement');
    const statement = await prepareStatement(query, planned.snapshot, catalog);
    if ('code' in statement) throw new Error(statement.reason);
    const { tables } = advisorCatalog(planned.snapshot);
    await markLateRows(statement, await columnsSet(workload, catalog), { catalog, tables });
    return statement.samples[0]?.late_rows ?? 1;
  }

  test('what is not done yet is last in the order of age, and first against it', async () => {
    const page = (order: string, filter = 'published_at IS NULL') =>
      `SELECT payload FROM outbox WHERE ${filter} ORDER BY ${order} LIMIT 10`;
    expect(await timesOf(page('created_at'))).toBe(10);
    expect(await timesOf(page('created_at DESC'))).toBe(1);
    expect(await timesOf(page('created_at', 'published_at IS NOT NULL'))).toBe(1);
    // Statements write the table, and none of them sets the column.
    expect(await timesOf(page('created_at'), "UPDATE outbox SET payload = 'q' WHERE id = 4")).toBe(1);
  });

  test('a value that is left out comes first for certain where none is before it', async () => {
    const page = (filter: string, order: string) =>
      `SELECT pad FROM hits WHERE ${filter} ORDER BY ${order} LIMIT 10`;
    expect(await timesOf(page("phrase <> ''", 'phrase'))).toBe(20);
    expect(await timesOf(page("phrase <> ''", 'phrase DESC'))).toBe(1);
    expect(await timesOf(page("phrase <> ''", 'pad'))).toBe(1);
    expect(await timesOf(page("phrase <> '' AND phrase > 'a'", 'phrase'))).toBe(1);
    const share = (await timesOf(page("phrase <> '' AND pad = 'q'", 'phrase'))) / 20;
    expect(share).toBeGreaterThan(0.8);
    expect(share).toBeLessThan(0.95);
    // A fifth has no price: those come first against the order, and no value does.
    expect(await timesOf(page('price <> 7', 'price DESC'))).toBe(20);
    expect(await timesOf(page('price <> 7', 'price'))).toBe(1);
    expect(await timesOf(page('price <> 7', 'price DESC NULLS LAST'))).toBe(1);
  });

  test('an index on the order alone is none for it: one without the value is', async () => {
    const page = "SELECT phrase FROM hits WHERE phrase <> '' ORDER BY phrase LIMIT 10";
    const drafts = await advise(`-- calls: 500\n${page};`);
    expect(created(drafts)).toEqual([expect.stringMatching(/\(phrase\) WHERE phrase <> ''/)]);
    const before = await readBy(client, page);
    const after = await withIndexes(client, drafts, () => readBy(client, page));
    expect(after.blocks).toBeLessThan(before.blocks / 50);
  });
});
