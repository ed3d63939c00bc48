/**
 * Settings that only a restart brings into force, written together: all of them or none. Each is journalled in an apply
 * of its own; one session holds the locks of all, and what was written is taken back where one of them fails.
 */
import type { ApplyOutcome, ApplyPlan, Change, Journal } from '../domain/index.ts';
import { type openTarget, TargetQueryError, type TargetSession } from '../target/index.ts';
import { tryApplyLock } from './advisory-lock.ts';
import { settleSession } from './begin-run.ts';
import { lockBudgets } from './lock-budgets.ts';
import { findDrift } from './preflight.ts';
import {
  type ApplyRun,
  applicationName,
  type Facts,
  failed,
  type Guard,
  needsAttention,
  reasonOf,
  recordState,
  setTimeouts,
} from './run.ts';
import { earlierEntryStatement, judgeSetting, settingFacts } from './setting.ts';
import { autoConfEntry, readFileEntries } from './setting-state.ts';
import { journalled } from './statement.ts';
import { isAbort, stopReason } from './stopped.ts';

export type SettingChange = Extract<Change, { kind: 'setting' }>;

export interface BatchApply {
  apply_id: string;
  plan: ApplyPlan;
  journal: Journal;
}

export interface BatchOptions {
  dsn: string;
  /** Names the session: its first apply's would hide the others. */
  batch_id: string;
  applies: readonly BatchApply[];
  openSession: typeof openTarget;
  signal?: AbortSignal;
  /** Asked once before the first is written, for all are one step; see Guard. */
  mayBegin?: Guard['mayBegin'];
  /** Asked before each statement of a recovery: why it may not be sent now; null: it may. */
  heldBy?: () => Promise<string | null>;
}

/** Outcome of each apply, by its id. */
export type BatchOutcomes = Map<string, ApplyOutcome>;

/** One member while it runs. */
export interface Member {
  run: ApplyRun;
  change: SettingChange;
  plan: ApplyPlan;
  facts: Facts;
}

const LOCK_PATIENCE_MS = 2_000;
const STATEMENT_TIMEOUT_MS = 60_000;

/** The session of a batch, with the lock of each apply; null: another session works on one of them. */
export async function openBatch(
  { dsn, batch_id, applies, openSession, heldBy }: BatchOptions,
  signal: AbortSignal = new AbortController().signal,
): Promise<{ session: TargetSession; members: Member[] } | null> {
  const lost = new AbortController();
  const session = await openSession(dsn, {
    applicationName: applicationName(batch_id),
    readOnly: false,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: lockBudgets.setting.lock_timeout_ms,
    signal: lost.signal,
  });
  try {
    for (const { apply_id } of applies) {
      if (await tryApplyLock(session, apply_id, LOCK_PATIENCE_MS)) continue;
      await session.close();
      return null;
    }
    await settleSession(session);
    await setTimeouts(session, {
      lock_timeout: lockBudgets.setting.lock_timeout_ms,
      statement_timeout: STATEMENT_TIMEOUT_MS,
    });
  } catch (error) {
    await session.close();
    throw error;
  }
  const members = applies.map(({ plan, journal }): Member => {
    if (plan.change.kind !== 'setting') throw new Error(`${plan.change.kind} is no setting`);
    const run: ApplyRun = {
      // What cancels a statement looks for the session by this name.
      apply_id: batch_id,
      dsn,
      openSession,
      session,
      journal,
      onProgress: () => {},
      signal,
      // Nobody waits for a setting's lock but another ALTER SYSTEM.
      guard: { yieldAfterMs: null, stop: () => {}, ...(heldBy ? { heldBy } : {}) },
      expectedSeconds: null,
      lockBudgetMs: lockBudgets.setting.lock_timeout_ms,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      giveUpSession: () => lost.abort(),
    };
    return { run, change: plan.change, plan, facts: {} };
  });
  return { session, members };
}

/**
 * Writes all, reloads, and looks whether each waits for the restart or is in force. Null: somebody else works on it, or
 * the target was lost: recovery brings it to its end.
 */
export async function applySettingBatch(options: BatchOptions): Promise<BatchOutcomes | null> {
  const opened = await openBatch(options, options.signal);
  if (opened === null) return null;
  const { session, members } = opened;
  const ids = new Map(members.map((member, at) => [member, options.applies[at]?.apply_id ?? '']));
  const outcomes = (of: (member: Member) => ApplyOutcome): BatchOutcomes =>
    new Map(members.map((member) => [ids.get(member) ?? '', of(member)]));
  try {
    const refused = await driftOf(session, members);
    if (refused) return outcomes(refused);
    const held = await options.mayBegin?.(null);
    if (held) return outcomes(() => failed(held.code, `${held.message} Nothing was written.`));
    const written: Member[] = [];
    for (const member of members) {
      try {
        options.signal?.throwIfAborted();
        await write(member);
        written.push(member);
      } catch (error) {
        const reason = whyStopped(member.run, error);
        return outcomes(await takeBack(written, member, reason));
      }
    }
    for (const member of members) {
      try {
        await journalled(member.run, 'statement', member.plan.statements[1] ?? '', { heedAbort: false });
      } catch (error) {
        if (!(error instanceof TargetQueryError)) throw error;
        return outcomes(await takeBack(written, member, reasonOf(member.run, error)));
      }
    }
    return outcomes(await judged(members));
  } finally {
    await session.close();
  }
}

/** Nothing is sent where one of them is no longer what was approved. */
async function driftOf(
  session: TargetSession,
  members: readonly Member[],
): Promise<((member: Member) => ApplyOutcome) | null> {
  const found = new Map<Member, ApplyOutcome>();
  for (const member of members) {
    const drift = await findDrift(session, member.plan);
    const [first] = drift;
    if (!first) continue;
    found.set(member, failed(first.code, drift.map(({ message }) => message).join(' '), { drift }));
  }
  if (found.size === 0) return null;
  const names = [...found.keys()].map(({ change }) => change.name).join(', ');
  return (member) =>
    found.get(member) ??
    failed('batch_not_begun', `Nothing was written: ${names} of the same batch can no longer be.`);
}

async function write(member: Member): Promise<void> {
  const { run, change, plan } = member;
  const previous = autoConfEntry(await readFileEntries(run.session, change.name));
  member.facts = await settingFacts(run.session, change.name, previous);
  await recordState(run, earlierEntryStatement(change.name), { previous_entry: previous });
  // ALTER SYSTEM is refused in a transaction, so that all or none is ours to see to.
  await journalled(run, 'statement', plan.statements[0] ?? '');
}

/** A server's refusal and a stop end it in an orderly way; all else is for recovery. */
function whyStopped(run: ApplyRun, error: unknown): [string, string] {
  if (error instanceof TargetQueryError) return reasonOf(run, error);
  if (run.signal.aborted && isAbort(error)) return stopReason(run.signal);
  throw error;
}

/**
 * The files get their earlier entries again, the last one first.
 * @param failing the member that could not be written, or not be brought into force.
 */
async function takeBack(
  written: readonly Member[],
  failing: Member,
  [code, message]: [string, string],
): Promise<(member: Member) => ApplyOutcome> {
  const left = new Map<Member, string>();
  for (const member of written.toReversed()) {
    const problem = await restoreEntry(member);
    if (problem !== null) left.set(member, problem);
  }
  return (member) => {
    const problem = left.get(member);
    if (problem !== undefined) {
      return needsAttention(
        'setting_left_written',
        `${message} ${member.change.name} = ${member.change.value} stands in postgresql.auto.conf and could not be taken back: ${problem}`,
        member.facts,
      );
    }
    if (member === failing)
      return failed(code, `${message} Nothing of its batch stays written.`, member.facts);
    return failed(
      'batch_taken_back',
      `${failing.change.name} of the same batch could not be written (${code}): this was ${written.includes(member) ? 'taken back' : 'not written'}.`,
      member.facts,
    );
  };
}

/** Null: done; else why not. */
export async function restoreEntry({ run, facts }: Member): Promise<string | null> {
  const [restore, reload] = facts.exact_rollback as string[];
  try {
    await journalled(run, 'cleanup', restore ?? '', { heedAbort: false });
    await journalled(run, 'cleanup', reload ?? '', { heedAbort: false });
    return null;
  } catch (error) {
    if (!(error instanceof TargetQueryError)) throw error;
    return error.message;
  }
}

/** What the server made of each; a value that it cannot use could keep it from starting, and takes all back. */
export async function judged(members: readonly Member[]): Promise<(member: Member) => ApplyOutcome> {
  const found = new Map<Member, ApplyOutcome>();
  for (const member of members) {
    const outcome = await judgeSetting(member.run, member.change, member.facts);
    found.set(member, outcome);
    if (outcome.outcome === 'applied') continue;
    const message = 'message' in outcome ? outcome.message : '';
    return takeBack(members, member, ['setting_not_in_force', message]);
  }
  return (member) => found.get(member) ?? failed('interrupted_before_effect', 'It was not looked at.');
}
