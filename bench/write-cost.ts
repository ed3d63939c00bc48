/**
 * What one more index costs a write, by kind of index: µs and WAL bytes an entry, and both in the planner's units, by
 * what a page of a sequential scan takes on the same server. The constants of write-cost.ts come from here. Tables of
 * one statement's rows are in memory, so that this is the work itself; page reads are reckoned by size.
 */
import pg from 'pg';
import { startEmbedded } from '../src/embedded/index.ts';
import type { BenchmarkOptions, BenchmarkResult } from './benchmark.ts';

interface Kind {
  name: string;
  index: string | null;
  extensions?: string[];
}

/** `t` has the columns that the kinds need; values follow the row's number `g`. */
const KINDS: Kind[] = [
  { name: 'none', index: null },
  { name: 'btree, appended', index: 'USING btree (at)' },
  { name: 'btree, random bigint', index: 'USING btree (random)' },
  { name: 'btree, few values', index: 'USING btree (state)' },
  { name: 'btree, random text', index: 'USING btree (code)' },
  { name: 'hash, random text', index: 'USING hash (code)' },
  { name: 'brin', index: 'USING brin (at) WITH (pages_per_range = 32)' },
  { name: 'gin, array of 5', index: 'USING gin (tags)' },
  { name: 'gin, jsonb of 3', index: 'USING gin (meta jsonb_path_ops)' },
  { name: 'gin, trigrams of 32', index: 'USING gin (code gin_trgm_ops)', extensions: ['pg_trgm'] },
  { name: 'gist, range', index: 'USING gist (during)' },
];

const TABLE = `CREATE TABLE t (id bigint, at timestamptz, random bigint, state text, code text, tags text[],
  meta jsonb, during int8range, counter int) WITH (fillfactor = 50, autovacuum_enabled = off)`;
const rowsFrom = (first: number, count: number) =>
  `INSERT INTO t SELECT g, timestamptz '2026-01-01' + g * interval '1 second', hashint8extended(g, 1),
     (ARRAY['new', 'open', 'done'])[1 + g % 3], md5(g::text),
     ARRAY['t' || g % 997, 't' || g % 499, 't' || g % 251, 't' || g % 127, 't' || g % 61],
     jsonb_build_object('a', g % 997, 'b', g % 499, 'c', g % 61), int8range(h, h + 100), 0
   FROM (SELECT g, abs(hashint8extended(g, 2) % 1000000) AS h FROM generate_series(${first}, ${first + count - 1}) g) x`;

async function timed(client: pg.Client, sql: string): Promise<{ us: number; wal: number }> {
  await client.query('CHECKPOINT');
  const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn() AS lsn');
  const started = performance.now();
  await client.query(sql);
  const us = (performance.now() - started) * 1000;
  const after = await client.query<{ bytes: string }>(
    'SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1) AS bytes',
    [rows[0]?.lsn],
  );
  return { us, wal: Number(after.rows[0]?.bytes) };
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** µs that one unit of the planner's cost takes: a sequential scan of a cached table, by its own estimate. */
async function microsecondsPerUnit(client: pg.Client): Promise<number> {
  const sql = 'SELECT count(*) FROM t';
  const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${sql}`);
  const cost = rows[0]['QUERY PLAN'][0].Plan['Total Cost'] as number;
  const times: number[] = [];
  for (let run = 0; run < 7; run += 1) {
    const started = performance.now();
    await client.query(sql);
    times.push((performance.now() - started) * 1000);
  }
  return median(times) / cost;
}

export async function writeCostBenchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  const [base, batch, rounds] = quick ? [50_000, 10_000, 3] : [200_000, 40_000, 5];
  const server = await startEmbedded({
    name: 'bench-write-cost',
    // Full-page images depend on the time between checkpoints, not on the index: left out, as work of the checkpoint.
    settings: {
      shared_buffers: '512MB',
      max_parallel_workers_per_gather: '0',
      full_page_writes: 'off',
      autovacuum: 'off',
      jit: 'off',
    },
  });
  const rows: Record<string, number | string>[] = [];
  try {
    const client = new pg.Client({ connectionString: server.dsn('postgres') });
    await client.connect();
    let unit = 0;
    let bare = { insert: 0, wal: 0, update: 0, updateWal: 0 };
    for (const kind of KINDS) {
      await client.query('DROP TABLE IF EXISTS t');
      for (const extension of kind.extensions ?? []) {
        await client.query(`CREATE EXTENSION IF NOT EXISTS ${extension}`);
      }
      await client.query(TABLE);
      await client.query(rowsFrom(1, base));
      await client.query('VACUUM ANALYZE t');
      if (kind.index === null) unit = await microsecondsPerUnit(client);
      else await client.query(`CREATE INDEX i ON t ${kind.index}`);
      const inserts: { us: number; wal: number }[] = [];
      for (let round = 0; round < rounds; round += 1) {
        inserts.push(await timed(client, rowsFrom(base + 1 + round * batch, batch)));
        await client.query('VACUUM t');
      }
      // Sets a column of no index: heap-only, as there is room on the page.
      const update = await timed(client, `UPDATE t SET counter = counter + 1 WHERE id <= ${batch}`);
      const insert = { us: median(inserts.map((one) => one.us)), wal: median(inserts.map((one) => one.wal)) };
      if (kind.index === null) {
        bare = { insert: insert.us, wal: insert.wal, update: update.us, updateWal: update.wal };
      }
      const us = (insert.us - bare.insert) / batch;
      rows.push({
        kind: kind.name,
        insert_us: Number((kind.index === null ? insert.us / batch : us).toFixed(2)),
        wal_bytes: Math.round((kind.index === null ? insert.wal : insert.wal - bare.wal) / batch),
        cost_units: Number(((kind.index === null ? insert.us / batch : us) / unit).toFixed(3)),
        hot_update_us: Number((update.us / batch).toFixed(2)),
      });
    }
    // An index on the column that is set ends heap-only updates: every index gets an entry then.
    for (const others of [0, 3]) {
      const seen: number[] = [];
      for (const end of ['', 'CREATE INDEX ON t (counter)']) {
        await client.query('DROP TABLE IF EXISTS t');
        await client.query(TABLE);
        await client.query(rowsFrom(1, base));
        for (let n = 0; n < others; n += 1) await client.query(`CREATE INDEX ON t (random, (${n}))`);
        if (end !== '') await client.query(end);
        await client.query('VACUUM ANALYZE t');
        const times: number[] = [];
        for (let round = 0; round < rounds; round += 1) {
          times.push((await timed(client, `UPDATE t SET counter = id WHERE id <= ${batch}`)).us);
          await client.query('VACUUM t');
          await client.query(`UPDATE t SET counter = -id WHERE id <= ${batch}`);
          await client.query('VACUUM t');
        }
        seen.push(median(times) / batch);
      }
      const [hot = 0, ended = 0] = seen;
      rows.push({
        kind: `HOT ended, ${others} other indexes`,
        insert_us: Number((ended - hot).toFixed(2)),
        cost_units: Number(((ended - hot) / unit).toFixed(3)),
        hot_update_us: Number(hot.toFixed(2)),
      });
    }
    await client.end();
    console.log(`one unit of planner cost: ${unit.toFixed(2)} µs`);
  } finally {
    await server.stop('immediate');
  }
  console.table(rows);
  const value = (kind: string) => Number(rows.find((row) => row.kind === kind)?.cost_units ?? 0);
  return {
    rows,
    figures: {
      write_cost_btree_appended: {
        value: value('btree, appended'),
        unit: 'cost',
        aim: null,
        better: 'lower',
      },
      write_cost_brin: { value: value('brin'), unit: 'cost', aim: null, better: 'lower' },
    },
  };
}
