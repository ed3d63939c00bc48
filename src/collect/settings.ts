/** Settings, and what overrides them for roles and databases. */
import { z } from 'zod';
import type { SettingOverride, SettingRow } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { sqlVariant } from './variants.ts';

const settingSchema: z.ZodType<SettingRow> = z.object({
  name: z.string(),
  setting: z.string(),
  unit: z.string().nullable(),
  category: z.string(),
  context: z.string(),
  vartype: z.string(),
  source: z.string(),
  min_val: z.string().nullable(),
  max_val: z.string().nullable(),
  enumvals: z.array(z.string()).nullable(),
  boot_val: z.string().nullable(),
  reset_val: z.string().nullable(),
  sourcefile: z.string().nullable(),
  pending_restart: z.boolean(),
});

const overrideSchema: z.ZodType<SettingOverride> = z.object({
  role: z.string().nullable(),
  database: z.string().nullable(),
  name: z.string(),
  value: z.string(),
});

/**
 * What our own session sets for itself is not the target's: its reset value is what other sessions get, and the
 * source is told by whether that is the built-in default.
 */
function withoutOurOwn(row: SettingRow): SettingRow {
  if (row.source !== 'session' || row.reset_val === null) return row;
  const isDefault = row.reset_val === row.boot_val;
  return { ...row, setting: row.reset_val, source: isDefault ? 'default' : 'configuration file' };
}

export async function readSettings(reader: Reader): Promise<SettingRow[]> {
  const version = String(reader.session.server_version_num);
  return (await readNoun(reader, 'settings', sqlVariant('settings', version), settingSchema)).map(
    withoutOurOwn,
  );
}

export function readSettingOverrides(reader: Reader): Promise<SettingOverride[]> {
  const version = String(reader.session.server_version_num);
  return readNoun(reader, 'setting-overrides', sqlVariant('setting-overrides', version), overrideSchema);
}
