/**
 * What plans risk that count on a LIMIT: on real servers, through the twin. The shares that pass are decided by
 * arithmetic on the id, and ANALYZE reads all rows: a twentieth of the rows is deleted, a fifth is open.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IndexDefinition, PlanCost, WhatIf } from '../../src/domain/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { type SampleDatabase, sampleDatabase, vacuumAll } from '../advise/rules/index/context.ts';
import { btree } from '../support/definitions.ts';
import { testMajors, testServer } from '../support/servers.ts';

const ITEM = `id int PRIMARY KEY, tenant int NOT NULL, state text NOT NULL, deleted_at date, customer int NOT NULL, place int NOT NULL, pad text`;
const ROWS = `SELECT g, g / 5 % 30, CASE WHEN g % 5 = 0 THEN 'open' ELSE 'done' END,
  CASE WHEN g % 20 = 1 THEN date '2024-01-01' END, 1 + g % 600, g::int8 * 7919 % 30011, repeat('p', 80) FROM generate_series(1, 30000) g`;

const index = (table: string, columns: string[], where: string | null = null) =>
  btree(table, columns, { schema: table === 'part' ? 'shop' : 'Odd "shop"', where });
const size = { pages: 90, tuples: 30_000, tree_height: 1 };

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('PostgreSQL %i', (major) => {
  let database: SampleDatabase;
  let whatIf: WhatIf;
  const handles = new Map<string, string>();

  beforeAll(async () => {
    const server = await testServer({ major });
    database = await sampleDatabase(
      `
      CREATE SCHEMA "Odd ""shop"""; CREATE SCHEMA shop;
      CREATE TABLE "Odd ""shop"""."Item" (${ITEM}); INSERT INTO "Odd ""shop"""."Item" ${ROWS};
      -- Of the same name, and nothing like it.
      CREATE TABLE shop."Item" (state text, deleted_at date); INSERT INTO shop."Item" VALUES ('done', now());
      CREATE TABLE "Odd ""shop""".customer (id int PRIMARY KEY, country text NOT NULL, pad text);
      INSERT INTO "Odd ""shop""".customer SELECT g, CASE WHEN g % 10 = 0 THEN 'far' ELSE 'near' END, repeat('c', 200) FROM generate_series(1, 600) g;
      CREATE TABLE shop.part (${ITEM}) PARTITION BY RANGE (id);
      CREATE TABLE shop.part_a PARTITION OF shop.part FOR VALUES FROM (0) TO (20001);
      CREATE TABLE "Odd ""shop""".part_b PARTITION OF shop.part FOR VALUES FROM (20001) TO (40000);
      INSERT INTO shop.part ${ROWS};
    `,
      server,
    );
    await vacuumAll(database);
    whatIf = await openTwin(await database.snapshot());
    const wanted: [string, IndexDefinition][] = [
      ['place', index('Item', ['place'])],
      ['tenant', index('Item', ['tenant', 'place'])],
      ['open', index('Item', ['place'], "state = 'open'")],
      ['part', index('part', ['place'])],
    ];
    for (const [name, definition] of wanted)
      handles.set(
        name,
        await whatIf.addIndex(definition, { ...size, tuples: name === 'open' ? 6000 : 30_000 }),
      );
  }, 120_000);
  afterAll(async () => {
    await whatIf?.close();
    await database?.close();
  });

  const FORCED = {
    enable_seqscan: 'off',
    enable_sort: 'off',
    enable_bitmapscan: 'off',
    enable_hashjoin: 'off',
    enable_mergejoin: 'off',
  };
  async function asked(
    name: string,
    sql: string,
    settings: Record<string, string> = {},
  ): Promise<PlanCost & { share: number }> {
    const created = [handles.get(name) ?? ''];
    const statement = { id: 's', query_id: 's', sql, weight: 1 };
    const [cost] = await whatIf.costs({ created, hidden: [], settings: { ...FORCED, ...settings } }, [
      statement,
    ]);
    if (!cost?.indexes.includes(created[0] ?? ''))
      throw new Error(`${name} is not used: ${cost?.error ?? sql}`);
    return { ...cost, share: cost.early_end_risk / (cost.early_end_rest || 1) };
  }
  const item = '"Odd ""shop"""."Item"';
  const page = (filter: string, from = item) =>
    `SELECT * FROM ${from} WHERE ${filter} ORDER BY place LIMIT 10`;

  it('no more than the share that a filter drops is read in vain, whatever the index’s condition left before', async () => {
    expect((await asked('place', page('deleted_at IS NULL'))).share).toBeCloseTo(0.05, 2);
    expect((await asked('place', page("state = 'open'"))).share).toBeCloseTo(0.8, 2);
    expect((await asked('tenant', page('tenant = 7 AND deleted_at IS NULL'))).share).toBeCloseTo(0.05, 2);
    expect(
      (await asked('tenant', page("t.tenant = 7 AND t.state = 'open'", `${item} AS t`))).share,
    ).toBeCloseTo(0.8, 2);
    expect((await asked('open', page("state = 'open' AND deleted_at IS NULL"))).share).toBeCloseTo(0.05, 2);
    expect((await asked('place', page('true'))).early_end_rest).toBe(0);
  });

  it('a filter that repeats the predicate of a partial index, for rows are locked, drops none of that index’s', async () => {
    const locked = (filter: string, from = item) => `${page(filter, from)} FOR UPDATE SKIP LOCKED`;
    expect((await asked('open', locked("state = 'open'"))).share).toBeCloseTo(0, 2);
    expect(
      (await asked('open', locked("t.state = 'open' AND t.deleted_at IS NULL", `${item} AS t`))).share,
    ).toBeCloseTo(0.05, 2);
    expect((await asked('place', locked("state = 'open'"))).share).toBeCloseTo(0.8, 1);
    const next = `UPDATE ${item} SET pad = 'q' WHERE id = (SELECT id FROM ${item} WHERE state = 'open' ORDER BY place LIMIT 1 FOR UPDATE SKIP LOCKED)`;
    expect((await asked('open', next)).share).toBeCloseTo(0, 2);
    // The subquery locks nothing: its filter has the predicate left out.
    const plain = `DELETE FROM ${item} WHERE id = (SELECT id FROM ${item} WHERE state = 'open' AND deleted_at IS NULL ORDER BY place LIMIT 1)`;
    expect((await asked('open', plain)).share).toBeCloseTo(0.05, 2);
  });

  it('what it can be at worst is what the planner would say of the rows that are read then', async () => {
    const { cost, early_end_risk } = await asked('place', page("state = 'open'"));
    // All rows that do not pass, and ten more.
    const worst = await asked('place', `SELECT * FROM ${item} ORDER BY place LIMIT ${24_000 + 10}`);
    expect(((cost ?? 0) + early_end_risk) / (worst.cost ?? 0)).toBeCloseTo(1, 1);
  });

  it('a filter that is no statement by itself: the rows that pass, of all of the table', async () => {
    const inList = `customer IN (SELECT id FROM "Odd ""shop""".customer WHERE country = 'far')`;
    const hashed = await asked('place', page(`(deleted_at IS NULL OR ${inList})`), {
      enable_material: 'off',
    });
    expect(hashed.early_end_rest).toBeGreaterThan(1000);
    expect(hashed.share).toBeGreaterThan(0);
    expect(hashed.share).toBeLessThan(0.1);
  });

  it('of partitions each one’s', async () => {
    expect((await asked('part', page('deleted_at IS NULL', 'shop.part'))).share).toBeCloseTo(0.05, 2);
    expect((await asked('part', page("state = 'open'", 'shop.part'))).share).toBeCloseTo(0.8, 1);
  });

  it('of a loop the rows that find no partner, and the filter of the outer side', async () => {
    const joined = (filter: string) =>
      `SELECT * FROM ${item} i JOIN "Odd ""shop""".customer c ON c.id = i.customer WHERE ${filter} ORDER BY i.place LIMIT 10`;
    const some = { enable_memoize: 'off', enable_material: 'off' };
    expect((await asked('place', joined("c.country = 'far'"), some)).share).toBeCloseTo(0.9, 1);
    expect((await asked('place', joined("c.country = 'near'"), some)).share).toBeCloseTo(0.1, 1);
    expect((await asked('place', joined('true'), some)).share).toBeLessThan(0.01);
    const both = await asked('place', joined("c.country = 'near' AND i.state = 'open'"), some);
    expect(both.share).toBeGreaterThan(0.3);
    expect(both.share).toBeLessThan(0.9);
  });

  it('of workers that share a scan, and beneath an incremental sort', async () => {
    const parallel = {
      parallel_setup_cost: '0',
      parallel_tuple_cost: '0',
      cpu_tuple_cost: '1',
      max_parallel_workers_per_gather: '2',
      min_parallel_table_scan_size: '0',
      min_parallel_index_scan_size: '0',
    };
    const statement = {
      id: 's',
      query_id: 's',
      sql: page('deleted_at IS NULL').replace('10', '9000'),
      weight: 1,
    };
    const configuration = {
      created: [handles.get('place') ?? ''],
      hidden: [],
      settings: { ...FORCED, ...parallel },
    };
    expect(JSON.stringify(await whatIf.explain(configuration, statement))).toContain('Gather Merge');
    expect((await asked('place', statement.sql, parallel)).share).toBeCloseTo(0.05, 1);
    const sorted = page("state = 'open'").replace('place', 'place, pad');
    expect((await asked('place', sorted, { enable_sort: 'on' })).share).toBeGreaterThan(0.5);
  });

  const costOf = async (
    sql: string,
    settings: Record<string, string>,
    name = 'tenant',
  ): Promise<PlanCost> => {
    const created = [handles.get(name) ?? ''];
    const statement = { id: 's', query_id: 's', sql, weight: 1 };
    const [cost] = await whatIf.costs({ created, hidden: [], settings }, [statement]);
    if (cost?.cost == null) throw new Error(`no plan: ${cost?.error}`);
    return cost;
  };
  const customers = '"Odd ""shop""".customer c';
  const first = (tenant: string) =>
    `SELECT i.place FROM ${item} i WHERE i.tenant = ${tenant} AND i.state = 'open' ORDER BY i.place LIMIT 1`;
  const BY_KEY = { ...FORCED, enable_seqscan: 'on', enable_memoize: 'off', enable_material: 'off' };

  it.each([
    ['LATERAL', `SELECT * FROM ${customers}, LATERAL (${first('c.id % 30')}) x`, 600],
    [
      'LATERAL that a LIMIT ends',
      `SELECT * FROM ${customers}, LATERAL (${first('c.id % 30')}) x LIMIT 60`,
      60,
    ],
    ['a subquery of each row', `SELECT id, (${first('c.id % 30')}) FROM ${customers}`, 600],
    [
      'a subquery of each row that a LIMIT ends',
      `SELECT id, (${first('c.id % 30')}) FROM ${customers} LIMIT 60`,
      60,
    ],
    ['a subquery in the condition', `SELECT id FROM ${customers} WHERE (${first('c.id % 30')}) < 100`, 600],
    ['a subquery that is run once', `SELECT id, (${first('7')}) FROM ${customers}`, 1],
  ])('%s risks it as often as it is run', async (_, sql, times) => {
    const once = await costOf(first('7'), BY_KEY);
    expect(once.early_end_risk).toBeGreaterThan(0);
    const all = await costOf(sql, BY_KEY);
    expect(all.early_end_risk / once.early_end_risk / times).toBeCloseTo(1, 1);
    expect(all.early_end_rest / once.early_end_rest / times).toBeCloseTo(1, 1);
  });

  it('what is kept from one outer row to the next is read once', async () => {
    const kept = { ...BY_KEY, enable_memoize: 'on' };
    // Thirty tenants, of which the planner knows, for the column is one of the statistics.
    const sql = `SELECT * FROM (SELECT tenant FROM ${item} LIMIT 600) t, LATERAL (${first('t.tenant')}) x`;
    const [without, withIt] = [await costOf(sql, BY_KEY), await costOf(sql, kept)];
    const configuration = { created: [handles.get('tenant') ?? ''], hidden: [], settings: kept };
    const plan = await whatIf.explain(configuration, { id: 's', query_id: 's', sql, weight: 1 });
    expect(JSON.stringify(plan)).toContain('Memoize');
    expect(withIt.early_end_risk).toBeLessThan(without.early_end_risk / 5);
  });

  it('without an order a scan of the table hopes as much', async () => {
    const share = async (sql: string, settings: Record<string, string>) => {
      const { early_end_risk, early_end_rest } = await costOf(sql, settings, 'part');
      return early_end_risk / (early_end_rest || 1);
    };
    const plain = { enable_indexscan: 'off', enable_bitmapscan: 'off' };
    const first = (filter: string, many = '10') => `SELECT * FROM shop.part_a WHERE ${filter} LIMIT ${many}`;
    expect(await share(first("state = 'open'"), plain)).toBeCloseTo(0.8, 2);
    expect(await share(first('deleted_at IS NULL'), plain)).toBeCloseTo(0.05, 2);
    expect(await share(first('true'), plain)).toBe(0);
    // Sorted before, all of it is read anyway.
    expect(await share(first("state = 'open' ORDER BY pad"), plain)).toBe(0);
    // The number of rows out of a plan of its own, which stands before what is read.
    expect(await share(first("state = 'open'", '(SELECT 10)'), plain)).toBeCloseTo(0.8, 2);
    const bitmap = { enable_indexscan: 'off', enable_seqscan: 'off' };
    expect(await share(first("place < 3000 AND state = 'open'"), bitmap)).toBeCloseTo(0.8, 2);
    const hashed = { ...plain, enable_nestloop: 'off', enable_mergejoin: 'off' };
    const joined = (filter: string) =>
      `SELECT * FROM shop.part_a i JOIN ${customers} ON c.id = i.customer WHERE ${filter} LIMIT 10`;
    expect(await share(joined("i.state = 'open'"), hashed)).toBeGreaterThan(0.5);
    expect(await share(joined("c.country = 'far'"), hashed)).toBeCloseTo(0.9, 1);
    expect(await share(joined('true'), hashed)).toBeLessThan(0.01);
    // Two tables of one name: which is read is not told, and nothing is charged.
    expect(await share(`SELECT * FROM ${item} WHERE state = 'open' LIMIT 10`, plain)).toBe(0);
  });

  it('asks what a filter passes once', async () => {
    const sql = page("deleted_at IS NULL AND pad <> 'once'");
    const questions = async () => {
      const before = whatIf.questions;
      await asked('place', sql);
      return whatIf.questions - before;
    };
    expect(await questions()).toBe(2);
    expect(await questions()).toBe(1);
  });
});
