/** Connections to the twin's server. Each role may do only its part: what comes from a target is never run as superuser. */
import pg from 'pg';
import type { EmbeddedServer } from '../../embedded/index.ts';

export const DATABASE = 'twin';
/** Owns the rebuilt objects: whatever a definition calls while it is made runs with its rights, not a superuser's. */
export const OWNER_ROLE = 'pgluthier_owner';
/** Plans as this role, which owns nothing: functions folded while planning run with its rights. */
export const PLANNER_ROLE = 'pgluthier_planner';
/** Who a planner is where a statement's role is not known and the target has row-level security: policies pass it by. */
export const READER_ROLE = 'pgluthier_reader';

/**
 * Opens a session; `role` null: the superuser. A lost connection shows at the next query, not as an uncaught event.
 * Without JIT: EXPLAIN starts the executor, which builds the code that would be compiled and throws it away (as long as
 * the planning itself on TPC-H). No cost depends on it: standard_planner() looks at it when the plan is made.
 */
export async function connectTwin(
  server: EmbeddedServer,
  role: string | null,
  database: string = DATABASE,
): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: role === null ? server.dsn(database) : withRole(server.dsn(database), role),
    application_name: 'pgluthier:twin',
  });
  client.on('error', () => {});
  await client.connect();
  await client.query('SET jit = off');
  return client;
}

export async function withSession<T>(
  server: EmbeddedServer,
  role: string | null,
  work: (client: pg.Client) => Promise<T>,
  database: string = DATABASE,
): Promise<T> {
  const client = await connectTwin(server, role, database);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The same socket under another role: whoever may open the private socket is trusted there. */
function withRole(dsn: string, role: string): string {
  const [base = '', query = ''] = dsn.split('?');
  const parameters = new URLSearchParams(query);
  parameters.set('user', role);
  return `${base}?${parameters.toString()}`;
}

/** One statement by the extended protocol, which takes no second one hidden in the text. */
export async function queryOne<T extends pg.QueryResultRow>(
  client: pg.Client,
  text: string,
): Promise<pg.QueryResult<T>> {
  return client.query<T>({ text, queryMode: 'extended' } as pg.QueryConfig);
}
