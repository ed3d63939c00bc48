/**
 * ALTER ROLE … SET, ALTER DATABASE … SET, ALTER ROLE … IN DATABASE … SET: a setting for the sessions of a role, of a
 * database, or of both. It holds for new sessions; those that are there keep what they have. One statement, all or
 * nothing.
 *
 * AlterDatabaseSet() and AlterRoleSet() (dbcommands.c, user.c) take ACCESS SHARE on the database and role as objects,
 * which only DROP, RENAME and the like wait for, and ROW EXCLUSIVE on pg_db_role_setting, which no session waits for: one
 * that connects only reads it. A row that somebody else has changed and not committed is waited for; then the server
 * refuses ours, and it is sent again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApplyOutcome, type ScopedSetting, scopeOf, scopeWords } from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';
import { lockBudgets } from './lock-budgets.ts';
import {
  type ApplyRun,
  applied,
  type Facts,
  failed,
  needsAttention,
  reasonOf,
  SQLSTATE,
  setTimeouts,
} from './run.ts';
import { type Override, readOverrides, readSetting } from './setting-state.ts';
import { type SettingState, sameSettingValue } from './setting-value.ts';
import { journalled } from './statement.ts';

/**
 * Report that another session has changed or deleted the row meanwhile (heapam.c: TM_Updated, TM_Deleted). They do so by
 * elog(), whose SQLSTATE is XX000, as that of whatever else the server does not expect: a cache lookup that failed, a
 * broken index, an error of the file system without a class of its own, a library's hook. Poolers answer with it, too.
 * The routine's name is in the message's field R, which is never translated.
 */
const REPORT_CONTENTION: ReadonlySet<string> = new Set(['simple_heap_update', 'simple_heap_delete']);
const CATALOG = 'pg_catalog.pg_db_role_setting';

/** Refused because another session changed the same row just then: nothing was done, and the next try sees that row. */
function isContended({ sqlstate, origin }: TargetQueryError): boolean {
  if (sqlstate === SQLSTATE.internal_error) return REPORT_CONTENTION.has(origin.routine ?? '');
  // Both made the first setting of that role or database.
  return sqlstate === SQLSTATE.unique_violation && origin.table === CATALOG;
}

const MOST_TRIES = 5;
const FIRST_PAUSE_MS = 100;

/** Is there what the change wants, by what that scope has itself (null: nothing)? */
export function holds(
  change: ScopedSetting,
  now: string | null,
  setting: Pick<SettingState, 'vartype' | 'unit'>,
): boolean {
  return change.reset ? now === null : now !== null && sameSettingValue(now, change.value, setting);
}

/** What exactly this role, database, or role in this database has; null: nothing. */
export async function readScopedSetting(
  session: TargetSession,
  change: ScopedSetting,
): Promise<string | null> {
  const { role, database } = scopeOf(change);
  const [row] = await session.query<{ value: string }>(
    `SELECT substr(item, strpos(item, '=') + 1) AS value
     FROM pg_db_role_setting s
     CROSS JOIN LATERAL unnest(s.setconfig) AS item
     WHERE s.setrole = CASE WHEN $1::text IS NULL THEN 0 ELSE (SELECT oid FROM pg_roles WHERE rolname = $1) END
       AND s.setdatabase = CASE WHEN $2::text IS NULL THEN 0 ELSE (SELECT oid FROM pg_database WHERE datname = $2) END
       AND lower(split_part(item, '=', 1)) = lower($3)`,
    [role, database, change.name],
  );
  return row?.value ?? null;
}

/** Overrides that go before this one: a role's before its database's, those of a role in a database before both. */
export function overridesBefore(overrides: readonly Override[], change: ScopedSetting): Override[] {
  const own = scopeOf(change);
  if (own.role !== null && own.database !== null) return [];
  return overrides.filter(({ role, database }) =>
    own.role === null
      ? role !== null && (database === null || database === own.database)
      : role === own.role && database !== null,
  );
}

export async function applyScopedSetting(
  run: ApplyRun,
  change: ScopedSetting,
  statement: string,
): Promise<ApplyOutcome> {
  await setTimeouts(run.session, {
    lock_timeout: Math.min(run.lockBudgetMs, lockBudgets.scoped_setting.lock_timeout_ms),
    statement_timeout: run.statementTimeoutMs,
  });
  for (let tries = 1; ; tries += 1) {
    try {
      await journalled(run, 'statement', statement);
      break;
    } catch (error) {
      if (!(error instanceof TargetQueryError)) throw error;
      if (!isContended(error)) {
        const [code, message] = reasonOf(run, error);
        return failed(code, message);
      }
      // Whoever was first may have changed this very setting: then it is no longer what was approved.
      const now = await readScopedSetting(run.session, change);
      if (now !== change.previous) return failed('setting_changed', changedSince(change, now));
      if (tries === MOST_TRIES) return failed('setting_contended', error.message);
      await sleep(FIRST_PAUSE_MS * 2 ** (tries - 1) * (0.5 + Math.random() / 2), undefined, {
        signal: run.signal,
      });
    }
  }
  return judgeScopedSetting(run.session, change);
}

/** By the catalog alone, after the statement or after a crash: it ran wholly or not at all. */
export async function judgeScopedSetting(
  session: TargetSession,
  change: ScopedSetting,
  interrupted?: { code: string; message: string },
): Promise<ApplyOutcome> {
  const setting = await readSetting(session, change.name);
  const now = await readScopedSetting(session, change);
  if (setting && holds(change, now, setting)) {
    const overridden_for = overridesBefore(await readOverrides(session, change.name), change);
    const facts: Facts = { previous: change.previous, overridden_for };
    return applied({ ...facts, ...(interrupted ? { recovered: true } : {}) });
  }
  if (interrupted && now === change.previous) return failed(interrupted.code, interrupted.message);
  return needsAttention(
    'setting_not_in_force',
    `${change.name} of ${scopeWords(scopeOf(change))} is ${now ?? 'not set'}: somebody else has changed it.`,
    { previous: change.previous },
  );
}

export const changedSince = (change: ScopedSetting, now: string | null): string =>
  `${change.name} of ${scopeWords(scopeOf(change))} was ${change.previous ?? 'not set'} when advised and is ${now ?? 'not set'} now.`;
