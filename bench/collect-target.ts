/** The target of bench/collect: many tables, indexes and statements, and a load that is spread over them as in life. */
import pg from 'pg';
import { type EmbeddedServer, startEmbedded } from '../src/embedded/index.ts';

export const TABLES = 2000;
const INDEXES_PER_TABLE = 5;
export const STATEMENTS = 5000;
/** Calls in a minute: 200 a second. */
export const CALLS_PER_MINUTE = 12_000;

/** Five shapes a table; two and a half of them are used, so that there are 5,000 statements. */
function statement(number: number): { text: string; values: number[] } {
  const table = `t${number % TABLES}`;
  const shapes = [
    `SELECT b, c FROM ${table} WHERE a = $1`,
    `UPDATE ${table} SET c = c + 1 WHERE id = $1`,
    `SELECT count(*) FROM ${table} WHERE b BETWEEN $1 AND 1000`,
  ];
  return { text: shapes[Math.floor(number / TABLES)] ?? shapes[0] ?? '', values: [number % 97] };
}

/** Mulberry32: the same load in every run. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Ranks by Zipf's law (exponent 1): the r-th most frequent statement is called 1/r as often as the first. */
function zipf(size: number, random: () => number): () => number {
  const cumulated: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= size; rank += 1) {
    sum += 1 / rank;
    cumulated.push(sum);
  }
  return () => {
    const wanted = random() * sum;
    let [low, high] = [0, size - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cumulated[middle] ?? 0) < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

export interface BenchTarget {
  server: EmbeddedServer;
  dsn: string;
  /** Runs so many calls over a few connections. */
  load(calls: number): Promise<void>;
  /** Calls over a few connections for so long; how many there were. */
  loadFor(milliseconds: number): Promise<number>;
  stop(): Promise<void>;
}

export async function startBenchTarget(): Promise<BenchTarget> {
  const server = await startEmbedded({
    name: 'bench-collect',
    settings: {
      shared_preload_libraries: 'pg_stat_statements',
      'pg_stat_statements.max': '10000',
      track_io_timing: 'on',
      shared_buffers: '256MB',
      max_locks_per_transaction: '256',
    },
  });
  const dsn = server.dsn('postgres');
  const pool = new pg.Pool({ connectionString: dsn, max: 2 });
  await pool.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  for (let first = 0; first < TABLES; first += 200) {
    await pool.query(`DO $$ BEGIN FOR i IN ${first}..${Math.min(first + 200, TABLES) - 1} LOOP
      EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a int, b int, c int, d text)', i);
      EXECUTE format('INSERT INTO t%s SELECT g, g %% 97, g %% 13, 0, ''row '' || g FROM generate_series(1, 100) g', i);
      EXECUTE format('CREATE INDEX ON t%s (a)', i);
      EXECUTE format('CREATE INDEX ON t%s (b, a) INCLUDE (d)', i);
      EXECUTE format('CREATE INDEX ON t%s (lower(d))', i);
      EXECUTE format('CREATE INDEX ON t%s (b) WHERE a > 5', i);
    END LOOP; END $$`);
  }
  await pool.query('ANALYZE');
  await pool.query('SELECT pg_stat_statements_reset()');
  const pick = zipf(STATEMENTS, randomNumbers(1));
  const one = () => {
    const { text, values } = statement(pick());
    return pool.query(text, values);
  };
  const workers = (work: () => Promise<void>) => Promise.all([work(), work()]);
  // Each once, so that all are counted.
  for (let number = 0; number < STATEMENTS; number += 1) {
    const { text, values } = statement(number);
    await pool.query(text, values);
  }
  const [row] = (
    await pool.query(`SELECT count(*)::int AS indexes FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid
    WHERE c.relnamespace = 'public'::regnamespace`)
  ).rows as { indexes: number }[];
  if (row?.indexes !== TABLES * INDEXES_PER_TABLE) throw new Error(`${row?.indexes} indexes were made`);
  return {
    server,
    dsn,
    load: async (calls) => {
      let left = calls;
      await workers(async () => {
        while (left > 0) {
          left -= 1;
          await one();
        }
      });
    },
    loadFor: async (milliseconds) => {
      const end = performance.now() + milliseconds;
      let calls = 0;
      await workers(async () => {
        while (performance.now() < end) {
          await one();
          calls += 1;
        }
      });
      return calls;
    },
    stop: async () => {
      await pool.end();
      await server.stop('immediate');
    },
  };
}
