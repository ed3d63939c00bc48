/**
 * How much memory a sort, a hash join, a hash aggregate or a tuple store that spilled really needs, per byte that it
 * wrote into temporary files: on each major, for rows of several widths, the least work_mem with which nothing is
 * written, beside what was written with less. What src/advise/settings/spill-memory.ts reckons with comes from here.
 */
import pg from 'pg';
import { availableMajors, startEmbedded } from '../src/embedded/index.ts';
import type { BenchmarkOptions, BenchmarkResult, Figure } from './benchmark.ts';

const ROWS = 100_000;
const MB = 1024 ** 2;
/** Searched to this precision, relative. */
const PRECISION = 1.05;

const TABLES = `
  CREATE TABLE r AS SELECT g AS id, (g::bigint * 7919) % 1000003 AS k, g % 10000 AS k10, g % 1000 AS k100, g::numeric / 7 AS n,
    md5(g::text) AS note, repeat(md5(g::text), 8) AS wide, repeat(md5(g::text), 40) AS very_wide
    FROM generate_series(1, ${ROWS}) g;
  ALTER TABLE r ALTER very_wide SET STORAGE plain;
  CREATE TABLE small AS SELECT id, k FROM r WHERE id % 10 = 0;
  ANALYZE r, small;
`;

interface Shape {
  kind: 'sort' | 'hash join' | 'hash aggregate' | 'tuple store';
  name: string;
  sql: string;
  /** Ways of the planner that are forbidden, so that it is this kind whatever the memory. */
  off: string[];
}

const JOIN = ['mergejoin', 'nestloop'];
const AGGREGATE = ['sort'];
const shapes: Shape[] = [
  ...['k', 'k, id', 'note', 'note, id', 'wide, id', 'very_wide, id'].map(
    (columns): Shape => ({
      kind: 'sort',
      name: columns,
      sql: `SELECT ${columns} FROM r ORDER BY ${columns.split(',')[0]} OFFSET ${ROWS - 1}`,
      off: [],
    }),
  ),
  { kind: 'sort', name: 'distinct in an aggregate', sql: 'SELECT count(DISTINCT k) FROM r', off: [] },
  ...['k', 'k, note', 'k, wide', 'k, very_wide'].map(
    (columns): Shape => ({
      kind: 'hash join',
      name: `${columns} with itself`,
      sql: `SELECT count(a.*), count(b.*) FROM (SELECT ${columns} FROM r OFFSET 0) a JOIN (SELECT ${columns} FROM r OFFSET 0) b USING (k)`,
      off: JOIN,
    }),
  ),
  {
    kind: 'hash join',
    name: 'k, note with a tenth outside',
    sql: 'SELECT count(b.note) FROM small LEFT JOIN (SELECT k, note FROM r OFFSET 0) b USING (k)',
    off: JOIN,
  },
  {
    kind: 'hash join',
    name: 'k with a wide outside',
    sql: 'SELECT count(a.wide) FROM (SELECT k, wide FROM r OFFSET 0) a LEFT JOIN (SELECT k FROM r OFFSET 0) b USING (k)',
    off: JOIN,
  },
  ...[
    ['k, a row a group', 'SELECT k FROM r GROUP BY k'],
    ['k, count', 'SELECT k, count(*) FROM r GROUP BY k'],
    ['k, avg(numeric)', 'SELECT k, avg(n) FROM r GROUP BY k'],
    ['note, count', 'SELECT note, count(*) FROM r GROUP BY note'],
    ['wide', 'SELECT DISTINCT wide FROM r'],
    ['very_wide', 'SELECT DISTINCT very_wide FROM r'],
    ['10 rows a group, count', 'SELECT k10, count(*) FROM r GROUP BY k10'],
    ['10 rows a group, avg(numeric)', 'SELECT k10, avg(n), avg(n + 1) FROM r GROUP BY k10'],
    ['10 rows a group, max(note)', 'SELECT k10, max(note) FROM r GROUP BY k10'],
    ['10 rows a group, array_agg', 'SELECT k10, array_agg(k) FROM r GROUP BY k10'],
    ['100 rows a group, max(wide)', 'SELECT k100, max(wide) FROM r GROUP BY k100'],
  ].map(
    ([name = '', sql = '']): Shape => ({
      kind: 'hash aggregate',
      name,
      // The whole row, so that no column is left out as unused.
      sql: `SELECT count(x.*) FROM (${sql} OFFSET 0) x`,
      off: AGGREGATE,
    }),
  ),
  ...['k', 'k, note', 'k, wide'].map(
    (columns): Shape => ({
      kind: 'tuple store',
      name: columns,
      sql: `WITH x AS MATERIALIZED (SELECT ${columns} FROM r) SELECT count(x.*) FROM x`,
      off: [],
    }),
  ),
];

interface Node {
  'Node Type': string;
  'Plan Width': number;
  'Temp Written Blocks': number;
  Plans?: Node[];
}

async function written(
  client: pg.Client,
  sql: string,
  workMem: number,
): Promise<{ bytes: number; root: Node }> {
  await client.query(`SET work_mem = ${Math.round(workMem / 1024)}`);
  const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) ${sql}`);
  const root = rows[0]['QUERY PLAN'][0].Plan as Node;
  return { bytes: root['Temp Written Blocks'] * 8192, root };
}

/** Width of the rows that the node of this kind holds. */
function widthOf(kind: Shape['kind'], node: Node): number | null {
  const type = node['Node Type'];
  if (kind === 'hash join' ? type === 'Hash' : kind === 'sort' ? type === 'Sort' : false)
    return node['Plan Width'];
  for (const child of node.Plans ?? []) {
    const found = widthOf(kind, child);
    if (found !== null) return found;
  }
  return null;
}

async function measure(client: pg.Client, shape: Shape) {
  for (const way of shape.off) await client.query(`SET enable_${way} = off`);
  let [low, high] = [64 * 1024, 1024 * MB];
  while (high / low > PRECISION) {
    const middle = Math.sqrt(low * high);
    if ((await written(client, shape.sql, middle)).bytes > 0) low = middle;
    else high = middle;
  }
  const rows = [];
  for (const share of [1 / 1.2, 1 / 2.2, 1 / 4.2, 1 / 16, 1 / 64]) {
    const present = Math.max(64 * 1024, high * share);
    const { bytes, root } = await written(client, shape.sql, present);
    rows.push({
      kind: shape.kind,
      shape: shape.name,
      width: widthOf(shape.kind, root),
      needed_mb: round(high / MB),
      work_mem_mb: round(present / MB),
      spilled_mb: round(bytes / MB),
      needed_per_byte: round(high / bytes),
      beyond_present_per_byte: round((high - present) / bytes),
    });
  }
  await client.query('RESET ALL');
  await client.query(BASE);
  return rows;
}

const BASE = 'SET max_parallel_workers_per_gather = 0; SET hash_mem_multiplier = 1; SET jit = off';
const round = (value: number) => Math.round(value * 100) / 100;

/** Prints each shape on each major; figures: per kind, the least and the most memory that a spilled byte stood for. */
export async function spillsBenchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const all = availableMajors().filter((major) => options.only?.includes(String(major)) ?? true);
  const rows: (Awaited<ReturnType<typeof measure>>[number] & { major: number })[] = [];
  for (const major of options.quick ? all.slice(-1) : all) {
    const server = await startEmbedded({
      major,
      name: 'bench-spills',
      light: 'disk',
      settings: { autovacuum: 'off' },
    });
    const client = new pg.Client({ connectionString: server.dsn() });
    try {
      await client.connect();
      await client.query(TABLES);
      await client.query(BASE);
      for (const shape of shapes) {
        for (const row of await measure(client, shape)) rows.push({ major, ...row });
      }
    } finally {
      await client.end();
      await server.stop('immediate');
    }
  }
  console.table(rows);
  const figures: Record<string, Figure> = {};
  for (const kind of new Set(rows.map((row) => row.kind))) {
    const ratios = rows.filter((row) => row.kind === kind).map((row) => row.needed_per_byte);
    const figure = (value: number): Figure => ({ value, unit: 'bytes per byte', aim: null, better: 'lower' });
    figures[`${kind}, least`] = figure(Math.min(...ratios));
    figures[`${kind}, most`] = figure(Math.max(...ratios));
  }
  return { figures, rows };
}
