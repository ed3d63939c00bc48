/** The targets become what a list of them says; see store/target-list.ts for what that means. */
import { PgLuthierError } from '../domain/index.ts';
import type { ListedTarget, SyncResult } from '../store/index.ts';
import { dsnWithDatabase, targetAddress } from '../target/index.ts';
import { type ListEntry, readTargetList } from '../target-list/index.ts';
import type { Services } from './services.ts';
import { resolveDsn, withReadSession } from './target-session.ts';

export interface TargetListResult extends SyncResult {
  hash: string;
  /** Servers whose databases could not be listed, with a stable code: their targets stay as they were. */
  unlisted: Record<string, string>;
}

/**
 * All of it or nothing. Servers whose databases are wanted are asked for them first.
 * @throws PgLuthierError `target_list_unreadable`, `target_list_invalid`, `dsn_invalid`, `dsn_reference_unresolved`,
 * `target_exists`.
 */
export async function syncTargetList(services: Services, path: string): Promise<TargetListResult> {
  const { hash, entries } = await readTargetList(path);
  const listed: ListedTarget[] = [];
  const unlisted: Record<string, string> = {};
  for (const entry of entries) {
    const dsn = await dsnOf(services, entry);
    try {
      for (const database of await databasesOf(entry, dsn)) listed.push(listedTarget(entry, dsn, database));
    } catch (error) {
      if (!(error instanceof PgLuthierError)) throw error;
      unlisted[entry.name] = error.code;
    }
  }
  const kept = Object.keys(unlisted).map((name) => `${name}/`);
  const result = await services.store.targets.sync(listed, 'targets-file', kept);
  return { ...result, hash, unlisted };
}

async function dsnOf(services: Services, entry: ListEntry): Promise<string> {
  try {
    const dsn = await resolveDsn(entry.dsn, services.environmentVariable);
    targetAddress(dsn);
    return dsn;
  } catch (error) {
    if (!(error instanceof PgLuthierError)) throw error;
    throw new PgLuthierError({
      code: error.code,
      status: error.status,
      message: `Target ${entry.name} of the list: ${error.message}`,
      ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    });
  }
}

/** Null: the DSN's own. */
async function databasesOf(entry: ListEntry, dsn: string): Promise<(string | null)[]> {
  if (entry.databases === undefined) return [null];
  if (entry.databases !== 'all') return entry.databases;
  return withReadSession(dsn, 'discover', async (session) => {
    const rows = await session.query<{ name: string }>(
      `SELECT datname::text AS name FROM pg_database
       WHERE datallowconn AND NOT datistemplate AND has_database_privilege(oid, 'CONNECT') ORDER BY datname`,
    );
    return rows.map((row) => row.name);
  });
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
