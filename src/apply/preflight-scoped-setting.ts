/** A role's or database's setting against the server as it is now: allowed, within bounds, still as advised, and ours to write? */
import { quoteIdentifier, type ScopedSetting, scopeOf, scopeWords } from '../domain/index.ts';
import type { TargetSession } from '../target/index.ts';
import { isAllowedSetting } from './allowed.ts';
import type { Checked, Drift } from './drift.ts';
import { setRolePrivilege } from './owner-session.ts';
import { changedSince, holds, readScopedSetting } from './scoped-setting.ts';
import { readSetting } from './setting-state.ts';
import { outOfBounds, type SettingState } from './setting-value.ts';

/** From here on a superuser's parameter can be granted: GRANT SET ON PARAMETER. */
const PARAMETER_PRIVILEGES_SINCE = 150_000;

export async function checkScopedSetting(session: TargetSession, change: ScopedSetting): Promise<Checked> {
  const only = (code: string, message: string): Checked => ({ drift: [{ code, message }], table_oid: null });
  if (!isAllowedSetting(change.name)) {
    return only('setting_not_allowed', `PgLuthier does not write ${change.name}.`);
  }
  const setting = await readSetting(session, change.name);
  if (!setting) return only('setting_unknown', `This server has no setting ${change.name}.`);
  // validate_option_array_item() of guc.c tries the value as a session would: what is the server's or the connection's is refused.
  if (setting.context !== 'user' && setting.context !== 'superuser') {
    return only(
      'setting_not_allowed',
      `${change.name} cannot be set for a role or a database by anybody: it is the server's (pg_settings.context: ${setting.context}).`,
    );
  }
  const { role, database } = scopeOf(change);
  const [here] = await session.query<{ name: string }>('SELECT current_database()::text AS name');
  if (database !== null && database !== here?.name) {
    return only(
      'other_database',
      `The target is database ${here?.name}: settings of ${database} are changed through a target of its own.`,
    );
  }
  const right = await rightOn(session, role);
  if (!right) return only('role_missing', `There is no role ${role} any more.`);
  const drift: Drift[] = [];
  const bounds = outOfBounds(change.value, setting);
  if (bounds !== null) drift.push({ code: 'setting_out_of_bounds', message: bounds });
  const missing = right.may_alter
    ? await missingParameter(session, setting, right.acting_as)
    : lacking(role, database);
  if (missing !== null) drift.push({ code: 'missing_privilege', message: missing });
  const now = await readScopedSetting(session, change);
  if (holds(change, now, setting)) {
    drift.push({
      code: 'already_applied',
      message: `${change.name} of ${scopeWords({ role, database })} is ${now ?? 'not set'} already.`,
    });
  } else if (now !== change.previous) {
    drift.push({ code: 'setting_changed', message: changedSince(change, now) });
  }
  return { drift, table_oid: null };
}

const lacking = (role: string | null, database: string | null) =>
  role === null
    ? `This role may not alter database ${database}: it takes membership in the database's owner, or a superuser.`
    : `This role may not alter ${role}: it takes CREATEROLE with ADMIN on that role, or a superuser.`;

interface Right {
  may_alter: boolean;
  /** The role that the statement runs as: a database's owner where the login does not inherit its rights. */
  acting_as: string;
}

async function rightOn(session: TargetSession, role: string | null): Promise<Right | undefined> {
  if (role === null) {
    const [row] = await session.query<Right>(
      `SELECT pg_has_role(d.datdba, 'USAGE') OR pg_has_role(d.datdba, '${setRolePrivilege(session.server_version_num)}') AS may_alter,
              CASE WHEN pg_has_role(d.datdba, 'USAGE') THEN current_user ELSE pg_get_userbyid(d.datdba) END::text AS acting_as
       FROM pg_database d WHERE d.datname = current_database()`,
    );
    return row;
  }
  const [row] = await session.query<Right>(
    // From 16 on CREATEROLE alters only roles that one has ADMIN on; before, all but superusers.
    `SELECT me.rolsuper OR r.rolname = current_user OR (me.rolcreaterole AND NOT r.rolsuper
              AND (current_setting('server_version_num')::int < 160000
                   OR pg_has_role(current_user, r.oid, 'USAGE WITH ADMIN OPTION'))) AS may_alter,
            current_user::text AS acting_as
     FROM pg_roles r, pg_roles me WHERE r.rolname = $1 AND me.rolname = current_user`,
    [role],
  );
  return row;
}

/** What it takes to set a superuser's parameter; null: nothing is missing. */
async function missingParameter(
  session: TargetSession,
  { name, context }: SettingState,
  actingAs: string,
): Promise<string | null> {
  if (context !== 'superuser') return null;
  const granular = session.server_version_num >= PARAMETER_PRIVILEGES_SINCE;
  const [row] = await session.query<{ may: boolean }>(
    granular
      ? "SELECT has_parameter_privilege($2::name, $1, 'SET') AS may"
      : 'SELECT rolsuper AND $1::text IS NOT NULL AS may FROM pg_roles WHERE rolname = $2',
    [name, actingAs],
  );
  if (row?.may) return null;
  return granular
    ? `This role lacks: GRANT SET ON PARAMETER ${name} TO ${quoteIdentifier(actingAs)}.`
    : `${name} is a superuser's (before 15 only they may set it).`;
}
