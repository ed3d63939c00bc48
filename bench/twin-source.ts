/** Real servers with real data, each with its snapshot: what the twin is compared with. */
import pg from 'pg';
import { collectSnapshot } from '../src/collect/index.ts';
import type { Snapshot } from '../src/domain/index.ts';
import { startEmbedded } from '../src/embedded/index.ts';
import { openTarget } from '../src/target/index.ts';
import { completeSnapshot } from './twin-complete.ts';

export interface RealPlan {
  'Node Type': string;
  'Total Cost': number;
  'Plan Rows': number;
  'Index Name'?: string;
  'Relation Name'?: string;
  Plans?: RealPlan[];
}

export interface RealSource {
  client: pg.Client;
  snapshot: Snapshot;
  plan(sql: string): Promise<RealPlan>;
  stop(): Promise<void>;
}

/** Node types with what they read, nested as the plan is. */
export function shapeOf(node: RealPlan): unknown[] {
  return [
    node['Node Type'],
    node['Index Name'] ?? node['Relation Name'] ?? '',
    ...(node.Plans ?? []).map(shapeOf),
  ];
}

/** Starts a server, runs the scripts and reads the snapshot. Nothing runs there by itself: autovacuum is off. */
export async function openRealSource(major: number, scripts: readonly string[]): Promise<RealSource> {
  const server = await startEmbedded({
    major,
    name: 'bench-twin',
    settings: { autovacuum: 'off', max_wal_size: '2GB' },
  });
  const client = new pg.Client({ connectionString: server.dsn() });
  try {
    await client.connect();
    for (const script of scripts) await client.query(script);
    // What a session has changed is told to the statistics once it has been idle for a second.
    await client.query('SELECT pg_sleep(1.1)');
    await client.query('SELECT 1');
    const session = await openTarget(server.dsn(), { applicationName: 'pgluthier-bench', readOnly: true });
    const snapshot = await collectSnapshot(session).finally(() => session.close());
    if (process.env.BENCH_AS_COLLECTED === undefined) await completeSnapshot(client, snapshot);
    return {
      client,
      snapshot,
      plan: async (sql) => {
        const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${sql}`);
        return rows[0]['QUERY PLAN'][0].Plan;
      },
      stop: async () => {
        await client.end();
        await server.stop('immediate');
      },
    };
  } catch (error) {
    await client.end().catch(() => {});
    await server.stop('immediate');
    throw error;
  }
}
