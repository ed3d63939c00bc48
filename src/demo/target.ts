/** The demo's target: an embedded server with the sample application's schema and some millions of rows. */
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { type EmbeddedServer, startEmbedded } from '../embedded/index.ts';
import { sqlPath } from '../package-root.ts';

const DATABASE = 'octo';

/**
 * Starts an empty server on 127.0.0.1 and a free port and loads the sample database.
 * The server is a stock one but for pg_stat_statements and I/O timing, so that the advice is what a newcomer's own
 * server would get.
 */
export async function startDemoTarget(
  progress: (message: string) => void,
): Promise<{ server: EmbeddedServer; dsn: string }> {
  progress('starting an empty PostgreSQL as the target');
  const server = await startEmbedded({
    name: 'demo-target',
    listen: 'tcp',
    settings: {
      shared_preload_libraries: 'pg_stat_statements',
      track_io_timing: 'on',
      // A throwaway server would not care for its data; a real one does, and its writes cost what they cost.
      fsync: 'on',
      full_page_writes: 'on',
      synchronous_commit: 'on',
      max_wal_size: '4GB',
    },
  });
  try {
    await execute(server.dsn('postgres'), [`CREATE DATABASE ${DATABASE}`]);
    const dsn = server.dsn(DATABASE);
    progress('loading 2.6 million rows');
    await execute(dsn, [
      await readFile(sqlPath('demo', 'schema.sql'), 'utf8'),
      await readFile(sqlPath('demo', 'data.sql'), 'utf8'),
      'VACUUM (ANALYZE)',
      'CHECKPOINT',
    ]);
    return { server, dsn };
  } catch (error) {
    await server.stop('immediate');
    throw error;
  }
}

/** Runs scripts one after the other on one connection. */
async function execute(dsn: string, scripts: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: dsn, application_name: 'pgluthier-demo-load' });
  await client.connect();
  try {
    for (const script of scripts) await client.query(script);
  } finally {
    await client.end();
  }
}
