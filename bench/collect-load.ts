/** The load that collecting is measured against: pgbench where it is installed, else calls of our own. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import type { BenchTarget } from './collect-target.ts';

const run = promisify(execFile);
const DATABASE = 'load';

interface Load {
  /** What it is, for the report. */
  name: string;
  /** Runs for so long over two connections; transactions done. */
  forSeconds(seconds: number): Promise<number>;
}

/** pgbench's version, or null where there is none. */
async function pgbenchVersion(): Promise<string | null> {
  try {
    return (await run('pgbench', ['--version'])).stdout.trim();
  } catch {
    return null;
  }
}

/** TPC-B-like, scale 10, in a database of its own on the same server. */
export async function startLoad(target: BenchTarget): Promise<Load> {
  const version = await pgbenchVersion();
  if (version === null) {
    return {
      name: 'our own calls (pgbench is not installed)',
      forSeconds: (seconds) => target.loadFor(seconds * 1000),
    };
  }
  const client = new pg.Client({ connectionString: target.dsn });
  await client.connect();
  await client.query(`CREATE DATABASE ${DATABASE}`);
  await client.end();
  const dsn = target.server.dsn(DATABASE);
  await run('pgbench', ['--initialize', '--quiet', '--scale=10', dsn]);
  return {
    name: `${version}, TPC-B, scale 10, 2 clients`,
    forSeconds: async (seconds) => {
      const given = ['--no-vacuum', '--client=2', '--jobs=1', '--protocol=prepared', `--time=${seconds}`];
      const { stdout } = await run('pgbench', [...given, dsn]);
      const transactions = /number of transactions actually processed: (\d+)/.exec(stdout)?.[1];
      if (transactions === undefined) throw new Error(`pgbench did not say how much it did: ${stdout}`);
      return Number(transactions);
    },
  };
}
