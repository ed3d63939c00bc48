/** A setting against the server as it is now: is it allowed, within bounds, still as advised, and ours to write? */
import type { Change } from '../domain/index.ts';
import { detectHostFacts, type TargetSession } from '../target/index.ts';
import { isAllowedSetting } from './allowed.ts';
import type { Checked, Drift } from './drift.ts';
import { readSetting } from './setting-state.ts';
import { inBaseUnits, outOfBounds, type SettingState, sameSettingValue } from './setting-value.ts';

/** A larger share of the RAM for shared_buffers may keep the server from starting again. */
const MAX_SHARED_BUFFERS_SHARE = 0.75;

export async function checkSetting(
  session: TargetSession,
  change: Extract<Change, { kind: 'setting' }>,
): Promise<Checked> {
  if (!isAllowedSetting(change.name)) {
    return refused('setting_not_allowed', `PgLuthier does not write ${change.name}.`);
  }
  const setting = await readSetting(session, change.name);
  if (!setting) return refused('setting_unknown', `This server has no setting ${change.name}.`);
  const drift: Drift[] = [];
  if (['internal', 'backend', 'superuser-backend'].includes(setting.context)) {
    drift.push({ code: 'setting_not_allowed', message: `${setting.name} cannot be set for the server.` });
  }
  const bounds = outOfBounds(change.value, setting) ?? (await tooMuchMemory(session, change.value, setting));
  if (bounds !== null) drift.push({ code: 'setting_out_of_bounds', message: bounds });
  drift.push(...sinceAdvised(change, setting), ...(await missingRights(session, setting.name)));
  return { drift, table_oid: null };
}

function sinceAdvised(change: Extract<Change, { kind: 'setting' }>, setting: SettingState): Drift[] {
  const now = setting.reset_val ?? '';
  if (['command line', 'environment variable', 'override'].includes(setting.source)) {
    return [
      {
        code: 'setting_masked',
        message: `${setting.name} is given by the server's ${setting.source}; ALTER SYSTEM would not change it.`,
      },
    ];
  }
  if (setting.pending_restart) {
    return [
      {
        code: 'setting_changed',
        message: `${setting.name} has been changed in the files already and waits for a restart.`,
      },
    ];
  }
  if (sameSettingValue(now, change.value, setting)) {
    return [{ code: 'already_applied', message: `${setting.name} is ${change.value} already.` }];
  }
  if (!sameSettingValue(now, change.current_value, setting)) {
    return [
      {
        code: 'setting_changed',
        message: `${setting.name} was ${change.current_value} when advised and is ${now}${setting.unit ? ` (× ${setting.unit})` : ''} now.`,
      },
    ];
  }
  return [];
}

async function tooMuchMemory(
  session: TargetSession,
  value: string,
  setting: SettingState,
): Promise<string | null> {
  if (setting.name !== 'shared_buffers') return null;
  const bytes = inBaseUnits(value, { vartype: 'integer', unit: 'B' });
  const { ram_bytes } = await detectHostFacts(session, {});
  if (bytes === null || ram_bytes.value === null) return null;
  return Number(bytes) > ram_bytes.value * MAX_SHARED_BUFFERS_SHARE
    ? `${value} is more than three quarters of the host's RAM (${ram_bytes.value} bytes, ${ram_bytes.source}).`
    : null;
}

async function missingRights(session: TargetSession, name: string): Promise<Drift[]> {
  const alterSystem =
    session.server_version_num >= 150000
      ? "has_parameter_privilege($1, 'ALTER SYSTEM')"
      : '(SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AND $1::text IS NOT NULL';
  const [rights] = await session.query<{
    alter_system: boolean;
    allowed: boolean;
    reload: boolean;
    files: boolean;
  }>(
    `SELECT ${alterSystem} AS alter_system,
            coalesce(current_setting('allow_alter_system', true), 'on') = 'on' AS allowed,
            has_function_privilege('pg_catalog.pg_reload_conf()', 'EXECUTE') AS reload,
            has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')
              AND has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE') AS files`,
    [name],
  );
  const missing: string[] = [];
  if (!rights?.alter_system) {
    missing.push(
      session.server_version_num >= 150000
        ? `GRANT ALTER SYSTEM ON PARAMETER ${name}`
        : 'a superuser (before 15 only they may ALTER SYSTEM)',
    );
  }
  if (!rights?.reload) missing.push('GRANT EXECUTE ON FUNCTION pg_reload_conf()');
  if (!rights?.files) {
    missing.push(
      'GRANT SELECT ON pg_file_settings and EXECUTE ON FUNCTION pg_show_all_file_settings() (the earlier entry is kept for the way back)',
    );
  }
  if (missing.length > 0) {
    return [{ code: 'missing_privilege', message: `This role lacks: ${missing.join('; ')}.` }];
  }
  if (rights?.allowed === false) {
    return [
      {
        code: 'alter_system_not_allowed',
        message:
          'This server has allow_alter_system = off: its settings are kept by something else, which is where this belongs.',
      },
    ];
  }
  return brokenFiles(session);
}

/**
 * With an error of syntax, or a name that the server does not know, a reload changes nothing at all
 * (ProcessConfigFileInternal() of guc.c gives up before it applies anything). Other errors have the name of a parameter
 * and concern it alone: a value that is none, or one that waits for a restart.
 */
async function brokenFiles(session: TargetSession): Promise<Drift[]> {
  const rows = await session.query<{ error: string; sourcefile: string | null; sourceline: number | null }>(
    `SELECT error, sourcefile, sourceline FROM pg_file_settings f
     WHERE error IS NOT NULL
       AND (name IS NULL OR NOT EXISTS (SELECT FROM pg_settings s WHERE lower(s.name) = lower(f.name)))`,
  );
  return rows.map((row) => ({
    code: 'configuration_files_broken',
    message: `The configuration files have an error (${row.sourcefile ?? '?'}, line ${row.sourceline ?? '?'}): ${row.error}. Until it is mended, a reload changes nothing.`,
  }));
}

function refused(code: string, message: string): Checked {
  return { drift: [{ code, message }], table_oid: null };
}
