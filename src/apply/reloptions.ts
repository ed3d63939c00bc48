/** ALTER TABLE SET (…): a short wait for its lock, tried again with growing pauses, so that nobody queues behind it for long. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApplyOutcome, Change } from '../domain/index.ts';
import { TargetQueryError, type TargetSession } from '../target/index.ts';
import { reloptionOf } from './preflight-table.ts';
import { findRelation } from './relation.ts';
import {
  type ApplyRun,
  applied,
  failed,
  journalled,
  needsAttention,
  reasonOf,
  SQLSTATE,
  setTimeouts,
} from './run.ts';

/** Longest single wait: what queues behind us waits as long. */
const LOCK_TIMEOUT_MS = 5_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const RETRIED: ReadonlySet<string> = new Set([SQLSTATE.lock_not_available, SQLSTATE.deadlock_detected]);

type Reloptions = Extract<Change, { kind: 'table.reloptions' }>;

export async function setReloptions(
  run: ApplyRun,
  change: Reloptions,
  statements: readonly string[],
): Promise<ApplyOutcome> {
  for (const statement of statements) {
    const refused = await withShortLock(run, 'statement', statement);
    if (refused) {
      const [code, message] = reasonOf(run, refused);
      return failed(code, message);
    }
  }
  return (await reloptionsInForce(run.session, change))
    ? applied({ previous: change.previous })
    : needsAttention('reloptions_not_in_force', 'The statement ran, but the table has other values now.');
}

/**
 * Runs a quick statement with at most 5 s in the lock's queue at a time, until the budget is used up: pauses double
 * from half a second to half a minute, each between a half and the whole of that, so that several do not meet again.
 * @returns the server's last refusal, or null when it ran.
 */
export async function withShortLock(
  run: ApplyRun,
  purpose: 'statement' | 'analyze',
  statement: string,
): Promise<TargetQueryError | null> {
  await setTimeouts(run.session, {
    lock_timeout: Math.min(LOCK_TIMEOUT_MS, run.lockBudgetMs),
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
      await sleep(wait, undefined, run.signal ? { signal: run.signal } : {});
    }
  }
}

/** Does the table have all values of the change? */
export async function reloptionsInForce(session: TargetSession, change: Reloptions): Promise<boolean> {
  const relation = await findRelation(session, change.schema, change.table);
  return (
    relation !== null &&
    Object.entries(change.set).every(([name, value]) => reloptionOf(relation, name) === value)
  );
}
