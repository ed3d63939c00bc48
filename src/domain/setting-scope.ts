/** Whose sessions a setting of pg_db_role_setting is for, and the statement that writes it. */
import type { Change } from './change.ts';
import { PgLuthierError } from './errors.ts';
import { quoteIdentifier, quoteLiteral } from './identifier.ts';

/** A setting for the sessions of a role, of a database, or of a role in a database: the kind says which. */
export type ScopedSetting = Extract<
  Change,
  { kind: 'role.setting' | 'database.setting' | 'role.database.setting' }
>;

/** pg_db_role_setting's key by name; null: all. Both are never null. */
export interface SettingScope {
  role: string | null;
  database: string | null;
}

export function isScopedSetting(change: Change): change is ScopedSetting {
  return (
    change.kind === 'role.setting' ||
    change.kind === 'database.setting' ||
    change.kind === 'role.database.setting'
  );
}

export function scopeOf(change: ScopedSetting): SettingScope {
  return {
    role: change.kind === 'database.setting' ? null : change.role,
    database: change.kind === 'role.setting' ? null : change.database,
  };
}

/** `role reports`, `database shop`, `role reports in database shop`. */
export function scopeWords({ role, database }: SettingScope): string {
  return [role === null ? null : `role ${role}`, database === null ? null : `database ${database}`]
    .filter((part) => part !== null)
    .join(' in ');
}

/**
 * Parameters whose text is a list of quoted names (GUC_LIST_QUOTE of guc_tables.c, as pg_dump's
 * variable_is_guc_list_quote has them): quoted as one literal, `a, b` would be one name with a comma in it.
 */
const NAME_LISTS: ReadonlySet<string> = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

/** The elements of a list as pg_db_role_setting keeps it: plain names, or in double quotes that are doubled within. */
function namesOf(list: string): string[] {
  return Array.from(list.matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g), ([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'),
  );
}

/** An extension's or an application's parameter has a prefix, and each part is a name. */
export const quoteParameter = (name: string): string => name.split('.').map(quoteIdentifier).join('.');

/**
 * A value as SET takes it, from the text that the catalog keeps.
 * @throws PgLuthierError `setting_list_empty`: up to 18 no SET writes an empty list of names: '' is a list with one empty
 * name, and a library of that name lets nobody connect any more (tried on 15 to 18).
 */
export function quoteSettingValue(name: string, value: string): string {
  if (!NAME_LISTS.has(name.toLowerCase())) return quoteLiteral(value);
  const names = namesOf(value);
  if (names.length > 0) return names.map(quoteLiteral).join(', ');
  throw new PgLuthierError({
    code: 'setting_list_empty',
    status: 422,
    message: `No SET writes an empty list of names for ${name}.`,
    remedy: 'RESET it where a wider scope has the empty list.',
  });
}

/** ALTER ROLE or ALTER DATABASE … SET, or RESET for null. */
export function alterScopeStatement(
  { role, database }: SettingScope,
  name: string,
  value: string | null,
): string {
  const whose =
    role === null
      ? `ALTER DATABASE ${quoteIdentifier(database ?? '')}`
      : `ALTER ROLE ${quoteIdentifier(role)}${database === null ? '' : ` IN DATABASE ${quoteIdentifier(database)}`}`;
  return value === null
    ? `${whose} RESET ${quoteParameter(name)}`
    : `${whose} SET ${quoteParameter(name)} = ${quoteSettingValue(name, value)}`;
}
