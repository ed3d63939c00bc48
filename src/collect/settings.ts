/** Settings, and what overrides them for roles and databases. */
import { z } from 'zod';
import { quoteIdentifier, type SettingOverride, type SettingRow } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { withoutSecretValue } from './secrets.ts';
import { sqlVariant } from './variants.ts';

/** Most that could be secret is left out by the query; this is what a value itself gives away. */
const value = z.string().transform(withoutSecretValue);

const settingSchema: z.ZodType<SettingRow> = z.object({
  name: z.string(),
  setting: value,
  unit: z.string().nullable(),
  category: z.string(),
  context: z.string(),
  vartype: z.string(),
  source: z.string(),
  min_val: z.string().nullable(),
  max_val: z.string().nullable(),
  enumvals: z.array(z.string()).nullable(),
  boot_val: z.string().nullable(),
  reset_val: value.nullable(),
  sourcefile: z.string().nullable(),
  pending_restart: z.boolean(),
});

const overrideSchema: z.ZodType<SettingOverride> = z.object({
  role: z.string().nullable(),
  database: z.string().nullable(),
  name: z.string(),
  value,
});

/** What our session sets for itself, or a role sets to bound its sessions: no statement of an application runs by it. */
const OF_THE_SESSION = new Set([
  'application_name',
  'bytea_output',
  'client_encoding',
  'client_min_messages',
  'DateStyle',
  'default_transaction_read_only',
  'extra_float_digits',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'IntervalStyle',
  'lock_timeout',
  'search_path',
  'statement_timeout',
  'TimeZone',
  'transaction_timeout',
]);

/**
 * What our own session set for itself is not the target's: its reset value is what it began with, and an override for
 * this role or database says why, if there is one.
 */
function withoutOurOwn(row: SettingRow, overrides: readonly SettingOverride[]): SettingRow {
  if (row.source !== 'session' || row.reset_val === null) return row;
  const own = overrides.filter((item) => item.name.toLowerCase() === row.name.toLowerCase());
  const source =
    row.reset_val === row.boot_val
      ? 'default'
      : own.some((item) => item.role !== null)
        ? 'user'
        : own.some((item) => item.database !== null)
          ? 'database'
          : 'configuration file';
  return { ...row, setting: row.reset_val, source };
}

/** Settings as a session of this role begins with them, and what overrides them for roles and databases. */
export async function readSettings(
  reader: Reader,
): Promise<{ settings: SettingRow[]; setting_overrides: SettingOverride[] }> {
  const version = String(reader.session.server_version_num);
  const setting_overrides = await readNoun(
    reader,
    'setting-overrides',
    sqlVariant('setting-overrides', version),
    overrideSchema,
  );
  const ofOurs = setting_overrides.filter((item) => item.role === null || item.role === reader.session.role);
  const settings = (await readNoun(reader, 'settings', sqlVariant('settings', version), settingSchema)).map(
    (row) => withoutOurOwn(row, ofOurs),
  );
  const personal = settings
    .filter((row) => ['user', 'database user', 'client'].includes(row.source))
    .map((row) => row.name)
    .filter((name) => !OF_THE_SESSION.has(name) && !name.startsWith('log_'));
  if (personal.length > 0) {
    const role = quoteIdentifier(reader.session.role);
    reader.limits.push({
      scope: 'settings',
      code: 'settings_of_own_role',
      message: `The collecting role has values of its own for ${personal.join(', ')}: what other roles get cannot be seen.`,
      remedy: `${personal.map((name) => `ALTER ROLE ${role} RESET ${name};`).join(' ')} (Those in the DSN's options: take them out.)`,
    });
  }
  return { settings, setting_overrides };
}
