/** One connection: how it comes about, and how its loss is told. */
import { Socket } from 'node:net';
import pg from 'pg';
import { type Dsn, parseDsn, type Transport, targetAddress } from './dsn.ts';
import { connectionError, connectionLost, queryError, refusesTls, sqlstateOf } from './errors.ts';
import { valueTypes } from './value-types.ts';

export interface Connection {
  readonly address: string;
  readonly host: string;
  readonly encrypted: boolean;
  /** Process id that the server (or a pooler before it) gave at the start, for cancelling; null: none given. */
  readonly announcedPid: number | null;
  /**
   * Runs one statement.
   * @param limitMs when no answer came by then the connection is given up; 0: wait for ever.
   * @param single by the extended protocol, which refuses a second statement in the text.
   * @param onNotice given the function of the server's source that reported a warning or notice (field R of the protocol, which
   * no `lc_messages` translates).
   */
  query<T extends object>(
    sql: string,
    parameters: unknown[],
    limitMs: number,
    single?: boolean,
    onNotice?: (routine: string) => void,
  ): Promise<T[]>;
  /** Ends it, politely where the other side still answers. */
  close(): Promise<void>;
}

export interface ConnectionSettings {
  applicationName: string;
  timeoutMs: number;
  /** Gives the connection up at once, also while it comes about. */
  signal?: AbortSignal;
}

interface Loss {
  cause: unknown;
  /** Ours, when we gave it up. */
  reason?: string;
}

/** How long close() waits for the other side. */
const GOODBYE_MS = 2_000;

/**
 * @throws PgLuthierError `dsn_invalid`, `target_unreachable`, `target_auth_failed`, `target_tls_failed`,
 * `target_database_missing`, `target_busy`.
 */
export async function connect(dsn: string, settings: ConnectionSettings): Promise<Connection> {
  const parsed = parseDsn(dsn);
  const address = targetAddress(dsn);
  const [first, ...others] = parsed.transports;
  let failure: unknown;
  for (const transport of first === undefined ? [] : [first, ...others]) {
    try {
      return await connectBy(parsed, transport, address, settings);
    } catch (error) {
      failure = error;
      // As libpq does: another transport is tried where TLS, or the lack of it, may be the reason.
      if (!refusesTls(error) && sqlstateOf(error) !== '28000') break;
    }
  }
  throw connectionError(failure, address);
}

async function connectBy(
  dsn: Dsn,
  transport: Transport,
  address: string,
  settings: ConnectionSettings,
): Promise<Connection> {
  const socket = new Socket();
  const client = new pg.Client({
    host: dsn.host,
    port: dsn.port,
    ...(dsn.user === undefined ? {} : { user: dsn.user }),
    ...(dsn.password === undefined ? {} : { password: dsn.password }),
    ...(dsn.database === undefined ? {} : { database: dsn.database }),
    ...(dsn.options === undefined ? {} : { options: dsn.options }),
    ssl: transport === false ? false : { ...transport },
    application_name: settings.applicationName,
    connectionTimeoutMillis: settings.timeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    stream: () => socket,
    types: valueTypes,
  });
  let lost: Loss | null = null;
  const loss = (): Loss | null => lost;
  // Without a listener node-postgres would end the process when an idle connection drops.
  client.on('error', (error) => {
    lost ??= { cause: error };
  });
  const giveUp = (reason: string) => {
    lost ??= { cause: null, reason };
    socket.destroy();
  };
  const { signal } = settings;
  const aborted = () => giveUp('it was told to stop');
  try {
    signal?.throwIfAborted();
    signal?.addEventListener('abort', aborted, { once: true });
    await client.connect();
  } catch (error) {
    signal?.removeEventListener('abort', aborted);
    socket.destroy();
    throw error;
  }
  const { processID } = client as unknown as { processID: number | null };
  return {
    address,
    host: dsn.host,
    encrypted: transport !== false,
    announcedPid: processID ?? null,
    async query<T extends object>(
      sql: string,
      parameters: unknown[],
      limitMs: number,
      single = false,
      onNotice?: (routine: string) => void,
    ): Promise<T[]> {
      if (lost) throw connectionLost(address, lost.cause, lost.reason);
      const watchdog =
        limitMs > 0 ? setTimeout(() => giveUp(`no answer within ${limitMs} ms`), limitMs) : null;
      const noticed = ({ routine }: { routine?: string | undefined }) => onNotice?.(routine ?? '');
      if (onNotice) client.on('notice', noticed);
      try {
        const protocol = single ? { queryMode: 'extended' } : {};
        const { rows } = await client.query({ text: sql, values: parameters, ...protocol });
        return rows as T[];
      } catch (error) {
        const reason = loss()?.reason;
        if (reason) throw connectionLost(address, error, reason);
        throw queryError(error, address);
      } finally {
        if (watchdog) clearTimeout(watchdog);
        client.off('notice', noticed);
      }
    },
    async close() {
      signal?.removeEventListener('abort', aborted);
      const deadline = setTimeout(() => socket.destroy(), GOODBYE_MS);
      await client.end().catch(() => {});
      clearTimeout(deadline);
    },
  };
}
