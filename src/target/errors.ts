/** What drivers and servers throw, in the words of PgLuthier; never with a DSN in them. */
import { PgLuthierError } from '../domain/index.ts';

/** What the protocol's error fields tell beside the SQLSTATE, and no `lc_messages` translates (protocol.sgml, "Error and Notice Message Fields"). */
export interface ErrorOrigin {
  /** Function of the server's source that reported it (field R). */
  routine: string | null;
  /** Table that it is about, as `schema.table` (fields s and t). */
  table: string | null;
}

/** An error of the server itself for one statement; decisions go by `sqlstate` and `origin`, never by the text. */
export class TargetQueryError extends PgLuthierError {
  readonly sqlstate: string;
  readonly origin: ErrorOrigin;
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
    this.origin = originOf(cause);
  }
}

function originOf(cause: unknown): ErrorOrigin {
  const { routine, schema, table } = (cause ?? {}) as Partial<Record<'routine' | 'schema' | 'table', string>>;
  return { routine: routine ?? null, table: schema && table ? `${schema}.${table}` : null };
}

/** SQLSTATE of a server's error; null for anything else. The driver's own errors have codes of five letters too (EPIPE). */
export function sqlstateOf(error: unknown): string | null {
  const { code, severity } = (error ?? {}) as { code?: unknown; severity?: unknown };
  return typeof code === 'string' && typeof severity === 'string' ? code : null;
}

/** The driver's word when the server answers "no TLS" to a request for it. */
export function refusesTls(error: unknown): boolean {
  return error instanceof Error && error.message === 'The server does not support SSL connections';
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
  EACCES: 'this account may not use the socket',
  '57P03': 'the server is starting up or shutting down',
};

/** Why a connection could not be opened. */
export function connectionError(error: unknown, address: string): PgLuthierError {
  const sqlstate = sqlstateOf(error);
  const code = (error as { code?: unknown } | null)?.code;
  const message = error instanceof Error ? error.message : '';
  if (sqlstate === '28000' && message.includes('no pg_hba.conf entry')) {
    const plain = message.includes('no encryption') || message.includes('SSL off');
    return new PgLuthierError({
      code: 'target_auth_failed',
      status: 422,
      message: `${address} lets this role in from here by no rule of its pg_hba.conf.`,
      remedy: plain
        ? 'Add sslmode=require to the DSN if the server asks for TLS; else a line for this role, database and address in pg_hba.conf.'
        : 'Add a line for this role, database and address to pg_hba.conf.',
      cause: error,
    });
  }
  if (sqlstate === '28P01' || sqlstate === '28000') {
    return new PgLuthierError({
      code: 'target_auth_failed',
      status: 422,
      message: `${address} refused this role or its password.`,
      remedy: "Check user and password in the DSN, and the server's pg_hba.conf.",
      cause: error,
    });
  }
  if (sqlstate === null && /client password must be a/.test(message)) {
    return new PgLuthierError({
      code: 'target_auth_failed',
      status: 422,
      message: `${address} asks for a password, and the DSN has none.`,
      remedy: 'Put the password into the DSN, percent-encoded, or into ~/.pgpass of this account.',
      cause: error,
    });
  }
  if (sqlstate === '42501') {
    return new PgLuthierError({
      code: 'target_auth_failed',
      status: 422,
      message: `The role may not connect to this database at ${address}.`,
      remedy: 'GRANT CONNECT ON DATABASE … TO the role.',
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
  if (refusesTls(error) || isTlsError(code)) {
    return new PgLuthierError({
      code: 'target_tls_failed',
      status: 422,
      message: refusesTls(error)
        ? `${address} offers no TLS, which the DSN's sslmode asks for.`
        : `TLS with ${address} failed: ${message} (${String(code)}).`,
      remedy: refusesTls(error)
        ? "Turn the server's ssl on, or use sslmode=prefer where the network is trusted."
        : 'Give the authority that signed the server certificate in sslrootcert, or check the host name in the DSN.',
      cause: error,
    });
  }
  const reason =
    unreachable[typeof code === 'string' ? code : ''] ??
    (sqlstate ? `the server answers with SQLSTATE ${sqlstate}` : null) ??
    (message === 'timeout expired' ? 'no answer in time' : 'no connection came about');
  return new PgLuthierError({
    code: 'target_unreachable',
    status: 502,
    message: `${address} cannot be reached: ${reason}.`,
    remedy: 'Check host and port in the DSN, firewalls, and that the server runs.',
    cause: error,
  });
}

/** Codes of node:tls and OpenSSL. */
function isTlsError(code: unknown): boolean {
  return (
    typeof code === 'string' &&
    (/^(ERR_TLS|ERR_SSL|EPROTO$|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/.test(code) ||
      code === 'HOSTNAME_MISMATCH')
  );
}

/** SQLSTATEs that end the session with the statement. */
const SESSION_ENDED = new Set(['57P01', '57P02', '57P03', '57P04', '57P05', '25P03', '25P04']);

/** The session is gone: the server ended it, or the network did. */
export function connectionLost(address: string, cause: unknown, reason?: string): PgLuthierError {
  const sqlstate = sqlstateOf(cause);
  const why = reason ?? (sqlstate ? `SQLSTATE ${sqlstate}` : null);
  return new PgLuthierError({
    code: 'target_connection_lost',
    status: 502,
    message: `The session on ${address} ended${why ? ` (${why})` : ''}.`,
    remedy: 'The server restarted, failed over or ended our session; the next run connects anew.',
    details: sqlstate ? { sqlstate } : {},
    cause,
  });
}

/**
 * An error of a running session: the server's own word, or the loss of the connection. What is neither is given back
 * as it is: a defect, or a value that a parser refused.
 */
export function queryError(error: unknown, address: string): unknown {
  const sqlstate = sqlstateOf(error);
  if (sqlstate !== null) {
    return SESSION_ENDED.has(sqlstate) || sqlstate.startsWith('08')
      ? connectionLost(address, error)
      : new TargetQueryError(sqlstate, error instanceof Error ? error.message : String(error), error);
  }
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const ofTheNetwork =
    typeof code === 'string' && /^(E[A-Z]+|ERR_STREAM_\w+|ERR_SOCKET_\w+)$/.test(code) && code !== 'EINVAL';
  const ofTheDriver =
    typeof message === 'string' &&
    /^(Connection terminated|Client has encountered a connection error|Client was closed)/.test(message);
  return ofTheNetwork || ofTheDriver ? connectionLost(address, error) : error;
}
