/** DSNs: read, shown without their secrets, and never logged. */
import { type ConnectionOptions, parse } from 'pg-connection-string';
import { PgLuthierError } from '../domain/index.ts';

/**
 * Parses a DSN (a postgresql:// URL).
 * @throws PgLuthierError `dsn_invalid`; the DSN itself is not part of the message.
 */
export function parseDsn(dsn: string): ConnectionOptions {
  let parsed: ConnectionOptions | null = null;
  try {
    if (/^postgres(ql)?:\/\//.test(dsn)) parsed = parse(dsn);
  } catch {
    // The parser's message repeats the DSN: it is left out on purpose.
  }
  if (parsed === null) {
    throw new PgLuthierError({
      code: 'dsn_invalid',
      status: 422,
      message: 'The DSN is not a PostgreSQL connection URL.',
      remedy:
        'Write it as postgresql://user:password@host:5432/database?sslmode=require; percent-encode special characters.',
    });
  }
  return parsed;
}

/** host:port/database, for people: no user, no password. */
export function targetAddress(dsn: string): string {
  const { host, port, database, user } = parseDsn(dsn);
  return `${host || 'localhost'}:${port || 5432}/${database || user || ''}`;
}
