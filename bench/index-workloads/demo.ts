/** The demo's database after its own workload ran on it, as pg_stat_statements saw it. */
import pg from 'pg';
import { startDemoTarget } from '../../src/demo/index.ts';
import { runWorkload } from '../../src/demo/workload.ts';
import { workloadFromSnapshot } from '../../src/workload/index.ts';
import { collectFrom, type IndexWorkload } from './index-workload.ts';

export async function demoWorkload(): Promise<IndexWorkload> {
  const { server, dsn } = await startDemoTarget(() => {});
  const client = new pg.Client({ connectionString: dsn });
  try {
    await client.connect();
    // What loaded the sample data is no part of its workload.
    await client.query('SELECT pg_stat_statements_reset()');
    await runWorkload(dsn, { rounds: 4, connections: 1, progress: () => {} });
    const snapshot = await collectFrom(dsn);
    const all = await workloadFromSnapshot(snapshot);
    const workload = { ...all, queries: all.queries.filter(({ query }) => query.includes('app.')) };
    return { name: 'demo', snapshot, workload, budgets: null };
  } finally {
    await client.end();
    await server.stop('immediate');
  }
}
