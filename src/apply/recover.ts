/** After a crash or a lost connection: what did the apply leave, and what is to be done about it? Never repeats a statement. */
import type { ApplyOutcome, ApplyPlan, Change, Journal, JournalEntry } from '../domain/index.ts';
import { quoteQualified } from '../domain/index.ts';
import type { openTarget, TargetSession } from '../target/index.ts';
import { tryApplyLock } from './advisory-lock.ts';
import { lastAnalyze } from './analyze.ts';
import { cleanUpAfter, finishIndex, isAsDefined } from './create-index.ts';
import { judgeStatistics } from './create-statistics.ts';
import { judgeDrop } from './drop-index.ts';
import { canonicalForm, findIndex } from './index-facts.ts';
import { recoverReindex } from './reindex-index.ts';
import { reloptionsInForce } from './reloptions.ts';
import { judgeRoleSetting } from './role-setting.ts';
import { type ApplyRun, applicationName, applied, failed, needsAttention, recordedState } from './run.ts';
import { earlierEntryStatement, judgeSetting, settingFacts } from './setting.ts';
import { autoConfEntry, readFileEntries, readSetting } from './setting-state.ts';
import { sameSettingValue } from './setting-value.ts';
import { lastVacuum } from './vacuum.ts';

const LOCK_PATIENCE_MS = 2_000;
const LOCK_BUDGET_MS = 60_000;
const STATEMENT_TIMEOUT_MS = 3_600_000;

const INTERRUPTED = {
  code: 'interrupted_before_effect',
  message: 'The apply was interrupted before it took effect.',
};

export interface RecoverOptions {
  plan: ApplyPlan;
  apply_id: string;
  /** The journal as it was left. */
  entries: JournalEntry[];
  dsn: string;
  openSession: typeof openTarget;
  journal: Journal;
}

/**
 * Brings an apply that was left open to an outcome. Null: its backend still works on it (it holds the apply's lock);
 * try again later.
 * @throws PgLuthierError when the target cannot be reached.
 */
export async function recoverApply(options: RecoverOptions): Promise<ApplyOutcome | null> {
  const { plan, apply_id, entries, dsn, openSession, journal } = options;
  const session = await openSession(dsn, {
    applicationName: applicationName(apply_id),
    readOnly: false,
    statementTimeoutMs: 60_000,
    lockTimeoutMs: 5_000,
  });
  try {
    // Held: a build that lost its client runs on to its end, and this lock with it.
    if (!(await tryApplyLock(session, apply_id, LOCK_PATIENCE_MS))) return null;
    const run: ApplyRun = {
      apply_id,
      dsn,
      openSession,
      session,
      journal,
      onProgress: () => {},
      signal: undefined,
      lockBudgetMs: LOCK_BUDGET_MS,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    };
    const outcome = await recoverKind(run, plan, entries);
    await settleOpen(journal, entries, outcome);
    return outcome;
  } finally {
    await session.close();
  }
}

/** Rows that nobody could settle any more get the word that recovery found. */
async function settleOpen(
  journal: Journal,
  entries: readonly JournalEntry[],
  outcome: ApplyOutcome,
): Promise<void> {
  for (const entry of entries) {
    if (entry.state !== 'intended') continue;
    const state = { applied: 'done', failed: 'failed', needs_attention: 'unknown' } as const;
    await journal.settle(entry.step, {
      state: state[outcome.outcome],
      sqlstate: null,
      message: 'interrupted; settled by recovery',
    });
  }
}

function recoverKind(
  run: ApplyRun,
  plan: ApplyPlan,
  entries: readonly JournalEntry[],
): Promise<ApplyOutcome> {
  const { change } = plan;
  const sent = entries.filter((entry) => entry.purpose === 'statement');
  if (sent.length === 0) {
    return Promise.resolve(failed(INTERRUPTED.code, `${INTERRUPTED.message} Nothing had been sent.`));
  }
  switch (change.kind) {
    case 'index.create':
      return recoverCreate(run, change, sent);
    case 'index.drop':
      return judgeDrop(run, change, INTERRUPTED, {});
    case 'index.reindex':
      return recoverReindex(run, change, sent, INTERRUPTED);
    case 'statistics.create':
      return judgeStatistics(run.session, change, {
        note: INTERRUPTED.message,
        analysed: entries.some((entry) => entry.purpose === 'analyze' && entry.state === 'done'),
      });
    case 'setting':
      return recoverSetting(run, change, plan.statements, sent);
    case 'role.setting':
      return judgeRoleSetting(run.session, change, INTERRUPTED);
    case 'table.reloptions':
      return recoverReloptions(run.session, change);
    case 'vacuum':
      return recoverVacuum(run.session, change, sent);
    case 'analyze':
      return recoverAnalyze(run.session, change, sent);
    case 'finding':
      return Promise.resolve(failed(INTERRUPTED.code, INTERRUPTED.message));
  }
}

async function recoverCreate(
  run: ApplyRun,
  change: Extract<Change, { kind: 'index.create' }>,
  sent: readonly JournalEntry[],
): Promise<ApplyOutcome> {
  const { index } = change;
  const found = await findIndex(run.session, index.schema, index.name);
  if (!found) return failed(INTERRUPTED.code, `${INTERRUPTED.message} There is no such index.`);
  const name = quoteQualified(index.schema, index.name);
  // The server refused every attempt outright: what has the name now is somebody else's.
  if (sent.every((entry) => entry.state === 'failed' && entry.sqlstate === '42P07')) {
    return failed('name_taken', `There is an index ${name} that this apply did not make.`);
  }
  const form = await canonicalForm(run.session, index);
  if (found.is_valid) {
    return isAsDefined(found, index, form)
      ? finishIndex(run, change, form, { recovered: true })
      : needsAttention(
          'index_differs',
          `${name} is valid but not the index of the plan; it is: ${found.definition}`,
        );
  }
  return cleanUpAfter(run, change, form, INTERRUPTED);
}

/**
 * Written but perhaps not reloaded: a value that stands in postgresql.auto.conf comes into force with anybody's next
 * reload, so the reload is sent again (it is no change of its own) and the server asked.
 */
async function recoverSetting(
  run: ApplyRun,
  change: Extract<Change, { kind: 'setting' }>,
  statements: readonly string[],
  sent: readonly JournalEntry[],
): Promise<ApplyOutcome> {
  const setting = await readSetting(run.session, change.name);
  const entry = autoConfEntry(await readFileEntries(run.session, change.name));
  const recorded = recordedState(sent, earlierEntryStatement(change.name));
  const previous = (recorded?.previous_entry ?? null) as string | null;
  if (!setting || entry === null || !sameSettingValue(entry, change.value, setting)) {
    if (recorded && entry !== previous) {
      return needsAttention(
        'setting_changed',
        `postgresql.auto.conf has ${entry ?? 'no value'} for ${change.name} now: neither the plan's value nor the one before. Somebody else has changed it.`,
      );
    }
    return failed(INTERRUPTED.code, `${INTERRUPTED.message} ${change.name} has not been written.`);
  }
  const reload = statements[1];
  if (reload !== undefined && !sent.some((row) => row.sql === reload && row.state === 'done')) {
    await run.session.query(reload);
  }
  const { overridden_for, ...earlier } = await settingFacts(run.session, change.name, previous);
  return judgeSetting(run, change, { recovered: true, overridden_for, ...(recorded ? earlier : {}) });
}

async function recoverReloptions(
  session: TargetSession,
  change: Extract<Change, { kind: 'table.reloptions' }>,
): Promise<ApplyOutcome> {
  switch (await reloptionsInForce(session, change)) {
    case 'all':
      return applied({ recovered: true, previous: change.previous });
    case 'some':
      return needsAttention(
        'partly_applied',
        'The apply was interrupted after some of its statements; the journal names those that were done.',
      );
    case 'none':
      return failed(INTERRUPTED.code, INTERRUPTED.message);
  }
}

async function recoverVacuum(
  session: TargetSession,
  change: Extract<Change, { kind: 'vacuum' }>,
  sent: readonly JournalEntry[],
): Promise<ApplyOutcome> {
  const last = await lastVacuum(session, change);
  const begun = sent[0]?.started_at;
  // As with ANALYZE: of two clocks, and a repetition does no harm.
  return last !== null && begun !== undefined && Date.parse(last) >= Date.parse(begun)
    ? applied({ recovered: true, last_vacuum: last })
    : failed(INTERRUPTED.code, INTERRUPTED.message);
}

async function recoverAnalyze(
  session: TargetSession,
  change: Extract<Change, { kind: 'analyze' }>,
  sent: readonly JournalEntry[],
): Promise<ApplyOutcome> {
  const last = await lastAnalyze(session, change);
  const begun = sent[0]?.started_at;
  // Times of two clocks: a success claimed too early would only skip a harmless repetition.
  return last !== null && begun !== undefined && Date.parse(last) >= Date.parse(begun)
    ? applied({ recovered: true, last_analyze: last })
    : failed(INTERRUPTED.code, INTERRUPTED.message);
}
