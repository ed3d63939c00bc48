/** The loads: by pgbench where it is installed, else by a driver of our own with the same scripts. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { ANALYTIC, REPORTS } from './tables.ts';

const run = promisify(execFile);

export type LoadName = 'rw' | 'ro' | 'analytic' | 'spills';

export interface LoadResult {
  /** Transactions a second; a pass of the analytic mix is one. */
  per_second: number;
  mean_ms: number;
  p95_ms: number;
  /** CPU that the server took for one, ms: what other work on the machine slows down, it leaves nearly alone. Null: not to be told. */
  cpu_ms: number | null;
  /** Written to temporary files for one, MB; to WAL for one, kB, and whole pages in it: counts, which other work does not change. */
  temp_mb: number;
  wal_kb: number;
  wal_pages: number;
  /** P95 of what ran beside it, ms; null: nothing did. */
  beside_p95_ms: number | null;
}

/** How much of a load: for so long, or so many transactions of each client where one takes a good part of a turn. */
export type Amount = { seconds: number } | { transactions: number };

type Counted = 'cpu_ms' | 'temp_mb' | 'wal_kb' | 'wal_pages';
export type Timed = Omit<LoadResult, Counted> & { transactions: number };

export interface LoadRunner {
  /** What it is, for the table. */
  name: string;
  run(load: LoadName, dsn: string, amount: Amount, scale: number): Promise<Timed>;
}

const CLIENTS: Record<LoadName, number> = { rw: 8, ro: 8, analytic: 2, spills: 2 };
/** Beside the reports: the application's sessions, and transactions a second of all of them. */
const BESIDE = { clients: 8, per_second: 160, seconds_a_pass: 4 };

/** The same server, logged in as another role. */
function asRole(dsn: string, role: string): string {
  return dsn.replace(/user=[^&]*/, `user=${role}`);
}

function summarise(latencies_ms: number[], seconds: number): Timed {
  const sorted = latencies_ms.toSorted((a, b) => a - b);
  return {
    transactions: sorted.length,
    per_second: sorted.length / seconds,
    mean_ms: sorted.reduce((sum, one) => sum + one, 0) / sorted.length,
    p95_ms: sorted[Math.ceil(0.95 * sorted.length) - 1] ?? Number.NaN,
    beside_p95_ms: null,
  };
}

export async function loadRunner(): Promise<LoadRunner> {
  try {
    const { stdout } = await run('pgbench', ['--version']);
    return { name: stdout.trim(), run: withBeside(byPgbench) };
  } catch {
    return { name: 'a driver of our own (pgbench is not installed)', run: withBeside(byDriver) };
  }
}

/** Per second of each client: less than it could do, so that a turn is the same work for everybody. Null: as fast as it goes. */
type Run = (
  load: LoadName,
  dsn: string,
  amount: Amount,
  scale: number,
  per_second: number | null,
) => Promise<Timed>;

/** The reports have the application's writes beside them, so many of them whatever the reports take. */
function withBeside(run: Run): LoadRunner['run'] {
  return async (load, dsn, amount, scale) => {
    if (load !== 'spills') return run(load, dsn, amount, scale, null);
    const passes = 'transactions' in amount ? amount.transactions : 1;
    const each = Math.round((passes * BESIDE.seconds_a_pass * BESIDE.per_second) / BESIDE.clients);
    const [reports, beside] = await Promise.all([
      run('spills', asRole(dsn, 'reports'), { transactions: passes }, scale, null),
      run('rw', asRole(dsn, 'app'), { transactions: each }, scale, BESIDE.per_second),
    ]);
    return { ...reports, beside_p95_ms: beside.p95_ms };
  };
}

const byPgbench: Run = async (load, dsn, amount, scale, per_second_wanted) => {
  const folder = await mkdtemp(join(tmpdir(), 'pgluthier-load-'));
  try {
    const script = join(folder, 'pass.sql');
    await writeFile(script, `${passOf(load).join('\n')}\n`);
    const what = {
      rw: ['--builtin=tpcb-like', `--scale=${scale}`],
      ro: ['--builtin=select-only', `--scale=${scale}`],
      analytic: [`--file=${script}`],
      spills: [`--file=${script}`],
    }[load];
    const rate = per_second_wanted === null ? [] : [`--rate=${per_second_wanted}`];
    const given = ['--no-vacuum', '--protocol=prepared', '--jobs=1', `--client=${CLIENTS[load]}`];
    const log = ['--log', `--log-prefix=${join(folder, 'log')}`];
    const much = 'seconds' in amount ? `--time=${amount.seconds}` : `--transactions=${amount.transactions}`;
    const { stdout } = await run('pgbench', [...given, ...what, ...rate, ...log, much, dsn]);
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
};

const passOf = (load: LoadName) => (load === 'spills' ? REPORTS : ANALYTIC);

/** The scripts as pgbench's documentation has them. */
const byDriver: Run = async (load, dsn, amount, scale, per_second) => {
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
    spills: async (client) => {
      for (const sql of REPORTS) await client.query(sql);
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
      const due = per_second === null ? 0 : started + (1000 * done * CLIENTS[load]) / per_second;
      await sleep(Math.max(0, due - performance.now()));
      const began = performance.now();
      await transactions[load](client);
      latencies.push(performance.now() - began);
    }
    await client.end();
  };
  await Promise.all(Array.from({ length: CLIENTS[load] }, one));
  return summarise(latencies, (performance.now() - started) / 1000);
};
