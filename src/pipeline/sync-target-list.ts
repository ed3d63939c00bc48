/** The targets become what a list of them says; see store/target-list.ts for what that means. */
import { PgLuthierError } from '../domain/index.ts';
import type { ListedTarget, SyncResult } from '../store/index.ts';
import { dsnWithDatabase, targetAddress } from '../target/index.ts';
import { type ListEntry, readTargetList } from '../target-list/index.ts';
import type { Services } from './services.ts';
import { resolveDsn, withReadSession } from './target-session.ts';

export interface TargetListResult extends SyncResult {
  hash: string;
  /** Entries whose DSN is not there, or whose databases could not be listed, with a stable code: their targets stay. */
  unlisted: Record<string, string>;
}

/**
 * Servers whose databases are wanted are asked for them first; what then can be taken over is, all of it or nothing.
 * @throws PgLuthierError `target_list_unreadable`, `target_list_invalid`, `target_exists`.
 */
export async function syncTargetList(
  services: Services,
  path: string,
  signal?: AbortSignal,
): Promise<TargetListResult> {
  const { hash, entries } = await readTargetList(path);
  const unlisted: Record<string, string> = {};
  const found = new Map<string, ListedTarget[]>();
  const waiting = [...entries];
  const worker = async () => {
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      try {
        const dsn = await resolveDsn(entry.dsn, services.environmentVariable);
        const databases = await databasesOf(entry, dsn, signal);
        found.set(
          entry.name,
          databases.map((database) => listedTarget(entry, dsn, database)),
        );
      } catch (error) {
        if (!(error instanceof PgLuthierError)) throw error;
        services.logger.warn(
          { err: error, entry: entry.name },
          'an entry of the list of targets was left out',
        );
        unlisted[entry.name] = error.code;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  signal?.throwIfAborted();
  const listed = entries.flatMap((entry) => found.get(entry.name) ?? []);
  const result = await services.store.targets.sync(listed, 'targets-file', Object.keys(unlisted));
  return { ...result, hash, unlisted };
}

/** Servers that are asked for their databases at once: some may not answer. */
const AT_ONCE = 16;
const DISCOVER_TIMEOUT_MS = 5_000;

/** Null: the DSN's own. */
async function databasesOf(
  entry: ListEntry,
  dsn: string,
  signal: AbortSignal | undefined,
): Promise<(string | null)[]> {
  if (entry.databases === undefined) return [null];
  if (entry.databases !== 'all') return entry.databases;
  return withReadSession(
    dsn,
    'discover',
    async (session) => {
      const rows = await session.query<{ name: string }>(
        `SELECT datname::text AS name FROM pg_database
       WHERE datallowconn AND NOT datistemplate AND has_database_privilege(oid, 'CONNECT') ORDER BY datname`,
      );
      return rows.map((row) => row.name);
    },
    {
      connectTimeoutMs: DISCOVER_TIMEOUT_MS,
      statementTimeoutMs: DISCOVER_TIMEOUT_MS,
      ...(signal ? { signal } : {}),
    },
  );
}

function listedTarget(entry: ListEntry, dsn: string, database: string | null): ListedTarget {
  return {
    name: database === null ? entry.name : `${entry.name}/${database}`,
    dsn: entry.dsn,
    address: targetAddress(database === null ? dsn : dsnWithDatabase(dsn, database)),
    database_name: database,
    host_overrides: entry.host,
    labels: entry.labels,
    paused: entry.paused,
  };
}
