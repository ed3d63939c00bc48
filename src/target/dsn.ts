/** DSNs: read with libpq's meaning, shown without their secrets, and never logged. */
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { type ConnectionOptions, parse } from 'pg-connection-string';
import { PgLuthierError } from '../domain/index.ts';

/** One way of reaching the server; `false`: without TLS. */
export type Transport = TlsOptions | false;

/** What a DSN says. Holds the password: hand it to the driver, never print it. */
export interface Dsn {
  /** A name, an address, or a socket's directory. */
  host: string;
  port: number;
  /** Absent: the driver's own defaults (PGUSER or the account's name, PGPASSWORD, ~/.pgpass). */
  database?: string;
  user?: string;
  password?: string;
  /** `-c name=value …` for the server's session. */
  options?: string;
  /** In the order in which they are tried, as libpq's sslmode says; the first that works is kept. */
  transports: Transport[];
}

/**
 * Reads a DSN (a postgresql:// URL).
 * @throws PgLuthierError `dsn_invalid`; the DSN itself is not part of the message.
 */
export function parseDsn(dsn: string): Dsn {
  if (!/^postgres(ql)?:\/\//.test(dsn)) throw invalid('The DSN is not a PostgreSQL connection URL.');
  let parsed: ConnectionOptions;
  try {
    parsed = parse(dsn, dsn.includes('uselibpqcompat=') ? {} : { useLibpqCompat: true });
  } catch (error) {
    throw unreadable(error);
  }
  const port = parsed.port ? Number(parsed.port) : 5432;
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw invalid("The DSN's port is no port number.");
  const database = databaseOf(dsn) ?? parsed.database;
  return {
    host: parsed.host || 'localhost',
    port,
    transports: transportsOf(parsed),
    ...(database ? { database } : {}),
    ...(parsed.user ? { user: parsed.user } : {}),
    ...(parsed.password ? { password: parsed.password } : {}),
    ...(parsed.options ? { options: parsed.options } : {}),
  };
}

/** The same server, role and options, another database. @throws PgLuthierError `dsn_invalid`. */
export function dsnWithDatabase(dsn: string, database: string): string {
  parseDsn(dsn);
  const [address = '', query] = dsn.split(/\?(.*)/s);
  const base = address.replace(/^([a-z]+:\/\/[^/]*)(\/.*)?$/s, '$1');
  return `${base}/${encodeURIComponent(database)}${query === undefined ? '' : `?${query}`}`;
}

/** The library leaves what has a meaning in URLs (`$`, `@`, `,`) percent-encoded. */
function databaseOf(dsn: string): string | null {
  const path = /^[a-z]+:\/\/[^/?#]*\/([^?#]*)/s.exec(dsn)?.[1];
  if (!path) return null;
  try {
    return decodeURIComponent(path);
  } catch {
    throw invalid("The DSN's database is not percent-encoded as URLs are.");
  }
}

function invalid(
  message: string,
  remedy = 'Write it as postgresql://user:password@host:5432/database?sslmode=require; percent-encode special characters.',
): PgLuthierError {
  return new PgLuthierError({ code: 'dsn_invalid', status: 422, message, remedy });
}

/** The parser's own messages may repeat the DSN: only what is known to be harmless is passed on. */
function unreadable(error: unknown): PgLuthierError {
  const { code, path, message } = error as { code?: string; path?: string; message?: string };
  if (path !== undefined && code !== undefined) {
    return invalid(
      `The certificate or key file ${path} that the DSN names cannot be read (${code}).`,
      'Check the paths in sslrootcert, sslcert and sslkey, and that this account may read them.',
    );
  }
  if (message?.includes('verify-ca')) {
    return invalid(
      'sslmode=verify-ca needs sslrootcert.',
      'Add sslrootcert=/path/to/ca.pem to the DSN, or use verify-full.',
    );
  }
  return invalid('The DSN is not a PostgreSQL connection URL.');
}

/**
 * sslmode as libpq takes it (https://www.postgresql.org/docs/current/libpq-ssl.html): without one it is `prefer`, and
 * only the verify modes check the certificate. Sockets have no TLS.
 */
function transportsOf(parsed: ConnectionOptions): Transport[] {
  if (parsed.host?.startsWith('/')) return [false];
  const mode = typeof parsed.sslmode === 'string' ? parsed.sslmode : null;
  const given = typeof parsed.ssl === 'object' ? (parsed.ssl as TlsOptions) : {};
  const unverified: TlsOptions = { ...given, rejectUnauthorized: false };
  switch (mode) {
    case 'disable':
      return [false];
    case 'allow':
      return [false, unverified];
    case null:
      if (parsed.ssl === true) return [{}];
      if (parsed.ssl === false || parsed.ssl === 'false') return [false];
      return [unverified, false];
    case 'prefer':
      return [unverified, false];
    case 'no-verify':
      return [unverified];
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return [given];
    default:
      throw invalid(
        'The DSN has an sslmode that PostgreSQL does not know.',
        'Use one of disable, allow, prefer, require, verify-ca, verify-full.',
      );
  }
}

/** host:port/database, for people: no user, no password. */
export function targetAddress(dsn: string): string {
  const { host, port, database, user } = parseDsn(dsn);
  return `${host}:${port}/${database ?? user ?? ''}`;
}
