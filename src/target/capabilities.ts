/** What this role, on this server, may see: decided afresh for each session. */
import type { Capabilities, Limit } from '../domain/index.ts';
import { detectManagedService } from './managed-service.ts';
import type { TargetSession } from './session.ts';

/** Newest major that was tested. */
const NEWEST_TESTED_MAJOR = 18;

interface RoleRow {
  in_recovery: boolean;
  is_superuser: boolean;
  is_monitor: boolean;
  reads_all_data: boolean;
  reads_all_stats: boolean;
  preload: string | null;
  compute_query_id: string | null;
}

/** Asks the server for the role's memberships, the extensions and the preloaded libraries. */
export async function detectCapabilities(session: TargetSession): Promise<Capabilities> {
  const [role] = await session.query<RoleRow>(
    `SELECT pg_is_in_recovery() AS in_recovery,
            (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
            pg_has_role(current_user, 'pg_monitor', 'USAGE') AS is_monitor,
            pg_has_role(current_user, 'pg_read_all_data', 'USAGE') AS reads_all_data,
            pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS reads_all_stats,
            (SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries') AS preload,
            current_setting('compute_query_id', true) AS compute_query_id`,
  );
  if (!role) throw new Error('a SELECT without FROM gave no row');
  const extensionRows = await session.query<{ name: string; version: string; schema: string }>(
    `SELECT extname AS name, extversion AS version, nspname AS schema
     FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace ORDER BY extname`,
  );
  const statements = extensionRows.find((row) => row.name === 'pg_stat_statements');
  const loaded = await statementsAnswer(session, statements?.schema ?? null, role.preload);
  const major = Math.floor(session.server_version_num / 10_000);
  const limits: Limit[] = [];
  if (major > NEWEST_TESTED_MAJOR) {
    limits.push({
      scope: 'server',
      code: 'version_untested',
      message: `PostgreSQL ${major} is newer than ${NEWEST_TESTED_MAJOR}, the newest that was tested.`,
      remedy: null,
    });
  }
  return {
    server_version_num: session.server_version_num,
    major,
    in_recovery: role.in_recovery,
    is_superuser: role.is_superuser,
    is_monitor: role.is_superuser || role.is_monitor,
    reads_all_data: role.is_superuser || role.reads_all_data,
    pg_stat_statements: statements?.version ?? null,
    pg_stat_statements_schema: statements?.schema ?? null,
    pg_stat_statements_loaded: loaded,
    sees_all_statements: role.is_superuser || role.reads_all_stats,
    extensions: Object.fromEntries(extensionRows.map((row) => [row.name, row.version])),
    hypopg: extensionRows.find((row) => row.name === 'hypopg')?.version ?? null,
    managed_service: await detectManagedService(session),
    limits,
  };
}

/**
 * shared_preload_libraries is visible to superusers and pg_read_all_settings only; pg_stat_statements.max exists only
 * where the library is loaded, and everybody may see it.
 */
async function statementsAnswer(
  session: TargetSession,
  schema: string | null,
  preload: string | null,
): Promise<boolean> {
  if (schema === null) return preload?.includes('pg_stat_statements') ?? false;
  const [row] = await session.query<{ loaded: string | null }>(
    "SELECT current_setting('pg_stat_statements.max', true) AS loaded",
  );
  return row?.loaded !== null && row?.loaded !== undefined;
}
