/** The pool and Kysely over it, with values in the types that the nouns' files expect, and errors in our words. */
import { randomBytes } from 'node:crypto';
import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import { PgLuthierError } from '../domain/index.ts';
import type { Tables } from './schema.ts';

export type Database = Kysely<Tables>;
export type DatabaseTransaction = Transaction<Tables>;

const INT8 = 20;
const TIMESTAMPTZ = 1184;

const parsers: Record<number, (text: string) => unknown> = {
  [INT8]: Number,
  [TIMESTAMPTZ]: (text) => new Date(text).toISOString(),
};

/** A pool for the store. The DSN stays inside it. */
export function createPool(dsn: string, size: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: dsn,
    max: size,
    application_name: 'pgluthier:store',
    connectionTimeoutMillis: 10_000,
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        parsers[oid] ??
        pg.types.getTypeParser(oid, format as 'text')) as pg.CustomTypesConfig['getTypeParser'],
    },
  });
  // An idle connection that drops is replaced at the next use; without a listener it would end the process.
  pool.on('error', () => {});
  return pool;
}

export function createDatabase(pool: pg.Pool): Database {
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
}

/** The store does not answer; the driver's words may hold its address, never its password, and go to the log only. */
export function storeUnreachable(cause: unknown): PgLuthierError {
  return new PgLuthierError({
    code: 'store_unreachable',
    status: 503,
    message: 'The store does not answer.',
    remedy: 'Check PGLUTHIER_STORE_URL and that its server runs.',
    cause,
  });
}

/** SQLSTATE of a unique violation. */
export const UNIQUE_VIOLATION = '23505';

/** SQLSTATE of a database error, or null. */
export function sqlstate(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code.length === 5 ? code : null;
}

/** A new id: sortable by time to the millisecond, unguessable behind it. */
export function newId(prefix: string): string {
  return `${prefix}_${Date.now().toString(36)}${randomBytes(8).toString('hex')}`;
}

/** 404 for one thing of one kind. */
export function notFound(noun: string, id: string): PgLuthierError {
  return new PgLuthierError({
    code: `${noun}_not_found`,
    status: 404,
    message: `There is no ${noun} ${id}.`,
    remedy: `List the ${noun}s to see their ids.`,
  });
}
