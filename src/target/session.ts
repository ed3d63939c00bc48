/** One session on a target: bounded in every direction, marked as ours, with values in the types that the rooms expect. */
import { PgLuthierError } from '../domain/index.ts';
import { type Connection, connect } from './connection.ts';
import { detectPooling, type Pooling } from './pooler.ts';

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
  /** Gives the connection up when it is aborted: what runs then fails with `target_connection_lost`. */
  signal?: AbortSignal;
}

export interface TargetSession {
  /** host:port/database. */
  readonly address: string;
  /** The host as the DSN names it: a socket directory, a name or an address. */
  readonly host: string;
  /** Whether the way there is under TLS. */
  readonly encrypted: boolean;
  /** `session`: there is a pooler in between which keeps a backend for us. */
  readonly pooling: Pooling;
  /** The role that we are (current_user). */
  readonly role: string;
  /** Our backend: with `backendStart` it names one backend for good. */
  readonly pid: number;
  readonly backendStart: string;
  readonly server_version_num: number;
  /**
   * Runs one statement. int8 and numeric come as numbers, timestamps as ISO 8601 in UTC.
   * @throws PgLuthierError `target_connection_lost`, `target_value_unreadable`; the server's own errors come as
   * `TargetQueryError` with SQLSTATE.
   * @param options.single the text holds what others wrote: a second statement in it is refused by the server, where
   * without parameters it would be run.
   * @param options.answerWithinMs the connection is given up when no answer came by then: for a statement that may run
   * longer than the session's own statement_timeout. 0: wait as long as the connection stands.
   * @param options.onNotice given the function of the server's source that reported a warning while it ran.
   */
  query<T extends object>(
    sql: string,
    parameters?: unknown[],
    options?: { single?: boolean; answerWithinMs?: number; onNotice?: (routine: string) => void },
  ): Promise<T[]>;
  close(): Promise<void>;
}

/** Oldest server that the collecting SQL is written for. */
const OLDEST_VERSION_NUM = 140_000;

/**
 * How much longer than statement_timeout we wait: the server ends what is too slow; only when it cannot answer any
 * more does this end the wait.
 */
function answerLimit(statementTimeoutMs: number): number {
  return statementTimeoutMs === 0
    ? 0
    : statementTimeoutMs + Math.min(10_000, Math.max(1_000, statementTimeoutMs));
}

/**
 * Opens one session.
 * @throws PgLuthierError `dsn_invalid`, `target_unreachable`, `target_auth_failed`, `target_tls_failed`,
 * `target_database_missing`, `target_busy`, `target_behind_pooler`, `target_too_old`.
 */
export async function openTarget(dsn: string, options: SessionOptions): Promise<TargetSession> {
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  const limitMs = answerLimit(statementTimeoutMs);
  const connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
  const settings = {
    applicationName: options.applicationName,
    timeoutMs: connectTimeoutMs,
    ...(options.signal ? { signal: options.signal } : {}),
  };
  const connection = await connect(dsn, settings);
  // Behind the statement: PostgreSQL 18 cuts comments before it off before pg_stat_statements sees the text.
  const query: TargetSession['query'] = (
    sql,
    parameters = [],
    { single, answerWithinMs = limitMs, onNotice } = {},
  ) => connection.query(`${sql}\n/* pgluthier */`, parameters, answerWithinMs, single, onNotice);
  try {
    const pooling = await detectPooling(connection, () => connect(dsn, settings), connectTimeoutMs);
    const identity = await prepareSession(query, connection, { ...options, statementTimeoutMs });
    return {
      address: connection.address,
      host: connection.host,
      encrypted: connection.encrypted,
      pooling,
      query,
      async close() {
        // A pooler may hand this backend on as we leave it, with a role that we took on (which RESET ALL leaves), an
        // advisory lock and its settings.
        if (pooling === 'session') await query('DISCARD ALL').catch(() => {});
        await connection.close();
      },
      ...identity,
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

type Query = TargetSession['query'];

async function prepareSession(
  query: Query,
  connection: Connection,
  options: SessionOptions & { statementTimeoutMs: number },
): Promise<Pick<TargetSession, 'role' | 'pid' | 'backendStart' | 'server_version_num'>> {
  const [version] = await query<{ num: string; encoding: string }>(
    "SELECT pg_catalog.current_setting('server_version_num') AS num, pg_catalog.current_setting('server_encoding') AS encoding",
  );
  const serverVersion = Number(version?.num);
  if (!(serverVersion >= OLDEST_VERSION_NUM)) {
    throw new PgLuthierError({
      code: 'target_too_old',
      status: 422,
      message: `${connection.address} runs PostgreSQL ${Math.floor(serverVersion / 10_000)}; 14 is the oldest that PgLuthier knows.`,
      remedy: 'Upgrade the server; versions before 14 are out of support.',
    });
  }
  const settings: Record<string, string> = {
    application_name: options.applicationName,
    statement_timeout: String(options.statementTimeoutMs),
    lock_timeout: String(options.lockTimeoutMs ?? 1_000),
    idle_in_transaction_session_timeout: '60000',
    // A role's own limit would end the session while the journal is written.
    idle_session_timeout: '0',
    default_transaction_read_only: options.readOnly ? 'on' : 'off',
    search_path: 'pg_catalog',
    // What a role may have of its own and would give texts of the catalog, or statements made of them, another meaning.
    standard_conforming_strings: 'on',
    transform_null_equals: 'off',
    quote_all_identifiers: 'off',
    timezone: 'UTC',
    datestyle: 'ISO',
    intervalstyle: 'iso_8601',
    bytea_output: 'hex',
    extra_float_digits: '1',
    // A role may have it higher, and a warning of a commit that was not waited for is to be heard.
    client_min_messages: 'warning',
    // Such a database holds bytes of any encoding. Asked for UTF8 the server would refuse every answer that has others
    // (22021); so they come as they are, and what is no UTF-8 reads as U+FFFD.
    ...(version?.encoding === 'SQL_ASCII' ? { client_encoding: 'SQL_ASCII' } : {}),
    // work_mem: what the catalogs and pg_stat_statements (a tuplestore of all its texts) give must not go through
    // temporary files; it is a bound, used only where they are that large.
    ...(options.readOnly ? { jit: 'off', max_parallel_workers_per_gather: '0', work_mem: '64MB' } : {}),
    // A role's own limit on transactions would cut CREATE INDEX CONCURRENTLY short.
    ...(serverVersion >= 170000 ? { transaction_timeout: '0' } : {}),
  };
  // set_config over one statement: names are ours, values are parameters.
  const names = Object.keys(settings);
  await query(
    `SELECT ${names.map((name, index) => `pg_catalog.set_config('${name}', $${index + 1}, false)`).join(', ')}`,
    Object.values(settings),
  );
  const [backend] = await query<{ role: string; pid: number; backend_start: string }>(
    'SELECT current_user::text AS role, pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()',
  );
  if (!backend) throw new Error('a session must see itself in pg_stat_activity');
  return {
    role: backend.role,
    pid: backend.pid,
    backendStart: backend.backend_start,
    server_version_num: serverVersion,
  };
}
