import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { comparePlans } from '../../../src/advise/plans/compare.ts';
import { reducePlan } from '../../../src/advise/plans/reduce.ts';
import type { PlanTree } from '../../../src/domain/index.ts';
import { ofOwnTables } from '../../support/own-tables.ts';
import { testServer } from '../../support/servers.ts';
import { indexes, majors, schema, statements } from './shop.ts';

/**
 * What must be said of a statement once the indexes are there; the cost is said of each. None of them depends on how
 * much VACUUM could mark as visible to all, which other tests on the same server may hold back.
 */
const said: Readonly<Record<string, string[]>> = {
  equality: [
    'orders: Parallel Seq Scan → Bitmap Heap Scan using orders_customer_id_idx',
    'parallel work: Gather, 2 workers gone',
  ],
  bitmap_or: ['orders: Parallel Seq Scan → Bitmap Heap Scan using orders_customer_id_idx, orders_total_idx'],
  newest: [
    'orders: Parallel Seq Scan → Index Scan Backward using orders_created_at_idx',
    'sort by created_at DESC: Sort gone',
    'parallel work: Gather Merge, 2 workers gone',
  ],
  half_ordered: ['sort by created_at, pad: Sort → Incremental Sort (presorted: created_at)'],
  minimum: ['aggregate: Aggregate gone', 'Limit added'],
  three: [
    'lines l: Parallel Seq Scan → Index Scan using lines_order_id_idx',
    'c, l, o: Hash Join (inner: c, o) → Nested Loop (inner: l)',
  ],
  self_join: ['orders b: Index Scan using orders_pkey → Bitmap Heap Scan using orders_customer_id_idx'],
  anti: ['c, o: Hash Anti Join (inner: o) → Nested Loop Anti Join (inner: o)'],
  correlated: ['orders o: Seq Scan → Bitmap Heap Scan using orders_customer_id_idx'],
  init_plan: ['parallel work: 2 × Gather, 2 workers → Gather, 2 workers'],
  cte: ['orders: Parallel Seq Scan → Index Scan using orders_created_at_idx'],
  grouped_ordered: ['sort by created_at: Sort gone'],
  union_all: [
    'orders: Parallel Seq Scan → Bitmap Heap Scan using orders_customer_id_idx',
    'orders orders_1: Parallel Seq Scan → Bitmap Heap Scan using orders_total_idx',
  ],
  partitions: ['events (12 partitions): Parallel Seq Scan → Bitmap Heap Scan using 12 indexes'],
  memoized: ['Memoize added', 'l, o: Hash Join (inner: o) → Nested Loop (inner: o)'],
  update: ['orders: Seq Scan → Bitmap Heap Scan using orders_customer_id_idx'],
  update_partitions: ['events (12 partitions): Seq Scan → Bitmap Heap Scan using 12 indexes'],
};
/** No index is of use to these: the plan stays as it is. */
const untouched = ['one_row', 'constant', 'tid', 'false_filter', 'full_join', 'cube', 'quoted'];

describe.each(majors)('PostgreSQL %i', (major) => {
  let client: pg.Client;
  let drop: () => Promise<void>;
  const before = new Map<string, PlanTree>();
  const planOf = async (sql: string): Promise<PlanTree> =>
    reducePlan((await client.query(`EXPLAIN (FORMAT JSON) ${sql}`)).rows[0]['QUERY PLAN']);

  beforeAll(async () => {
    const server = await testServer({ major });
    const database = await server.createDatabase({ sql: schema });
    drop = () => database.drop();
    client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    await client.query(await ofOwnTables(client, 'VACUUM ANALYZE'));
    await client.query(
      'SET parallel_setup_cost = 10; SET parallel_tuple_cost = 0.01; SET min_parallel_table_scan_size = 0',
    );
    for (const [name, sql] of Object.entries(statements)) before.set(name, await planOf(sql));
    await client.query(indexes);
  });

  afterAll(async () => {
    await client?.end();
    await drop?.();
  });

  test('says what changed, the cost last', async () => {
    for (const [name, expected] of Object.entries(said)) {
      const [was, is] = [before.get(name) as PlanTree, await planOf(statements[name] ?? '')];
      const changes = comparePlans(was, is);
      expect
        .soft(
          changes.map(({ text }) => text),
          name,
        )
        .toEqual(expect.arrayContaining(expected));
      expect.soft(changes.at(-1)?.kind, name).toBe('cost');
    }
  });

  test('says nothing of plans that are the same', async () => {
    for (const name of untouched) {
      const [was, is] = [before.get(name) as PlanTree, await planOf(statements[name] ?? '')];
      expect.soft(comparePlans(was, is), name).toEqual([]);
    }
  });

  test('whatever differs in the trees is said, at least by its cost', async () => {
    for (const [name, sql] of Object.entries(statements)) {
      const [was, is] = [before.get(name) as PlanTree, await planOf(sql)];
      if (JSON.stringify(was) !== JSON.stringify(is))
        expect.soft(comparePlans(was, is), name).not.toEqual([]);
    }
  });

  test('an estimate that statistics change is said', async () => {
    const sql = 'SELECT * FROM orders WHERE total + customer_id = 5';
    const was = await planOf(sql);
    await client.query('CREATE INDEX ON orders ((total + customer_id)); ANALYZE orders');
    await client.query(
      'SET enable_indexscan = off; SET enable_bitmapscan = off; SET max_parallel_workers_per_gather = 0',
    );
    const unshared = await planOf(sql);
    await client.query(
      'RESET enable_indexscan; RESET enable_bitmapscan; RESET max_parallel_workers_per_gather',
    );
    expect(comparePlans(was, await planOf(sql)).map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^rows of the result: 200 → \d+$/),
    );
    await client.query('DROP INDEX orders_expr_idx; SET max_parallel_workers_per_gather = 0');
    expect(comparePlans(await planOf(sql), unshared).map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^rows of orders: 200 → \d+$/),
    );
  });

  test('a setting that changes how joins and groups are made', async () => {
    const sql =
      'SELECT c.city, count(*) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.city';
    await client.query('SET max_parallel_workers_per_gather = 0');
    const was = await planOf(sql);
    await client.query('SET enable_hashjoin = off; SET enable_hashagg = off; SET enable_nestloop = off');
    const texts = comparePlans(was, await planOf(sql)).map(({ text }) => text);
    expect(texts).toContainEqual(
      expect.stringMatching(/^c, o: Hash Join \(inner: c\) → Merge Join \(inner: [co]\)$/),
    );
    expect(texts).toContain('group by c.city: HashAggregate → GroupAggregate');
    await client.query('RESET enable_hashjoin; RESET enable_hashagg; RESET enable_nestloop');
    const three = `SELECT * FROM customers c, orders o, lines l WHERE o.customer_id = c.id AND l.order_id = o.id AND l.product = 5`;
    const order = await planOf(three);
    await client.query('SET join_collapse_limit = 1');
    const forced = await planOf(
      'SELECT * FROM (customers c JOIN orders o ON o.customer_id = c.id) JOIN lines l ON l.order_id = o.id WHERE l.product = 5',
    );
    expect(comparePlans(order, forced).map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^join order: .* ⋈ .* → .* ⋈ /),
    );
    await client.query('RESET join_collapse_limit');
  });
});
