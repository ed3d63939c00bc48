/**
 * ALTER ROLE … SET: a planner or memory setting for the sessions of one role. It holds for new sessions; those that
 * are there keep what they have. One statement, all or nothing, and no lock that anybody waits for.
 */
import { type ApplyOutcome, type Change, quoteIdentifier, quoteLiteral } from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';
import { isAllowedSetting } from './allowed.ts';
import type { Checked, Drift } from './drift.ts';
import { lockBudgets } from './lock-budgets.ts';
import { type ApplyRun, applied, failed, needsAttention, reasonOf, setTimeouts } from './run.ts';
import { readSetting } from './setting-state.ts';
import { outOfBounds, type SettingState, sameSettingValue } from './setting-value.ts';
import { journalled } from './statement.ts';

type RoleSetting = Extract<Change, { kind: 'role.setting' }>;

/** Does the role have what the change wants, by what it has itself (null: nothing)? */
export function holds(
  change: RoleSetting,
  now: string | null,
  setting: Pick<SettingState, 'vartype' | 'unit'>,
): boolean {
  return change.reset ? now === null : now !== null && sameSettingValue(now, change.value, setting);
}

/** What the role itself has, in all databases; null: nothing. */
export async function readRoleSetting(
  session: TargetSession,
  { role, name }: Pick<RoleSetting, 'role' | 'name'>,
): Promise<string | null> {
  const [row] = await session.query<{ value: string }>(
    `SELECT substr(item, strpos(item, '=') + 1) AS value
     FROM pg_db_role_setting s
     JOIN pg_roles r ON r.oid = s.setrole
     CROSS JOIN LATERAL unnest(s.setconfig) AS item
     WHERE r.rolname = $1 AND s.setdatabase = 0 AND lower(split_part(item, '=', 1)) = lower($2)`,
    [role, name],
  );
  return row?.value ?? null;
}

/** Is it allowed, within bounds, still as advised, and ours to write? */
export async function checkRoleSetting(session: TargetSession, change: RoleSetting): Promise<Checked> {
  const only = (code: string, message: string): Checked => ({ drift: [{ code, message }], table_oid: null });
  if (!isAllowedSetting(change.name)) {
    return only('setting_not_allowed', `PgLuthier does not write ${change.name}.`);
  }
  const setting = await readSetting(session, change.name);
  if (!setting) return only('setting_unknown', `This server has no setting ${change.name}.`);
  // Others need a right on the parameter, and a superuser's is not for a role.
  if (setting.context !== 'user') {
    return only('setting_not_allowed', `${change.name} cannot be set for a role by anybody.`);
  }
  const [role] = await session.query<{ may_alter: boolean; is_super: boolean; we_are_super: boolean }>(
    // From 16 on CREATEROLE alters only roles that one has ADMIN on; before, all but superusers.
    `SELECT r.rolsuper AS is_super, me.rolsuper AS we_are_super,
            me.rolsuper OR r.rolname = current_user OR (me.rolcreaterole AND NOT r.rolsuper
              AND (current_setting('server_version_num')::int < 160000
                   OR pg_has_role(current_user, r.oid, 'USAGE WITH ADMIN OPTION'))) AS may_alter
     FROM pg_roles r, pg_roles me WHERE r.rolname = $1 AND me.rolname = current_user`,
    [change.role],
  );
  if (!role) return only('role_missing', `There is no role ${change.role} any more.`);
  const drift: Drift[] = [];
  const bounds = outOfBounds(change.value, setting);
  if (bounds !== null) drift.push({ code: 'setting_out_of_bounds', message: bounds });
  if (!role.may_alter) {
    drift.push({
      code: 'missing_privilege',
      message: `This role may not alter ${change.role}: it takes CREATEROLE with ADMIN on that role, or a superuser.`,
    });
  }
  const now = await readRoleSetting(session, change);
  if (holds(change, now, setting)) {
    drift.push({
      code: 'already_applied',
      message: `${change.name} of ${change.role} is ${now ?? 'not set'} already.`,
    });
  } else if (now !== change.previous) {
    drift.push({
      code: 'setting_changed',
      message: `${change.name} of ${change.role} was ${change.previous ?? 'not set'} when advised and is ${now ?? 'not set'} now.`,
    });
  }
  return { drift, table_oid: null };
}

export async function applyRoleSetting(
  run: ApplyRun,
  change: RoleSetting,
  statement: string,
): Promise<ApplyOutcome> {
  await setTimeouts(run.session, {
    lock_timeout: Math.min(run.lockBudgetMs, lockBudgets.setting.lock_timeout_ms),
    statement_timeout: run.statementTimeoutMs,
  });
  try {
    await journalled(run, 'statement', statement);
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    const [code, message] = reasonOf(run, error);
    return failed(code, message);
  }
  return judgeRoleSetting(run.session, change);
}

/** By the catalog alone, after the statement or after a crash: it ran wholly or not at all. */
export async function judgeRoleSetting(
  session: TargetSession,
  change: RoleSetting,
  interrupted?: { code: string; message: string },
): Promise<ApplyOutcome> {
  const setting = await readSetting(session, change.name);
  const now = await readRoleSetting(session, change);
  if (setting && holds(change, now, setting)) {
    return applied({ previous: change.previous, ...(interrupted ? { recovered: true } : {}) });
  }
  if (interrupted && now === change.previous) return failed(interrupted.code, interrupted.message);
  return needsAttention(
    'setting_not_in_force',
    `${change.name} of ${change.role} is ${now ?? 'not set'}: somebody else has changed it.`,
    { previous: change.previous },
  );
}

/** ALTER ROLE … SET, or RESET for null. */
export function alterRoleStatement({ role, name }: RoleSetting, value: string | null): string {
  const quoted = name.split('.').map(quoteIdentifier).join('.');
  return value === null
    ? `ALTER ROLE ${quoteIdentifier(role)} RESET ${quoted}`
    : `ALTER ROLE ${quoteIdentifier(role)} SET ${quoted} = ${quoteLiteral(value)}`;
}
