/** One server per major and settings, started when first asked for. */
import pg from 'pg';
import { type ProvidedServer, type ServerRequest, startServer } from './provider.ts';

export interface PooledServer {
  major: number;
  dsn: string;
  superuser: string;
}

/** What the run's own process answers its workers over HTTP. */
export type PoolAnswer = { server: PooledServer } | { folder: string } | { error: string };

/** With what a dropped database's statements are forgotten by (`servers.ts`), where the module is loaded. */
async function prepared(starting: Promise<ProvidedServer>): Promise<ProvidedServer> {
  const server = await starting;
  const client = new pg.Client({ connectionString: server.dsn });
  await client.connect();
  const { rows } = await client.query("select current_setting('shared_preload_libraries') as loaded");
  if (rows[0].loaded.includes('pg_stat_statements'))
    await client.query('create extension pg_stat_statements');
  await client.end();
  return server;
}

export class ServerPool {
  private readonly servers = new Map<string, Promise<ProvidedServer>>();

  async server(request: ServerRequest): Promise<PooledServer> {
    const key = JSON.stringify([request.major, Object.entries(request.settings).sort()]);
    const started = this.servers.get(key) ?? prepared(startServer(request));
    this.servers.set(key, started);
    const { dsn, superuser } = await started;
    return { major: request.major, dsn, superuser };
  }

  async stop(): Promise<void> {
    const started = await Promise.allSettled(this.servers.values());
    this.servers.clear();
    await Promise.all(
      started.map((result) => (result.status === 'fulfilled' ? result.value.stop() : undefined)),
    );
  }
}
