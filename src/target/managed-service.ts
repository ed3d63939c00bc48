/** Which managed service runs this server, by its signs in SQL and by the host's name. */
import type { TargetSession } from './session.ts';

const hostSuffixes: [suffix: string, service: string][] = [
  ['.rds.amazonaws.com', 'rds'],
  ['.postgres.database.azure.com', 'azure'],
  ['.neon.tech', 'neon'],
  ['.pooler.supabase.com', 'supabase'],
  ['.supabase.co', 'supabase'],
];

const settingPrefixes: [prefix: string, service: string][] = [
  ['rds.', 'rds'],
  ['cloudsql.', 'cloudsql'],
  ['alloydb.', 'alloydb'],
  ['neon.', 'neon'],
  ['supautils.', 'supabase'],
  ['azure.', 'azure'],
];

/** The service's short name, or null when nothing tells of one. */
export async function detectManagedService(session: TargetSession): Promise<string | null> {
  const aurora = await session.query(`SELECT 1 FROM pg_proc WHERE proname = 'aurora_version' LIMIT 1`);
  if (aurora.length > 0) return 'aurora';
  const rows = await session.query<{ prefix: string }>(
    "SELECT DISTINCT split_part(name, '.', 1) || '.' AS prefix FROM pg_settings WHERE name LIKE '%.%'",
  );
  const found = new Set(rows.map((row) => row.prefix));
  const bySetting = settingPrefixes.find(([prefix]) => found.has(prefix));
  if (bySetting) return bySetting[1];
  return hostSuffixes.find(([suffix]) => session.host.toLowerCase().endsWith(suffix))?.[1] ?? null;
}
