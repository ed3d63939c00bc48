/**
 * Whether a pooler stands between us and the server, before any setting is made: in transaction pooling a SET lands on
 * a server connection that other clients use next, so that a read-only session of ours would make theirs read-only.
 */
import { PgLuthierError } from '../domain/index.ts';
import type { Connection } from './connection.ts';

/** none: the server itself. session: a pooler that keeps one server connection for us until we leave. */
export type Pooling = 'none' | 'session';

const PROBE_MS = 3_000;
const ROUNDS = 4;

async function backendPid(connection: Connection, limitMs: number): Promise<number> {
  const [row] = await connection.query<{ pid: number }>(
    'SELECT pg_catalog.pg_backend_pid() AS pid\n/* pgluthier */',
    [],
    limitMs,
  );
  if (!row) throw new Error('pg_backend_pid() gave no row');
  return row.pid;
}

/**
 * PgBouncer and its like announce a process id of their own, which then differs from pg_backend_pid(). If so, a second
 * connection tells the modes apart: while the first is open, only in transaction pooling can both meet one backend.
 * @throws PgLuthierError `target_behind_pooler` for transaction (or statement) pooling.
 */
export async function detectPooling(
  connection: Connection,
  connectAgain: () => Promise<Connection>,
  limitMs: number,
): Promise<Pooling> {
  const pid = await backendPid(connection, limitMs);
  if (connection.announcedPid === pid) return 'none';
  const seen = new Set([pid]);
  for (let round = 1; round < ROUNDS; round += 1) seen.add(await backendPid(connection, limitMs));
  if (seen.size > 1) throw behindPooler(connection.address);
  const other = await connectAgain();
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      if (seen.has(await backendPid(other, PROBE_MS))) throw behindPooler(connection.address);
    }
  } catch (error) {
    // No backend to spare for a second client: the first has its own.
    if (error instanceof PgLuthierError && error.code === 'target_connection_lost') return 'session';
    throw error;
  } finally {
    await other.close();
  }
  return 'session';
}

function behindPooler(address: string): PgLuthierError {
  return new PgLuthierError({
    code: 'target_behind_pooler',
    status: 422,
    message: `${address} is a pooler in transaction mode: a session's settings would reach other clients.`,
    remedy: "Use a DSN that leads to the server itself, or to the pooler's session mode.",
  });
}
