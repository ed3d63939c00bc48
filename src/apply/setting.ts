/** ALTER SYSTEM, reload, and a look whether the value is really in force. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ApplyOutcome,
  type Change,
  type JournalEntry,
  quoteIdentifier,
  quoteLiteral,
} from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';
import { lockBudgets } from './lock-budgets.ts';
import {
  type ApplyRun,
  applicationName,
  applied,
  type Facts,
  failed,
  needsAttention,
  reasonOf,
  recordedState,
  recordState,
  setTimeouts,
} from './run.ts';
import { autoConfEntry, readFileEntries, readOverrides, readSetting } from './setting-state.ts';
import { sameSettingValue } from './setting-value.ts';
import { journalled } from './statement.ts';

/** The postmaster rereads its files asynchronously: looked for this often, for this long. */
const POLL_MS = 100;
const POLLS = 100;
/** Fewer polls where an override may hide the value from our own session for good. */
const POLLS_IF_OVERRIDDEN = 20;

type SettingChange = Extract<Change, { kind: 'setting' }>;

export async function applySetting(
  run: ApplyRun,
  change: SettingChange,
  statements: readonly string[],
): Promise<ApplyOutcome> {
  const previous = autoConfEntry(await readFileEntries(run.session, change.name));
  await setTimeouts(run.session, {
    lock_timeout: Math.min(run.lockBudgetMs, lockBudgets.setting.lock_timeout_ms),
    statement_timeout: run.statementTimeoutMs,
  });
  const facts = await settingFacts(run.session, change.name, previous);
  run.signal.throwIfAborted();
  await recordState(run, earlierEntryStatement(change.name), { previous_entry: previous });
  for (const [position, statement] of statements.entries()) {
    try {
      // One statement a call: ALTER SYSTEM is refused in a transaction, also in an implicit one. Once the value is
      // written it comes into force with anybody's reload: from there on a cancel would only hide it.
      await journalled(run, 'statement', statement, { heedAbort: position === 0 });
    } catch (error) {
      if (!(error instanceof TargetQueryError)) throw error;
      const [code, message] = reasonOf(run, error);
      if (position === 0) return failed(code, message, facts);
      return takeBack(run, change, [code, message], facts);
    }
  }
  return judgeSetting(run, change, facts);
}

/** The journal's row that keeps the earlier entry. */
export function earlierEntryStatement(name: string): string {
  return `SELECT setting FROM pg_file_settings WHERE sourcefile ~ 'postgresql.auto.conf$' AND name = ${quoteLiteral(name)}`;
}

/** Written, but the reload was refused: the file gets its earlier entry again. */
async function takeBack(
  run: ApplyRun,
  change: SettingChange,
  [code, message]: [string, string],
  facts: Facts,
): Promise<ApplyOutcome> {
  const { exact_rollback } = await settingFacts(
    run.session,
    change.name,
    facts.previous_entry as string | null,
  );
  try {
    await journalled(run, 'cleanup', (exact_rollback as string[])[0] ?? '', { heedAbort: false });
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    return needsAttention(
      'setting_left_written',
      `${message} ${change.name} = ${change.value} stands in postgresql.auto.conf and could not be taken back: ${error.message}`,
      facts,
    );
  }
  return failed(code, `${message} The entry in postgresql.auto.conf was taken back.`, facts);
}

/** What was there before, how to get back to exactly that, and for whom the new value does not count. */
export async function settingFacts(
  session: TargetSession,
  name: string,
  previous: string | null,
): Promise<Facts> {
  const quoted = name.split('.').map(quoteIdentifier).join('.');
  return {
    previous_entry: previous,
    exact_rollback: [
      previous === null
        ? `ALTER SYSTEM RESET ${quoted}`
        : `ALTER SYSTEM SET ${quoted} = ${quoteLiteral(previous)}`,
      'SELECT pg_reload_conf()',
    ],
    overridden_for: await readOverrides(session, name),
  };
}

/** Polls fresh sessions until the value is in force or only a restart is missing. */
export async function judgeSetting(
  run: Pick<ApplyRun, 'apply_id' | 'dsn' | 'openSession'>,
  change: SettingChange,
  facts: Facts,
): Promise<ApplyOutcome> {
  // A fresh session has what new sessions get; reset_val leaves out what this client itself sets.
  const session = await run.openSession(run.dsn, {
    applicationName: `${applicationName(run.apply_id)}:check`,
    readOnly: true,
  });
  try {
    const overridden = (await readOverrides(session, change.name)).length > 0;
    for (let poll = 0; poll < (overridden ? POLLS_IF_OVERRIDDEN : POLLS); poll += 1) {
      const setting = await readSetting(session, change.name);
      if (!setting) break;
      if (setting.pending_restart) return applied({ ...facts, in_force: false }, true);
      if (setting.reset_val !== null && sameSettingValue(setting.reset_val, change.value, setting)) {
        return applied({ ...facts, in_force: true });
      }
      await sleep(POLL_MS);
    }
    const entries = await readFileEntries(session, change.name);
    const last = entries.at(-1);
    const setting = await readSetting(session, change.name);
    const written = change.reset
      ? overridden && autoConfEntry(entries) === null
      : setting &&
        last?.setting != null &&
        sameSettingValue(last.setting, change.value, setting) &&
        last.applied;
    if (written) {
      // In force for the server, but our own role or database has a value of its own.
      return applied({ ...facts, in_force: true, masked_for_us: true });
    }
    return needsAttention(
      'setting_not_in_force',
      `${change.name} was ${change.reset ? 'taken out' : 'written'}, but the server does not use ${change.reset ? change.value : 'it'}${last?.error ? `: ${last.error}` : ''}.`,
      facts,
    );
  } finally {
    await session.close();
  }
}

/**
 * Written but perhaps not reloaded: a value that stands in postgresql.auto.conf comes into force with anybody's next
 * reload, so the reload is sent again (it is no change of its own) and the server asked.
 */
export async function recoverSetting(
  run: ApplyRun,
  change: SettingChange,
  statements: readonly string[],
  sent: readonly JournalEntry[],
  reason: { code: string; message: string },
): Promise<ApplyOutcome> {
  const setting = await readSetting(run.session, change.name);
  const entry = autoConfEntry(await readFileEntries(run.session, change.name));
  const recorded = recordedState(sent, earlierEntryStatement(change.name));
  const previous = (recorded?.previous_entry ?? null) as string | null;
  const written = change.reset
    ? entry === null
    : setting !== null && entry !== null && sameSettingValue(entry, change.value, setting);
  if (!setting || !written) {
    if (recorded && entry !== previous) {
      return needsAttention(
        'setting_changed',
        `postgresql.auto.conf has ${entry ?? 'no value'} for ${change.name} now: neither the plan's value nor the one before. Somebody else has changed it.`,
      );
    }
    return failed(reason.code, `${reason.message} ${change.name} has not been written.`);
  }
  const reload = statements[1];
  if (reload !== undefined && !sent.some((row) => row.sql === reload && row.state === 'done')) {
    await journalled(run, 'cleanup', reload, { heedAbort: false });
  }
  const { overridden_for, ...earlier } = await settingFacts(run.session, change.name, previous);
  return judgeSetting(run, change, { recovered: true, overridden_for, ...(recorded ? earlier : {}) });
}
