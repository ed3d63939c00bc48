/** One session on a target: bounded in every direction, marked as ours, with values in the types that the rooms expect. */
import pg from 'pg';
import { PgLuthierError } from '../domain/index.ts';
import { parseDsn, targetAddress } from './dsn.ts';
import { connectionError, queryError } from './errors.ts';

export interface SessionOptions {
  /** Starts with `pgluthier`: it is how a DBA recognises us. */
  applicationName: string;
  /** The server refuses writes in this session. */
  readOnly: boolean;
  /** Default 30 s. 0: none. */
  statementTimeoutMs?: number;
  /** Default 1 s: a reader never queues behind DDL for long. */
  lockTimeoutMs?: number;
  /** Default 10 s. */
  connectTimeoutMs?: number;
}

export interface TargetSession {
  /** host:port/database. */
  readonly address: string;
  /** The host as the DSN names it: a socket directory, a name or an address. */
  readonly host: string;
  /** Our backend: with `backendStart` it names one backend for good. */
  readonly pid: number;
  readonly backendStart: string;
  readonly server_version_num: number;
  /**
   * Runs one statement. int8 and numeric come as numbers, timestamps as ISO 8601 in UTC.
   * @throws PgLuthierError `target_connection_lost`; the server's own errors come as `TargetQueryError` with SQLSTATE.
   */
  query<T extends object>(sql: string, parameters?: unknown[]): Promise<T[]>;
  close(): Promise<void>;
}

const INT8 = 20;
const NUMERIC = 1700;
const TIMESTAMPTZ = 1184;

/** int8 as a number: every counter fits; what does not is an error, never a rounded value. */
function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`an int8 beyond 2^53 came where a counter was expected`);
  return value;
}

/** `2026-01-31 12:00:00.123456+00` as ISO 8601; infinities stay words. */
function parseTimestamp(text: string): string {
  return text.endsWith('infinity') ? text : `${text.replace(' ', 'T').replace(/\+00$/, '')}Z`;
}

const parsers: Record<number, (text: string) => unknown> = {
  [INT8]: parseInt8,
  [NUMERIC]: Number,
  [TIMESTAMPTZ]: parseTimestamp,
};

const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    parsers[oid] ?? pg.types.getTypeParser(oid, format as 'text')) as pg.CustomTypesConfig['getTypeParser'],
};

/**
 * Opens one session.
 * @throws PgLuthierError `dsn_invalid`, `target_unreachable`, `target_auth_failed`, `target_database_missing`,
 * `target_busy`.
 */
export async function openTarget(dsn: string, options: SessionOptions): Promise<TargetSession> {
  const address = targetAddress(dsn);
  const client = new pg.Client({
    connectionString: dsn,
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    keepAlive: true,
    types,
  });
  let lost: Error | null = null;
  // Without a listener node-postgres would end the process when an idle connection drops.
  client.on('error', (error) => {
    lost = error;
  });
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => {});
    throw connectionError(error, address);
  }
  const query = async <T extends object>(sql: string, parameters: unknown[] = []): Promise<T[]> => {
    if (lost) throw queryError(lost, address);
    try {
      // Behind the statement: PostgreSQL 18 cuts comments before it off before pg_stat_statements sees the text.
      const { rows } = await client.query(`${sql}\n/* pgluthier */`, parameters);
      return rows as T[];
    } catch (error) {
      throw queryError(error, address);
    }
  };
  const close = async () => {
    await client.end().catch(() => {});
  };
  try {
    const identity = await prepareSession(query, options);
    return { address, host: parseDsn(dsn).host ?? 'localhost', query, close, ...identity };
  } catch (error) {
    await close();
    throw error;
  }
}

async function prepareSession(
  query: <T extends object>(sql: string, parameters?: unknown[]) => Promise<T[]>,
  options: SessionOptions,
): Promise<Pick<TargetSession, 'pid' | 'backendStart' | 'server_version_num'>> {
  const [version] = await query<{ num: string }>("SELECT current_setting('server_version_num') AS num");
  const serverVersion = Number(version?.num);
  const settings: Record<string, string> = {
    statement_timeout: String(options.statementTimeoutMs ?? 30_000),
    lock_timeout: String(options.lockTimeoutMs ?? 1_000),
    idle_in_transaction_session_timeout: '60000',
    default_transaction_read_only: options.readOnly ? 'on' : 'off',
    search_path: 'pg_catalog',
    timezone: 'UTC',
    datestyle: 'ISO',
    intervalstyle: 'iso_8601',
    bytea_output: 'hex',
    extra_float_digits: '1',
    ...(options.readOnly ? { jit: 'off', max_parallel_workers_per_gather: '0' } : {}),
    ...(serverVersion >= 170000 ? { transaction_timeout: '0' } : {}),
  };
  // set_config over one statement: names are ours, values are parameters.
  const names = Object.keys(settings);
  await query(
    `SELECT ${names.map((name, index) => `set_config('${name}', $${index + 1}, false)`).join(', ')}`,
    Object.values(settings),
  );
  const [backend] = await query<{ pid: number; backend_start: string }>(
    'SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()',
  );
  if (!backend) {
    throw new PgLuthierError({
      code: 'target_connection_lost',
      status: 502,
      message: 'The session does not see itself in pg_stat_activity.',
      remedy: 'Connect directly, not through a pooler in transaction mode.',
    });
  }
  return { pid: backend.pid, backendStart: backend.backend_start, server_version_num: serverVersion };
}
