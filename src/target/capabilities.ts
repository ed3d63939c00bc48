/** What this role, on this server, may see: decided afresh for each session. */
import { type Capabilities, type Limit, PgLuthierError, quoteIdentifier } from '../domain/index.ts';
import { TargetQueryError } from './errors.ts';
import { detectManagedService } from './managed-service.ts';
import type { TargetSession } from './session.ts';

/** Newest major that was tested. */
const NEWEST_TESTED_MAJOR = 18;

const LOCK_NOT_AVAILABLE = '55P03';

interface RoleRow {
  in_recovery: boolean;
  is_superuser: boolean;
  /** Of pg_monitor's rights those that are used. */
  is_monitor: boolean;
  reads_all_data: boolean;
  reads_all_stats: boolean;
  statements_loaded: boolean;
}

/**
 * Asks the server for the role's memberships, the extensions and the preloaded libraries. Nothing here is refused to
 * any role: settings are looked up in pg_settings, which leaves out what is hidden, where current_setting() would fail.
 * pg_stat_statements.max is there only where the library was preloaded, and for everybody to see.
 * @throws PgLuthierError `target_catalog_locked`, `capabilities_unreadable`: then nothing else can be read either.
 */
export async function detectCapabilities(session: TargetSession): Promise<Capabilities> {
  try {
    return await readCapabilities(session);
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    const isLock = error.sqlstate === LOCK_NOT_AVAILABLE;
    throw new PgLuthierError({
      code: isLock ? 'target_catalog_locked' : 'capabilities_unreadable',
      status: isLock ? 503 : 502,
      message: isLock
        ? `Somebody holds a system catalog of ${session.address} exclusively: no statement gets by.`
        : `${session.address} does not say what this role may see: ${error.message}`,
      ...(isLock
        ? { remedy: 'VACUUM FULL, CLUSTER or REINDEX of a catalog ends by itself; the next run tries again.' }
        : {}),
      cause: error,
    });
  }
}

async function readCapabilities(session: TargetSession): Promise<Capabilities> {
  const [role] = await session.query<RoleRow>(
    `SELECT pg_is_in_recovery() AS in_recovery,
            (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
            pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')
                AND pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS is_monitor,
            pg_has_role(current_user, 'pg_read_all_data', 'USAGE') AS reads_all_data,
            pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS reads_all_stats,
            EXISTS (SELECT 1 FROM pg_settings WHERE name = 'pg_stat_statements.max') AS statements_loaded`,
  );
  if (!role) throw new Error('a SELECT without FROM gave no row');
  const extensionRows = await session.query<{ name: string; version: string; schema: string }>(
    `SELECT extname AS name, extversion AS version, nspname AS schema
     FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace ORDER BY extname`,
  );
  const statements = extensionRows.find((row) => row.name === 'pg_stat_statements');
  const major = Math.floor(session.server_version_num / 10_000);
  return {
    server_version_num: session.server_version_num,
    major,
    in_recovery: role.in_recovery,
    is_superuser: role.is_superuser,
    is_monitor: role.is_superuser || role.is_monitor,
    reads_all_data: role.is_superuser || role.reads_all_data,
    pg_stat_statements: statements?.version ?? null,
    pg_stat_statements_schema: statements?.schema ?? null,
    pg_stat_statements_loaded: role.statements_loaded,
    sees_all_statements: role.is_superuser || role.reads_all_stats,
    extensions: Object.fromEntries(extensionRows.map((row) => [row.name, row.version])),
    extension_schemas: Object.fromEntries(extensionRows.map((row) => [row.name, row.schema])),
    hypopg: extensionRows.find((row) => row.name === 'hypopg')?.version ?? null,
    managed_service: await detectManagedService(session),
    limits: limitsOf(major, role, session.role),
  };
}

function limitsOf(major: number, role: RoleRow, name: string): Limit[] {
  const limits: Limit[] = [];
  if (major > NEWEST_TESTED_MAJOR) {
    limits.push({
      scope: 'server',
      code: 'version_untested',
      message: `PostgreSQL ${major} is newer than ${NEWEST_TESTED_MAJOR}, the newest that was tested.`,
      remedy: null,
    });
  }
  if (role.in_recovery) {
    // Counters live in each server's own memory and never come over with the log: on a standby scans and statements
    // are those that ran here, and what only a primary does (writes, vacuum, analyze) reads as never done.
    limits.push({
      scope: 'server',
      code: 'standby',
      message:
        'This is a standby: statements and the use of tables and indexes are those of this replica alone; writes, dead rows, vacuum and analyze are not counted here.',
      remedy:
        'Watch the primary, too: an index that is unused here may be used there, and the other way round.',
    });
  }
  if (!role.is_superuser && !role.is_monitor) {
    limits.push({
      scope: 'server',
      code: 'not_monitor',
      message: 'This role does not see all settings, nor what other sessions do.',
      remedy: `GRANT pg_monitor TO ${quoteIdentifier(name)};`,
    });
  }
  return limits;
}
