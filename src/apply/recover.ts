/** After a crash or a lost connection: what did the apply leave, and what is to be done about it? Never repeats a statement. */
import {
  type ApplyOutcome,
  type ApplyPlan,
  type Change,
  type Journal,
  type JournalEntry,
  PgLuthierError,
  quoteQualified,
} from '../domain/index.ts';
import type { openTarget, TargetSession } from '../target/index.ts';
import { tryApplyLock } from './advisory-lock.ts';
import { lastAnalyze } from './analyze.ts';
import { cleanUpAfter, finishIndex, isAsDefined } from './create-index.ts';
import { recoverStatistics } from './create-statistics.ts';
import { recoverDrop } from './drop-index.ts';
import { canonicalForm, findIndex } from './index-facts.ts';
import { recoverLastRun } from './last-run.ts';
import { recoverReindex } from './reindex-index.ts';
import { recoverReloptions } from './reloptions.ts';
import { judgeRoleSetting } from './role-setting.ts';
import { type ApplyRun, applicationName, commitDurably, failed, needsAttention } from './run.ts';
import { recoverSetting } from './setting.ts';
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
 * @throws PgLuthierError when the target cannot be reached; `target_is_standby` where a standby answers, whose catalogs
 * may be behind what the apply did.
 */
export async function recoverApply(options: RecoverOptions): Promise<ApplyOutcome | null> {
  const { plan, apply_id, entries, dsn, openSession, journal } = options;
  const lost = new AbortController();
  const session = await openSession(dsn, {
    applicationName: applicationName(apply_id),
    readOnly: false,
    statementTimeoutMs: 60_000,
    lockTimeoutMs: 5_000,
    signal: lost.signal,
  });
  try {
    await refuseStandby(session);
    await commitDurably(session);
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
      giveUpSession: () => lost.abort(),
    };
    const outcome = await recoverKind(run, plan, entries);
    await settleOpen(journal, entries, outcome);
    return outcome;
  } finally {
    await session.close();
  }
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

export async function refuseStandby(session: TargetSession): Promise<void> {
  const [server] = await session.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby');
  if (!server?.standby) return;
  throw new PgLuthierError({
    code: 'target_is_standby',
    status: 409,
    message: `${session.address} is a standby now; what an apply left is looked into on the primary only.`,
    remedy: 'Point the target at its primary, or wait for the failover to end.',
  });
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
      return recoverDrop(run, change, sent, INTERRUPTED);
    case 'index.reindex':
      return recoverReindex(run, change, sent, INTERRUPTED);
    case 'statistics.create':
      return recoverStatistics(run, change, plan.statements, entries, INTERRUPTED.message);
    case 'setting':
      return recoverSetting(run, change, plan.statements, sent, INTERRUPTED);
    case 'role.setting':
      return judgeRoleSetting(run.session, change, INTERRUPTED);
    case 'table.reloptions':
      return recoverReloptions(run, change, plan.statements, sent, INTERRUPTED);
    case 'vacuum':
      return recoverLastRun(run.session, change, sent, INTERRUPTED, () => lastVacuum(run.session, change));
    case 'analyze':
      return recoverLastRun(run.session, change, sent, INTERRUPTED, () => lastAnalyze(run.session, change));
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
