/** The pool and Kysely over it, with values in the types that the nouns' files expect, and errors in our words. */
import { randomBytes } from 'node:crypto';
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresDialect,
  type QueryResult,
  type Transaction,
  type TransactionSettings,
} from 'kysely';
import pg from 'pg';
import { storeError, storeUnreachable } from './errors.ts';
import type { Tables } from './schema.ts';

export type Database = Kysely<Tables>;
export type DatabaseTransaction = Transaction<Tables>;

const INT8 = 20;
const TIMESTAMPTZ = 1184;

/** int8 as a number; one beyond 2^53 would be a wrong number, so it is an error. */
export function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit a number`);
  return value;
}

/**
 * timestamptz as PostgreSQL prints it in UTC and ISO style, as ISO 8601: three digits of a second as JavaScript does,
 * or all six where the last three say something.
 */
export function parseTimestamp(text: string): string {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/.exec(text);
  if (!match) throw new RangeError(`timestamp ${text} is not in UTC and ISO style`);
  const digits = (match[3] ?? '').padEnd(6, '0');
  return `${match[1]}T${match[2]}.${digits.endsWith('000') ? digits.slice(0, 3) : digits}Z`;
}

const parsers: Record<number, (text: string) => unknown> = {
  [INT8]: parseInt8,
  [TIMESTAMPTZ]: parseTimestamp,
};

/** A pool for the store, and its connections. The DSN stays inside it. */
export function createPool(
  dsn: string,
  size: number,
): { pool: pg.Pool; clients: ReadonlySet<pg.PoolClient> } {
  const pool = new pg.Pool({
    connectionString: dsn,
    max: size,
    connectionTimeoutMillis: 10_000,
    // Not connection options: poolers refuse those, and a DSN's own would replace them.
    onConnect: async (client) => {
      await client.query(
        "SET application_name = 'pgluthier:store'; SET TIME ZONE 'UTC'; SET DateStyle = 'ISO'; SET jit = off",
      );
    },
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        parsers[oid] ??
        pg.types.getTypeParser(oid, format as 'text')) as pg.CustomTypesConfig['getTypeParser'],
    },
  });
  // A connection that drops fails its own query and is replaced at the next use; without listeners, on the pool for
  // idle ones and on the client for those at work, the event itself would end the process.
  const clients = new Set<pg.PoolClient>();
  pool.on('error', () => {});
  pool.on('connect', (client) => {
    client.on('error', () => {});
    clients.add(client);
  });
  pool.on('remove', (client) => clients.delete(client));
  return { pool, clients };
}

/** How long connections at work may take to their end when the pool is ended, ms. */
const END_WITHIN_MS = 1_000;

/** Ends the pool and Kysely over it; what is still at work then is cut off, and the server rolls it back. */
export async function endDatabase(db: Database, pool: pg.Pool, clients: ReadonlySet<pg.PoolClient>) {
  const ended = db
    .destroy()
    // Kysely ends the pool only if it was asked anything itself; a migration goes past it.
    .then(() => (pool.ending ? undefined : pool.end()));
  const late = setTimeout(() => {
    // With a query at work it breaks the connection, which fails that query.
    for (const client of clients) void client.end().catch(() => {});
  }, END_WITHIN_MS);
  await ended;
  clearTimeout(late);
}

/** One connection whose errors are the store's. */
class StoreConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection;

  constructor(inner: DatabaseConnection) {
    this.inner = inner;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    try {
      return await this.inner.executeQuery<R>(query);
    } catch (error) {
      throw storeError(error);
    }
  }

  streamQuery<R>(query: CompiledQuery, chunkSize?: number): AsyncIterableIterator<QueryResult<R>> {
    return this.inner.streamQuery<R>(query, chunkSize);
  }
}

/** Kysely's driver for PostgreSQL, with the store's errors. */
class StoreDriver implements Driver {
  readonly #inner: Driver;

  constructor(inner: Driver) {
    this.#inner = inner;
  }

  init(): Promise<void> {
    return this.#inner.init();
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    try {
      return new StoreConnection(await this.#inner.acquireConnection());
    } catch (error) {
      throw storeUnreachable(error);
    }
  }

  beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    return this.#inner.beginTransaction(connection, settings);
  }

  commitTransaction(connection: DatabaseConnection): Promise<void> {
    return this.#inner.commitTransaction(connection);
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // It fails only where the connection is gone, and the server has rolled back by itself then: what the caller is
    // to see is the error that led here.
    await this.#inner.rollbackTransaction(connection).catch(() => {});
  }

  releaseConnection(connection: DatabaseConnection): Promise<void> {
    return this.#inner.releaseConnection(
      connection instanceof StoreConnection ? connection.inner : connection,
    );
  }

  destroy(): Promise<void> {
    return this.#inner.destroy();
  }
}

class StoreDialect extends PostgresDialect {
  override createDriver(): Driver {
    return new StoreDriver(super.createDriver());
  }
}

export function createDatabase(pool: pg.Pool): Database {
  return new Kysely<Tables>({ dialect: new StoreDialect({ pool }) });
}

/** A new id: sortable by time to the millisecond, unguessable behind it. */
export function newId(prefix: string): string {
  return `${prefix}_${Date.now().toString(36)}${randomBytes(8).toString('hex')}`;
}
