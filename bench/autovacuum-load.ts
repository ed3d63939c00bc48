/** An hour of a shop's churn, a minute of it a second: tables of different kinds, the same statements for every contender. */
import type pg from 'pg';

/** Rows changed in each step, of which there is one a second. */
export interface LoadTable {
  name: string;
  create: string;
  /** Statement of one step; `step` counts from 0. */
  step: (step: number) => string;
}

const ORDERS = 300_000;
const ACCOUNTS = 100_000;
const SESSIONS = 20_000;

/** A number that looks random and is the same for every contender. */
const mixed = (step: number, salt: number) => Math.abs(Math.imul(step + 1, 2_654_435_761) ^ salt) % 1_000_003;

export const LOAD: LoadTable[] = [
  {
    // Wide rows, ten a page, with two indexes: 1 % changed a step, spread over the table, never HOT (at is indexed).
    name: 'orders',
    create: `CREATE TABLE orders (id int PRIMARY KEY, at int, note text);
      ALTER TABLE orders ALTER note SET STORAGE PLAIN;
      INSERT INTO orders SELECT g, g, repeat('x', 700) FROM generate_series(1, ${ORDERS}) g;
      CREATE INDEX orders_at ON orders (at)`,
    step: (step) =>
      `UPDATE orders SET at = at + 1 WHERE id % 200 = ${mixed(step, 1) % 200} OR id % 200 = ${(mixed(step, 1) + 99) % 200}`,
  },
  {
    // Narrow rows, a hundred a page: 0.5 % a step.
    name: 'accounts',
    create: `CREATE TABLE accounts (id int PRIMARY KEY, balance int);
      INSERT INTO accounts SELECT g, 0 FROM generate_series(1, ${ACCOUNTS}) g;
      CREATE INDEX accounts_balance ON accounts (balance)`,
    step: (step) => `UPDATE accounts SET balance = balance + 1 WHERE id % 200 = ${mixed(step, 2) % 200}`,
  },
  {
    // Sessions that come and go: a twentieth a step.
    name: 'sessions',
    create: `CREATE TABLE sessions (id int PRIMARY KEY, seen int);
      INSERT INTO sessions SELECT g, 0 FROM generate_series(1, ${SESSIONS}) g;
      CREATE INDEX sessions_seen ON sessions (seen)`,
    step: (step) => `UPDATE sessions SET seen = ${step} WHERE id % 20 = ${step % 20}`,
  },
];

export const NAMES = LOAD.map(({ name }) => name);

export async function createTables(client: pg.Client): Promise<void> {
  for (const { create } of LOAD) await client.query(create);
  await client.query(`VACUUM ANALYZE ${NAMES.join(', ')}`);
  await client.query('SELECT pg_stat_force_next_flush()');
}

export interface Sample {
  live: number;
  dead: number;
  pages: number;
}

/** What the tables hold now. */
export async function sample(client: pg.Client): Promise<Sample> {
  const { rows } = await client.query<{ live: string; dead: string; pages: string }>(
    `SELECT sum(n_live_tup) AS live, sum(n_dead_tup) AS dead,
            sum((pg_relation_size(relid) + pg_indexes_size(relid)) / 8192) AS pages
     FROM pg_stat_user_tables`,
  );
  const [row] = rows;
  return { live: Number(row?.live), dead: Number(row?.dead), pages: Number(row?.pages) };
}

export interface VacuumCount {
  /** Pages that autovacuum workers asked for, in memory or not; and those they wrote back or read. */
  accesses: number;
  reads: number;
  writes: number;
  /** Autovacuums of the tables. */
  runs: Record<string, number>;
}

export async function vacuumCount(client: pg.Client): Promise<VacuumCount> {
  const io = await client.query<{ accesses: string; reads: string; writes: string }>(
    `SELECT sum(coalesce(reads, 0) + coalesce(hits, 0)) AS accesses, sum(coalesce(reads, 0)) AS reads,
            sum(coalesce(writes, 0)) AS writes
     FROM pg_stat_io WHERE backend_type = 'autovacuum worker'`,
  );
  const tables = await client.query<{ relname: string; autovacuum_count: string }>(
    'SELECT relname, autovacuum_count FROM pg_stat_user_tables',
  );
  const [row] = io.rows;
  return {
    accesses: Number(row?.accesses),
    reads: Number(row?.reads),
    writes: Number(row?.writes),
    runs: Object.fromEntries(tables.rows.map((one) => [one.relname, Number(one.autovacuum_count)])),
  };
}
