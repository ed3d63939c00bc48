/** A setting as the server has it, the entries of its files, and who overrides it. */
import type { TargetSession } from '../target/index.ts';
import type { SettingState } from './setting-value.ts';

/** The setting, or null when this server has none of this name. */
export async function readSetting(session: TargetSession, name: string): Promise<SettingState | null> {
  const [row] = await session.query<SettingState>(
    `SELECT name, vartype, unit, context, reset_val, min_val, max_val, enumvals, source, pending_restart
     FROM pg_settings WHERE name = $1`,
    [name],
  );
  return row ?? null;
}

export interface FileEntry {
  sourcefile: string;
  setting: string | null;
  /** False for all but the last entry of a name, and for one that could not be applied. */
  applied: boolean;
  error: string | null;
}

/** The setting's entries in the configuration files, in the order in which they are read. */
export function readFileEntries(session: TargetSession, name: string): Promise<FileEntry[]> {
  return session.query<FileEntry>(
    // As the file spells it; the server takes `Work_Mem` for work_mem.
    'SELECT sourcefile, setting, applied, error FROM pg_file_settings WHERE lower(name) = lower($1) ORDER BY seqno',
    [name],
  );
}

const AUTO_CONF = /(^|[\\/])postgresql\.auto\.conf$/;

/** The value that ALTER SYSTEM has written, or null when there is no entry. */
export function autoConfEntry(entries: readonly FileEntry[]): string | null {
  return entries.findLast((entry) => AUTO_CONF.test(entry.sourcefile))?.setting ?? null;
}

export interface Override {
  role: string | null;
  database: string | null;
  value: string;
}

/** Roles and databases with a value of their own: for them the server's value does not count. */
export function readOverrides(session: TargetSession, name: string): Promise<Override[]> {
  return session.query<Override>(
    `SELECT r.rolname::text AS role, d.datname::text AS database, substr(c.item, strpos(c.item, '=') + 1) AS value
     FROM pg_db_role_setting s
     CROSS JOIN LATERAL unnest(s.setconfig) c(item)
     LEFT JOIN pg_roles r ON r.oid = s.setrole
     LEFT JOIN pg_database d ON d.oid = s.setdatabase
     WHERE lower(split_part(c.item, '=', 1)) = lower($1)`,
    [name],
  );
}
