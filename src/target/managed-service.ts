/** Which managed service runs this server, by its signs in SQL and by the host's name. */
import type { TargetSession } from './session.ts';

const hostSuffixes: [suffix: string, service: string][] = [
  ['.rds.amazonaws.com', 'rds'],
  ['.rds.amazonaws.com.cn', 'rds'],
  ['.postgres.database.azure.com', 'azure'],
  ['.neon.tech', 'neon'],
  ['.pooler.supabase.com', 'supabase'],
  ['.supabase.co', 'supabase'],
];

const settingPrefixes: [prefix: string, service: string][] = [
  ['rds', 'rds'],
  ['alloydb', 'alloydb'],
  ['cloudsql', 'cloudsql'],
  ['neon', 'neon'],
  ['supautils', 'supabase'],
  ['azure', 'azure'],
];

/** Roles that the services make their administrators of; a prefix of pg_ is reserved, these are not. */
const administratorRoles: [role: string, service: string][] = [
  ['rds_superuser', 'rds'],
  ['alloydbsuperuser', 'alloydb'],
  ['cloudsqlsuperuser', 'cloudsql'],
  ['azure_pg_admin', 'azure'],
  ['neon_superuser', 'neon'],
  ['supabase_admin', 'supabase'],
];

interface Signs {
  aurora: boolean;
  prefixes: string[];
  roles: string[];
}

/** The service's short name, or null when nothing tells of one. */
export async function detectManagedService(session: TargetSession): Promise<string | null> {
  const [signs] = await session.query<Signs>(
    `SELECT EXISTS (SELECT 1 FROM pg_proc WHERE proname = 'aurora_version' AND pronamespace = 'pg_catalog'::regnamespace) AS aurora,
            ARRAY(SELECT DISTINCT split_part(name, '.', 1) FROM pg_settings WHERE name LIKE '%.%')::text[] AS prefixes,
            ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1))::text[] AS roles`,
    [administratorRoles.map(([role]) => role)],
  );
  if (!signs) return null;
  if (signs.aurora) return 'aurora';
  const host = session.host.toLowerCase().replace(/\.$/, '');
  return (
    settingPrefixes.find(([prefix]) => signs.prefixes.includes(prefix))?.[1] ??
    administratorRoles.find(([role]) => signs.roles.includes(role))?.[1] ??
    hostSuffixes.find(([suffix]) => host.endsWith(suffix))?.[1] ??
    null
  );
}
