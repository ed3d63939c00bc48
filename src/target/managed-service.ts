/** Which managed service runs this server, by its signs in SQL and by the host's name. */
import type { Sourced } from '../domain/index.ts';
import type { TargetSession } from './session.ts';

const hostSuffixes: [suffix: string, service: string][] = [
  ['.rds.amazonaws.com', 'rds'],
  ['.rds.amazonaws.com.cn', 'rds'],
  ['.postgres.database.azure.com', 'azure'],
  ['.neon.tech', 'neon'],
  ['.pooler.supabase.com', 'supabase'],
  ['.supabase.co', 'supabase'],
  ['.aivencloud.com', 'aiven'],
  ['.db.ondigitalocean.com', 'digitalocean'],
  ['.tsdb.cloud.timescale.com', 'timescale'],
  ['.postgresbridge.com', 'crunchybridge'],
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

/** What SQL shows of a service. */
export interface Signs {
  aurora: boolean;
  prefixes: string[];
  roles: string[];
}

/** The service with the sign that told of it; value null: nothing did. */
export async function findManagedService(session: TargetSession): Promise<Sourced<string>> {
  const [signs] = await session.query<Signs>(
    `SELECT EXISTS (SELECT 1 FROM pg_proc WHERE proname = 'aurora_version' AND pronamespace = 'pg_catalog'::regnamespace) AS aurora,
            ARRAY(SELECT DISTINCT split_part(name, '.', 1) FROM pg_settings WHERE name LIKE '%.%')::text[] AS prefixes,
            ARRAY(SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1))::text[] AS roles`,
    [administratorRoles.map(([role]) => role)],
  );
  return serviceOf(signs ?? { aurora: false, prefixes: [], roles: [] }, session.host);
}

/** What the signs tell, the surest first: anybody may call a role or a host as they like. */
export function serviceOf(signs: Signs, address: string): Sourced<string> {
  if (signs.aurora) return { value: 'aurora', source: 'function aurora_version()' };
  const byPrefix = settingPrefixes.find(([prefix]) => signs.prefixes.includes(prefix));
  if (byPrefix) return { value: byPrefix[1], source: `settings ${byPrefix[0]}.*` };
  const byRole = administratorRoles.find(([role]) => signs.roles.includes(role));
  if (byRole) return { value: byRole[1], source: `role ${byRole[0]}` };
  const host = address.toLowerCase().replace(/\.$/, '');
  const bySuffix = hostSuffixes.find(([suffix]) => host.endsWith(suffix));
  if (bySuffix) return { value: bySuffix[1], source: `host name *${bySuffix[0]}` };
  return { value: null, source: 'no sign of one among settings, functions, roles and the host name' };
}

/** The service's short name, or null when nothing tells of one. */
export async function detectManagedService(session: TargetSession): Promise<string | null> {
  return (await findManagedService(session)).value;
}
