/** After a crash or a lost connection: what did the apply leave, and what is to be done about it? Never repeats a statement. */
import {
  type ApplyOutcome,
  type ApplyPlan,
  type Change,
  type Journal,
  type JournalEntry,
  quoteQualified,
} from '../domain/index.ts';
import { lastAnalyze } from './analyze.ts';
import { type RunOptions, withRun } from './begin-run.ts';
import { isSight } from './build-witness.ts';
import { cleanUpAfter, finishIndex, isAsDefined } from './create-index.ts';
import { recoverStatistics } from './create-statistics.ts';
import { recoverDrop } from './drop-index.ts';
import { canonicalForm, findIndex } from './index-facts.ts';
import { recoverLastRun } from './last-run.ts';
import { isPartitioned } from './partitioned-tree.ts';
import { recoverReindex } from './reindex-index.ts';
import { recoverReloptions } from './reloptions.ts';
import { type ApplyRun, elsewhere, failed, needsAttention, SQLSTATE } from './run.ts';
import { judgeScopedSetting } from './scoped-setting.ts';
import { recoverSetting } from './setting.ts';
import { withStandbyWaits } from './standby-wait.ts';
import { ApplyHeld, isAbort, stopReason } from './stopped.ts';
import { lastVacuum } from './vacuum.ts';

const LOCK_BUDGET_MS = 60_000;
const STATEMENT_TIMEOUT_MS = 3_600_000;

const INTERRUPTED = {
  code: 'interrupted_before_effect',
  message: 'The apply was interrupted before it took effect.',
};

export interface RecoverOptions extends RunOptions {
  plan: ApplyPlan;
  /** Asked before each statement that recovery would send: why it may not now, in words; null: it may. Absent: it may. */
  heldBy?: () => Promise<string | null>;
  /** Aborted: the apply was cancelled: nothing more of the change itself is sent. */
  cancel?: AbortSignal;
  /** Aborted: what recovery has sent is cancelled, and waits for a later look. */
  hold?: AbortSignal;
}

/**
 * Brings an apply that was left open to an outcome. Null: its backend still works on it (it holds the apply's lock), or
 * what recovery must send may not be sent now, which its progress says; try again later. What it sends obeys the same
 * lock budgets, watchdog and stops as the apply itself.
 * @throws PgLuthierError when the target cannot be reached; `target_is_standby` where a standby answers, whose catalogs
 * may be behind what the apply did.
 */
export async function recoverApply(options: RecoverOptions): Promise<ApplyOutcome | null> {
  const { plan, cancel, ...given } = options;
  const limits = { lockBudgetMs: LOCK_BUDGET_MS, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
  return withRun({ ...given, ...limits, signal: cancel }, async (run) => {
    // With the lock, not before: until then whoever had it may have written more.
    const entries = await run.journal.entries();
    try {
      const outcome = await withStandbyWaits(run.journal, await recoverKind(run, plan, entries));
      await settleOpen(run.journal, entries, outcome);
      return outcome;
    } catch (error) {
      if (cancel?.aborted && !options.hold?.aborted && isAbort(error)) {
        const outcome = cancelledInParts(cancel);
        await settleOpen(run.journal, entries, outcome);
        return outcome;
      }
      if (!(error instanceof ApplyHeld) && !(options.hold?.aborted && isAbort(error))) throw error;
      const why = error instanceof ApplyHeld ? error.message : stopReason(options.hold)[1];
      run.onProgress({ phase: `what it left waits: ${why}`, fraction: null, blockers: [] });
      return null;
    }
  });
}

/** Some of it is done, and what recovery would have sent to complete it is not wanted any more. */
function cancelledInParts(cancel: AbortSignal): ApplyOutcome {
  const [because, message] = stopReason(cancel);
  return needsAttention(
    'partly_applied',
    `${message} Some of its statements had been done by then; the journal names them.`,
    { because },
  );
}

/** Builds of one apply at most, with those that were interrupted. */
const MOST_BUILDS = 5;

/**
 * May an interrupted apply begin again, after what it left was removed? A build of an index may, while it has not been
 * tried five times: it is slow, is interrupted by whatever restarts, and changes nothing until it is done. All else
 * is quick, so that a person decides.
 */
export function mayBeginAgain(
  { change, statements }: ApplyPlan,
  entries: readonly JournalEntry[],
  outcome: ApplyOutcome,
): boolean {
  return (
    change.kind === 'index.create' &&
    outcome.outcome === 'failed' &&
    outcome.code === INTERRUPTED.code &&
    entries.filter((entry) => entry.sql === statements[0]).length < MOST_BUILDS
  );
}

/** Rows that nobody could settle any more get the word that recovery found; of what is not the change itself, none. */
export async function settleOpen(
  journal: Journal,
  entries: readonly JournalEntry[],
  outcome: ApplyOutcome,
): Promise<void> {
  for (const entry of entries) {
    if (entry.state !== 'intended') continue;
    const state = { applied: 'done', failed: 'failed', needs_attention: 'unknown' } as const;
    await journal.settle(entry.step, {
      state: entry.purpose === 'statement' ? state[outcome.outcome] : 'unknown',
      sqlstate: null,
      message: 'interrupted; settled by recovery',
    });
  }
}

async function recoverKind(
  run: ApplyRun,
  plan: ApplyPlan,
  entries: readonly JournalEntry[],
): Promise<ApplyOutcome> {
  const { change } = plan;
  const away = await elsewhere(run.session, entries);
  if (away) return away;
  const sent = entries.filter((entry) => entry.purpose === 'statement' && !isSight(entry));
  if (sent.length === 0) {
    return failed(INTERRUPTED.code, `${INTERRUPTED.message} Nothing had been sent.`);
  }
  switch (change.kind) {
    case 'index.create':
      return recoverCreate(run, change, sent);
    case 'index.drop':
      return recoverDrop(run, change, sent, INTERRUPTED);
    case 'index.reindex':
      return recoverReindex(run, change, sent, INTERRUPTED);
    case 'statistics.create':
      return recoverStatistics(run, change, plan.statements, entries, INTERRUPTED.message);
    case 'setting':
      return recoverSetting(run, change, plan.statements, sent, INTERRUPTED);
    case 'role.setting':
    case 'database.setting':
    case 'role.database.setting':
      return judgeScopedSetting(run.session, change, INTERRUPTED);
    case 'table.reloptions':
      return recoverReloptions(run, change, plan.statements, sent, INTERRUPTED);
    case 'vacuum':
      return recoverLastRun(
        run.session,
        change,
        sent,
        INTERRUPTED,
        async () => (await lastVacuum(run.session, change)).oldest,
      );
    case 'analyze':
      return recoverLastRun(run.session, change, sent, INTERRUPTED, () => lastAnalyze(run.session, change));
    case 'finding':
      return failed(INTERRUPTED.code, INTERRUPTED.message);
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
  // What an attempt leaves is removed before the next: where the server refused the last one outright, what has the name
  // now is somebody else's.
  const last = sent.at(-1);
  if (!isPartitioned(change) && last?.state === 'failed' && last.sqlstate === SQLSTATE.duplicate_table) {
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
