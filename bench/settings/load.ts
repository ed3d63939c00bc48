/** The three loads: by pgbench where it is installed, else by a driver of our own with the same scripts. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { ANALYTIC } from './tables.ts';

const run = promisify(execFile);

export type LoadName = 'rw' | 'ro' | 'analytic';

export interface LoadResult {
  /** Transactions a second; a pass of the analytic mix is one. */
  per_second: number;
  mean_ms: number;
  p95_ms: number;
  /** CPU that the server took for one, ms: what other work on the machine slows down, it leaves nearly alone. Null: not to be told. */
  cpu_ms: number | null;
}

/** How much of a load: for so long, or so many transactions of each client where one takes a good part of a turn. */
export type Amount = { seconds: number } | { transactions: number };

type Timed = Omit<LoadResult, 'cpu_ms'> & { transactions: number };

export interface LoadRunner {
  /** What it is, for the table. */
  name: string;
  run(load: LoadName, dsn: string, amount: Amount, scale: number): Promise<Timed>;
}

const CLIENTS: Record<LoadName, number> = { rw: 8, ro: 8, analytic: 2 };

function summarise(latencies_ms: number[], seconds: number): Timed {
  const sorted = latencies_ms.toSorted((a, b) => a - b);
  return {
    transactions: sorted.length,
    per_second: sorted.length / seconds,
    mean_ms: sorted.reduce((sum, one) => sum + one, 0) / sorted.length,
    p95_ms: sorted[Math.ceil(0.95 * sorted.length) - 1] ?? Number.NaN,
  };
}

export async function loadRunner(): Promise<LoadRunner> {
  try {
    const { stdout } = await run('pgbench', ['--version']);
    return { name: stdout.trim(), run: byPgbench };
  } catch {
    return { name: 'a driver of our own (pgbench is not installed)', run: byDriver };
  }
}

async function byPgbench(load: LoadName, dsn: string, amount: Amount, scale: number): Promise<Timed> {
  const folder = await mkdtemp(join(tmpdir(), 'pgluthier-load-'));
  try {
    const script = join(folder, 'analytic.sql');
    await writeFile(script, `${ANALYTIC.join('\n')}\n`);
    const what = {
      rw: ['--builtin=tpcb-like', `--scale=${scale}`],
      ro: ['--builtin=select-only', `--scale=${scale}`],
      analytic: [`--file=${script}`],
    }[load];
    const given = ['--no-vacuum', '--protocol=prepared', '--jobs=1', `--client=${CLIENTS[load]}`];
    const log = ['--log', `--log-prefix=${join(folder, 'log')}`];
    const much = 'seconds' in amount ? `--time=${amount.seconds}` : `--transactions=${amount.transactions}`;
    const { stdout } = await run('pgbench', [...given, ...what, ...log, much, dsn]);
    const per_second = Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]);
    if (!(per_second > 0)) throw new Error(`pgbench did not say how much it did: ${stdout}`);
    // Third field of each line: the transaction's time, µs.
    const latencies: number[] = [];
    for (const name of await readdir(folder)) {
      if (!name.startsWith('log')) continue;
      for (const line of (await readFile(join(folder, name), 'utf8')).split('\n')) {
        const time = line.split(' ')[2];
        if (time !== undefined) latencies.push(Number(time) / 1000);
      }
    }
    return { ...summarise(latencies, latencies.length / per_second), per_second };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The scripts as pgbench's documentation has them. */
async function byDriver(load: LoadName, dsn: string, amount: Amount, scale: number): Promise<Timed> {
  const upTo = (most: number) => 1 + Math.floor(Math.random() * most);
  const transactions: Record<LoadName, (client: pg.Client) => Promise<void>> = {
    ro: async (client) => {
      await client.query({
        name: 'ro',
        text: 'SELECT abalance FROM pgbench_accounts WHERE aid = $1',
        values: [upTo(100_000 * scale)],
      });
    },
    rw: async (client) => {
      const [aid, tid, bid] = [upTo(100_000 * scale), upTo(10 * scale), upTo(scale)];
      const delta = Math.floor(Math.random() * 10_001) - 5000;
      const ask = (name: string, text: string, values: number[]) => client.query({ name, text, values });
      await client.query('BEGIN');
      await ask('a', 'UPDATE pgbench_accounts SET abalance = abalance + $1 WHERE aid = $2', [delta, aid]);
      await ask('s', 'SELECT abalance FROM pgbench_accounts WHERE aid = $1', [aid]);
      await ask('t', 'UPDATE pgbench_tellers SET tbalance = tbalance + $1 WHERE tid = $2', [delta, tid]);
      await ask('b', 'UPDATE pgbench_branches SET bbalance = bbalance + $1 WHERE bid = $2', [delta, bid]);
      await ask(
        'h',
        'INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES ($1, $2, $3, $4, CURRENT_TIMESTAMP)',
        [tid, bid, aid, delta],
      );
      await client.query('COMMIT');
    },
    analytic: async (client) => {
      for (const sql of ANALYTIC) await client.query(sql);
    },
  };
  const latencies: number[] = [];
  const started = performance.now();
  const ended = (done: number) =>
    'seconds' in amount ? performance.now() >= started + 1000 * amount.seconds : done >= amount.transactions;
  const one = async () => {
    const client = new pg.Client({ connectionString: dsn });
    await client.connect();
    for (let done = 0; !ended(done); done += 1) {
      const began = performance.now();
      await transactions[load](client);
      latencies.push(performance.now() - began);
    }
    await client.end();
  };
  await Promise.all(Array.from({ length: CLIENTS[load] }, one));
  return summarise(latencies, (performance.now() - started) / 1000);
}
