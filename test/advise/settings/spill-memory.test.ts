/** What is reckoned for a spill ends it, and half of it does not, by the kind of node, on real servers. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reducePlan } from '../../../src/advise/plans/reduce.ts';
import { spillNeed } from '../../../src/advise/settings/spill-memory.ts';
import { KB, MB } from '../../../src/advise/settings/units.ts';
import type { PlanTree } from '../../../src/domain/index.ts';
import { testMajors, testServer } from '../../support/servers.ts';

const ROWS = 40_000;
const TABLE = `
  CREATE TABLE r AS SELECT g AS id, (g::bigint * 7919) % 1000003 AS k, md5(g::text) AS note, repeat(md5(g::text), 8) AS wide
    FROM generate_series(1, ${ROWS}) g;
  ANALYZE r;
`;
const JOIN = ['mergejoin', 'nestloop'];

const SHAPES: [kind: string, name: string, sql: string, off: string[], least: number][] = [
  ['a sort', 'narrow rows', `SELECT k, id FROM r ORDER BY k OFFSET ${ROWS - 1}`, [], 0.6],
  ['a sort', 'rows of a text', `SELECT note, id FROM r ORDER BY note OFFSET ${ROWS - 1}`, [], 0.6],
  ['a sort', 'wide rows', `SELECT wide, id FROM r ORDER BY id, wide DESC OFFSET ${ROWS - 1}`, [], 0.6],
  ['a store', 'narrow rows', 'WITH x AS MATERIALIZED (SELECT k FROM r) SELECT count(x.*) FROM x', [], 0.4],
  [
    'a store',
    'wide rows',
    'WITH x AS MATERIALIZED (SELECT k, wide FROM r) SELECT count(x.*) FROM x',
    [],
    0.4,
  ],
  [
    'a hash join',
    'alike on both sides',
    'SELECT count(a.*), count(b.*) FROM (SELECT k, note FROM r OFFSET 0) a JOIN (SELECT k, note FROM r OFFSET 0) b USING (k)',
    JOIN,
    0.3,
  ],
  [
    'a hash join',
    'a wide outside',
    'SELECT count(a.wide) FROM (SELECT k, wide FROM r OFFSET 0) a JOIN (SELECT k FROM r OFFSET 0) b USING (k)',
    JOIN,
    0.3,
  ],
  [
    'a hash aggregate',
    'a row a group',
    'SELECT count(x.*) FROM (SELECT note, count(*) FROM r GROUP BY 1 OFFSET 0) x',
    ['sort'],
    0.25,
  ],
  [
    'a hash aggregate',
    'wide keys',
    'SELECT count(x.*) FROM (SELECT DISTINCT wide FROM r OFFSET 0) x',
    ['sort'],
    0.25,
  ],
];

describe.each(testMajors)('PostgreSQL %i', (major) => {
  let client: pg.Client;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    const database = await (await testServer({ major })).createDatabase({ sql: TABLE });
    drop = database.drop;
    client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    await client.query('SET max_parallel_workers_per_gather = 0; SET jit = off');
  });
  afterAll(async () => {
    await client?.end();
    await drop?.();
  });

  async function run(sql: string, workMem: number): Promise<{ plan: PlanTree; spilled: number }> {
    await client.query(`SET work_mem = ${Math.round(workMem / KB)}`);
    const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) ${sql}`);
    const explained = rows[0]['QUERY PLAN'];
    return { plan: reducePlan(explained), spilled: explained[0].Plan['Temp Written Blocks'] * 8192 };
  }

  test.each(SHAPES)('%s of %s', async (kind, _, sql, off, least) => {
    for (const way of off) await client.query(`SET enable_${way} = off`);
    const multiplier = off.length > 0 ? 1.5 : 1;
    await client.query(`SET hash_mem_multiplier = ${multiplier}`);
    try {
      const present = 512 * KB;
      const { plan, spilled } = await run(sql, present);
      expect(spilled).toBeGreaterThan(0.5 * MB);
      const server = { major, work_mem: present, hash_mem_multiplier: multiplier };
      const { bytes, formula } = spillNeed(spilled, plan, server);
      expect(formula).toContain(`written by ${kind}`);
      expect((await run(sql, bytes)).spilled).toBe(0);
      // In whole MB: what is left of it is not so much more than is needed.
      expect((await run(sql, least * (bytes - MB))).spilled).toBeGreaterThan(0);
    } finally {
      for (const way of off) await client.query(`RESET enable_${way}`);
    }
  });
});

test('of several kinds the one that needs most; twice what was written where no kind is known', () => {
  const node = (node_type: string, width: number, children: PlanTree[] = []): PlanTree => ({
    node_type,
    startup_cost: 0,
    total_cost: 1,
    rows: 1000,
    width,
    details: [],
    children,
  });
  const server = { major: 18, work_mem: 4 * MB, hash_mem_multiplier: 2 };
  const need = (plan: PlanTree | null) => spillNeed(100 * MB, plan, server);
  expect(need(null).bytes).toBe(200 * MB);
  expect(need(node('Limit', 8, [node('Seq Scan', 8)])).bytes).toBe(200 * MB);
  const wide = node('Sort', 1000);
  const narrow = node('Sort', 8, [wide]);
  expect(need(wide).bytes).toBeLessThan(115 * MB);
  expect(need(narrow)).toEqual(need(node('Sort', 8)));
  // 300 MB in runs of 4 MB are merged twice, in runs of 64 MB once.
  expect(need(narrow).formula).toContain('in 2 passes ÷ 2');
  expect(spillNeed(100 * MB, narrow, { ...server, work_mem: 64 * MB }).bytes).toBeGreaterThan(300 * MB);
  const hashed = { ...node('Aggregate', 8, [node('Seq Scan', 8)]), strategy: 'Hashed' };
  // 10 MB and 200 MB, in two portions of work_mem.
  expect(need(hashed).bytes).toBe(105 * MB);
  expect(need(node('Hash Join', 8, [node('Seq Scan', 1000), node('Hash', 8)])).bytes).toBeLessThan(10 * MB);
});
