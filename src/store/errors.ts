/** The database's errors in our words. What leaves this file holds neither a DSN nor a row's content. */
import { PgLuthierError, type PgLuthierErrorOptions } from '../domain/index.ts';

/** SQLSTATE of a unique violation. */
export const UNIQUE_VIOLATION = '23505';

/** SQLSTATE of a database error, or null. */
export function sqlstate(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : null;
}

/** 404 for one thing of one kind. */
export function notFound(noun: string, id: string): PgLuthierError {
  return new PgLuthierError({
    code: `${noun}_not_found`,
    status: 404,
    message: `There is no ${noun} ${id}.`,
    remedy: `Ask for the list of this kind to see the ids that exist.`,
  });
}

/**
 * What the driver said, without the object that said it: `ERR_INVALID_URL` carries its input, a DatabaseError its
 * `detail` with a row's values.
 */
function redactedCause(error: unknown): Error {
  const cause = new Error(error instanceof Error ? error.message : 'not an Error');
  const { code, stack } = (error ?? {}) as { code?: unknown; stack?: unknown };
  if (typeof stack === 'string') cause.stack = stack;
  return Object.assign(cause, typeof code === 'string' ? { code } : {});
}

/** No connection, or none that answers: `store_unreachable`, with the driver's code or the server's own words. */
export function storeUnreachable(error: unknown): PgLuthierError {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  // The server's words name users and databases, never passwords, and those of the driver's errors without a code are
  // fixed texts. System errors are named by their code.
  let reason = typeof message === 'string' && message !== '' ? message : 'no answer';
  if (typeof code === 'string' && sqlstate(error) === null) reason = code;
  if (code === 'ERR_INVALID_URL') reason = 'its DSN is not a valid URL';
  return new PgLuthierError({
    code: 'store_unreachable',
    status: 503,
    message: `The store does not answer: ${reason}.`,
    remedy: 'Check PGLUTHIER_STORE_URL and that its server runs and has connections left.',
    cause: redactedCause(error),
  });
}

const lostConnectionCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'ENOENT',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);

/** Connection exceptions, refused log-ins, shut-downs, too many connections, a missing database. */
const lostConnectionStates = /^(08...|28...|57P0[1-5]|53300|3D000)$/;

/** pg has no codes for these. */
const lostConnectionMessages = /^(Connection terminated|timeout exceeded when trying to connect|Client has )/;

function isConnectionLost(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && (lostConnectionCodes.has(code) || lostConnectionStates.test(code)))
    return true;
  return typeof message === 'string' && lostConnectionMessages.test(message);
}

/** States of the store that an operator has to mend, or content that it cannot take, by SQLSTATE. */
const knownStates: Record<string, Omit<PgLuthierErrorOptions, 'cause'>> = {
  '22021': {
    code: 'text_not_storable',
    status: 400,
    message: 'A text holds a character that PostgreSQL cannot keep, such as NUL.',
    remedy: 'Send it without control characters.',
  },
  '25006': {
    code: 'store_read_only',
    status: 503,
    message: 'The store is read-only.',
    remedy: 'Point PGLUTHIER_STORE_URL at the primary; a standby does not serve.',
  },
  '42501': {
    code: 'store_permission_missing',
    status: 503,
    message: "The store's role may not do this in its own database.",
    remedy: 'Let it own the schema pgluthier and everything in it.',
  },
  '42P01': {
    code: 'store_not_migrated',
    status: 503,
    message: "The store's tables are missing.",
    remedy: 'Run `pgluthier migrate`.',
  },
  '53100': {
    code: 'store_full',
    status: 503,
    message: "The store's disk is full.",
    remedy: 'Make room, or keep snapshots for fewer days.',
  },
};

/**
 * An error of the driver or the server as the store throws it: a PgLuthierError where an operator or a caller can do
 * something about it, else the same error without the values of rows.
 */
export function storeError(error: unknown): unknown {
  if (error instanceof PgLuthierError) return error;
  if (isConnectionLost(error)) return storeUnreachable(error);
  const known = knownStates[sqlstate(error) ?? ''];
  if (known) return new PgLuthierError({ ...known, cause: redactedCause(error) });
  if (sqlstate(error) !== null && error instanceof Error) {
    for (const property of ['detail', 'where', 'internalQuery', 'hint'])
      Reflect.deleteProperty(error, property);
  }
  return error;
}
