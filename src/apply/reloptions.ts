/** ALTER TABLE SET (…): a short wait for its lock, tried again with growing pauses, so that nobody queues behind it for long. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApplyOutcome, type Change, type JournalEntry, reloptionsByTable } from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';
import { lockBudgets } from './lock-budgets.ts';
import { reloptionOf } from './preflight-table.ts';
import { findRelation } from './relation.ts';
import { type ApplyRun, applied, failed, needsAttention, reasonOf, SQLSTATE, setTimeouts } from './run.ts';
import { journalled } from './statement.ts';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const RETRIED: ReadonlySet<string> = new Set([SQLSTATE.lock_not_available, SQLSTATE.deadlock_detected]);

type Reloptions = Extract<Change, { kind: 'table.reloptions' }>;

export async function setReloptions(
  run: ApplyRun,
  change: Reloptions,
  statements: readonly string[],
): Promise<ApplyOutcome> {
  for (const [done, statement] of statements.entries()) {
    const refused = await withShortLock(run, 'statement', statement);
    if (refused) {
      const [code, message] = reasonOf(run, refused);
      return done === 0
        ? failed(code, message)
        : needsAttention(
            'partly_applied',
            `${message} ${done} of ${statements.length} statements had been done by then; the journal names them.`,
          );
    }
  }
  return (await reloptionsInForce(run.session, change)) === 'all'
    ? applied({ previous: change.previous })
    : needsAttention('reloptions_not_in_force', 'The statements ran, but a table has other values now.');
}

/**
 * Runs a quick statement with at most 5 s in the lock's queue at a time, until the budget is used up: pauses double
 * from half a second to half a minute, each between a half and the whole of that, so that several do not meet again.
 * @param lockTimeoutMs longest single wait, where 5 s are too many for those who queue behind it.
 * @returns the server's last refusal, or null when it ran.
 */
export async function withShortLock(
  run: ApplyRun,
  purpose: 'statement' | 'analyze',
  statement: string,
  lockTimeoutMs: number = lockBudgets.short.lock_timeout_ms,
): Promise<TargetQueryError | null> {
  await setTimeouts(run.session, {
    lock_timeout: Math.min(lockTimeoutMs, run.lockBudgetMs),
    statement_timeout: run.statementTimeoutMs,
  });
  const deadline = performance.now() + run.lockBudgetMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      await journalled(run, purpose, statement);
      return null;
    } catch (error) {
      if (!(error instanceof TargetQueryError)) throw error;
      const wait = pause * (0.5 + Math.random() / 2);
      if (!RETRIED.has(error.sqlstate) || performance.now() + wait > deadline) return error;
      run.onProgress({ phase: 'waiting to try again for the lock', fraction: null, blockers: [] });
      await sleep(wait, undefined, { signal: run.signal });
    }
  }
}

/** How many of the change's tables have all of its values: a table that has only some counts as `some`. */
async function reloptionsInForce(
  session: TargetSession,
  change: Reloptions,
): Promise<'all' | 'some' | 'none'> {
  let [in_force, all] = [0, 0];
  for (const { schema, table, wanted, previous } of reloptionsByTable(change)) {
    const relation = await findRelation(session, schema, table);
    for (const [name, value] of Object.entries(wanted)) {
      all += 1;
      const now = relation && reloptionOf(relation, name);
      // What was so before the change says nothing of whether it ran.
      if (relation && now === value && value !== (previous[name] ?? null)) in_force += 1;
      else if (relation && now === value) all -= 1;
    }
  }
  return in_force === all ? 'all' : in_force > 0 ? 'some' : 'none';
}

/** What was sent by then is in force or not; statements that never were are sent now, where others are in force. */
export async function recoverReloptions(
  run: ApplyRun,
  change: Reloptions,
  statements: readonly string[],
  sent: readonly JournalEntry[],
  reason: { code: string; message: string },
): Promise<ApplyOutcome> {
  let inForce = await reloptionsInForce(run.session, change);
  if (inForce === 'none') return failed(reason.code, reason.message);
  const begun = new Set(sent.map((entry) => entry.sql));
  for (const statement of statements) {
    if (inForce === 'some' && !begun.has(statement)) await withShortLock(run, 'statement', statement);
  }
  inForce = await reloptionsInForce(run.session, change);
  return inForce === 'all'
    ? applied({ recovered: true, previous: change.previous })
    : needsAttention(
        'partly_applied',
        'The apply was interrupted after some of its statements; the journal names those that were done.',
      );
}
