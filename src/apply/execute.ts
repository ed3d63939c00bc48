/** Runs an approved plan in a session of its own, from the last check to the proof that it took effect. */
import {
  type ApplyOutcome,
  type ApplyPlan,
  type JournalEntry,
  PgLuthierError,
  type Preconditions,
  WINDOW_CLOSED,
} from '../domain/index.ts';
import { analyzeTable } from './analyze.ts';
import { type RunOptions, withRun } from './begin-run.ts';
import { isSight } from './build-witness.ts';
import { createIndex } from './create-index.ts';
import { createStatistics } from './create-statistics.ts';
import type { Drift } from './drift.ts';
import { dropIndex } from './drop-index.ts';
import { lockBudgets } from './lock-budgets.ts';
import { createPartitionedIndex } from './partitioned-index.ts';
import { isPartitioned } from './partitioned-tree.ts';
import { preconditionDrift, readPreconditions } from './preconditions.ts';
import { findDrift } from './preflight.ts';
import { recoverApply } from './recover.ts';
import { reindexIndex } from './reindex-index.ts';
import { setReloptions } from './reloptions.ts';
import { type ApplyRun, failed, type Guard, needsAttention } from './run.ts';
import { applyScopedSetting } from './scoped-setting.ts';
import { applySetting } from './setting.ts';
import { withStandbyWaits } from './standby-wait.ts';
import { ApplyHeld, isAbort, stopReason } from './stopped.ts';
import { vacuumTable } from './vacuum.ts';

/** GitLab's limit for a concurrent build: 20 h. Set outright: a role's default once killed builds half-way. */
const DEFAULT_STATEMENT_TIMEOUT_MS = 20 * 3_600_000;

export interface ExecuteOptions extends RunOptions {
  /** What the approval took for granted; absent: the definitions alone are compared. */
  preconditions?: Preconditions | null;
  /** Asked before each statement of the change; see Guard. */
  mayBegin?: Guard['mayBegin'];
  /** Aborted: the running statement is cancelled, and what it left is cleaned up. */
  signal?: AbortSignal;
  /** Longest wait for locks, ms; default 10 minutes. */
  lockBudgetMs?: number;
  /** Longest run of one statement, ms; default 20 hours. */
  statementTimeoutMs?: number;
}

/**
 * Runs the plan's statements as they stand. Each is journalled before it is sent and settled after. Whatever the
 * server answers becomes the outcome. Null: another session works on this apply, be it one that we lost, or the
 * target does not answer any more, or what it left may not be rebuilt now; recovery adopts what is left.
 * @throws PgLuthierError when no session could be opened, or the plan is not what its hash says: nothing was sent
 * then. Errors of the journal pass through: the next start recovers.
 */
export async function executePlan(plan: ApplyPlan, options: ExecuteOptions): Promise<ApplyOutcome | null> {
  const { preconditions, ...given } = options;
  return withRun(
    {
      ...given,
      lockBudgetMs: options.lockBudgetMs ?? lockBudgets.concurrent.lock_timeout_ms,
      statementTimeoutMs: options.statementTimeoutMs ?? DEFAULT_STATEMENT_TIMEOUT_MS,
    },
    async (run) => {
      // Only now, with the lock: who had it before may have left more than there was to be read until then.
      if (!mayRun(plan, await run.journal.entries())) return null;
      try {
        const drift = await driftNow(run, plan, preconditions ?? null);
        const [first] = drift;
        if (first) return failed(first.code, drift.map((item) => item.message).join(' '), { drift });
        return await withStandbyWaits(run.journal, await runKind(run, plan));
      } catch (error) {
        if (error instanceof ApplyHeld) {
          run.onProgress({ phase: `what it left waits: ${error.message}`, fraction: null, blockers: [] });
          return null;
        }
        if (run.signal.aborted && isAbort(error)) {
          const outcome = await stoppedBetween(run, plan);
          return outcome && (await withStandbyWaits(run.journal, outcome));
        }
        if (isLoss(error)) return await afterLoss(plan, options);
        throw error;
      }
    },
  );
}

/**
 * Rows that another process left and nobody settled are for recovery to judge; and but for a build of an index, which
 * may begin again, an apply that has sent anything is never run a second time.
 */
function mayRun({ change }: ApplyPlan, entries: readonly JournalEntry[]): boolean {
  if (change.kind !== 'index.create') return entries.length === 0;
  const open = entries.some(({ state }) => state === 'intended');
  const built = entries.some(
    (entry) => entry.state === 'done' && entry.purpose === 'statement' && !isSight(entry),
  );
  return !open && (isPartitioned(change) || !built);
}

/** Between the last look and this one a snapshot was taken, which may take minutes. */
async function driftNow(run: ApplyRun, plan: ApplyPlan, then: Preconditions | null): Promise<Drift[]> {
  const drift = await findDrift(run.session, plan);
  if (drift.length > 0 || then === null) return drift;
  return preconditionDrift(plan.change, then, await readPreconditions(run.session, plan.change));
}

function runKind(run: ApplyRun, plan: ApplyPlan): Promise<ApplyOutcome> {
  const { change, statements } = plan;
  const [statement = ''] = statements;
  switch (change.kind) {
    case 'index.create':
      return isPartitioned(change)
        ? createPartitionedIndex(run, change)
        : createIndex(run, change, statement);
    case 'index.drop':
      return dropIndex(run, change, statement);
    case 'index.reindex':
      return reindexIndex(run, change, statement);
    case 'statistics.create':
      return createStatistics(run, change, statements);
    case 'setting':
      return applySetting(run, change, statements);
    case 'role.setting':
    case 'database.setting':
    case 'role.database.setting':
      return applyScopedSetting(run, change, statement);
    case 'table.reloptions':
      return setReloptions(run, change, statements);
    case 'vacuum':
      return vacuumTable(run, change, statement);
    case 'analyze':
      return analyzeTable(run, change, statement);
    case 'finding':
      throw new Error('a finding passed its own refusal');
  }
}

/** Our session ended under us: look at once what it left, while the server answers. */
async function afterLoss(plan: ApplyPlan, options: ExecuteOptions): Promise<ApplyOutcome | null> {
  try {
    return await recoverApply({
      plan,
      apply_id: options.apply_id,
      dsn: options.dsn,
      openSession: options.openSession,
      journal: options.journal,
      onProgress: options.onProgress,
      ...(options.yieldAfterMs === undefined ? {} : { yieldAfterMs: options.yieldAfterMs }),
      ...(options.healing ? { healing: options.healing } : {}),
    });
  } catch (error) {
    // The target is away, or a standby answers: what was left is looked into once it is back.
    if (error instanceof PgLuthierError) return null;
    throw error;
  }
}

/** Our session ended, or a second one that was to look at the change could not be opened any more. */
function isLoss(error: unknown): boolean {
  return (
    error instanceof PgLuthierError &&
    ['target_connection_lost', 'target_unreachable', 'target_busy'].includes(error.code)
  );
}

/**
 * Stopped between two statements: what had been done by then stays, and is said. Null: the window has closed, and what
 * is missing recovery sends in the next one.
 */
async function stoppedBetween(run: ApplyRun, { statements }: ApplyPlan): Promise<ApplyOutcome | null> {
  const [code, message] = stopReason(run.signal);
  const done = (await run.journal.entries()).filter(
    (entry) => entry.state === 'done' && statements.includes(entry.sql),
  );
  if (code === WINDOW_CLOSED && done.length > 0) {
    const phase = `${done.length} of ${statements.length} statements are done; the rest waits: ${message}`;
    run.onProgress({ phase, fraction: done.length / statements.length, blockers: [] });
    return null;
  }
  return done.length === 0
    ? failed(code, `${message} Nothing had been sent.`)
    : needsAttention(
        'partly_applied',
        `${message} ${done.length} of ${statements.length} statements had been done by then; the journal names them.`,
        { because: code },
      );
}
