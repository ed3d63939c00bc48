/** What drivers and servers throw, in the words of PgLuthier; never with a DSN in them. */
import pg from 'pg';
import { PgLuthierError } from '../domain/index.ts';

/** An error of the server itself for one statement; decisions go by `sqlstate`, never by the text. */
export class TargetQueryError extends PgLuthierError {
  readonly sqlstate: string;
  constructor(sqlstate: string, message: string, cause: unknown) {
    super({
      code: 'target_query_failed',
      status: 502,
      message: `The target refused a statement (SQLSTATE ${sqlstate}): ${message}`,
      details: { sqlstate },
      cause,
    });
    this.name = 'TargetQueryError';
    this.sqlstate = sqlstate;
  }
}

/** SQLSTATE of a server's error; null for anything else: the system's own codes (EPIPE) can look alike. */
function sqlstateOf(error: unknown): string | null {
  return error instanceof pg.DatabaseError && error.code !== undefined ? error.code : null;
}

const unreachable: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the name server does not answer',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'no route to this host',
  ENETUNREACH: 'no route to this network',
  ECONNRESET: 'the connection was reset',
  ENOENT: 'there is no such socket',
  EACCES: 'this user may not use the socket',
};

/** Why a connection could not be opened. */
export function connectionError(error: unknown, address: string): PgLuthierError {
  const sqlstate = sqlstateOf(error);
  if (sqlstate === '28P01' || sqlstate === '28000') {
    return new PgLuthierError({
      code: 'target_auth_failed',
      status: 422,
      message: `${address} refused this role or its password.`,
      remedy: "Check user and password in the DSN, and the server's pg_hba.conf.",
      cause: error,
    });
  }
  if (sqlstate === '3D000') {
    return new PgLuthierError({
      code: 'target_database_missing',
      status: 422,
      message: `There is no such database at ${address}.`,
      remedy: 'Check the database name in the DSN.',
      cause: error,
    });
  }
  if (sqlstate === '53300') {
    return new PgLuthierError({
      code: 'target_busy',
      status: 503,
      message: `${address} has no connection to spare.`,
      remedy: 'Try later, or raise max_connections or reserve connections for the monitoring role.',
      cause: error,
    });
  }
  const word = (error as { code?: string } | null)?.code ?? '';
  const reason =
    unreachable[word] ??
    (sqlstate ? `the server answers with SQLSTATE ${sqlstate}` : 'no connection came about');
  return new PgLuthierError({
    code: 'target_unreachable',
    status: 502,
    message: `${address} cannot be reached: ${reason}.`,
    remedy: 'Check host and port in the DSN, firewalls, and that the server runs.',
    cause: error,
  });
}

/** SQLSTATE classes and codes that end the session with the statement. */
const SESSION_ENDED = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '25P04']);

/** An error of a running session: the server's own word, or the loss of the connection. */
export function queryError(error: unknown, address: string): PgLuthierError {
  const sqlstate = sqlstateOf(error);
  if (sqlstate !== null && !SESSION_ENDED.has(sqlstate) && !sqlstate.startsWith('08')) {
    return new TargetQueryError(sqlstate, error instanceof Error ? error.message : String(error), error);
  }
  return new PgLuthierError({
    code: 'target_connection_lost',
    status: 502,
    message: `The session on ${address} ended${sqlstate ? ` (SQLSTATE ${sqlstate})` : ''}.`,
    remedy: 'The server restarted, failed over or ended our session; the next run connects anew.',
    details: sqlstate ? { sqlstate } : {},
    cause: error,
  });
}
