/** A batch that a crash left open: written as a whole it stands, written in part it is taken back. */
import type { ApplyOutcome, JournalEntry } from '../domain/index.ts';
import { settleOpen } from './recover.ts';
import { elsewhere, failed, needsAttention, recordedState } from './run.ts';
import { earlierEntryStatement, settingFacts } from './setting.ts';
import {
  type BatchOptions,
  type BatchOutcomes,
  judged,
  type Member,
  openBatch,
  restoreEntry,
} from './setting-batch.ts';
import { autoConfEntry, readFileEntries, readSetting } from './setting-state.ts';
import { sameSettingValue } from './setting-value.ts';
import { journalled } from './statement.ts';
import { ApplyHeld } from './stopped.ts';

type State = 'unsent' | 'written' | 'not_written' | 'changed';

/**
 * Null: a session of before still works on it, or what it must send may not be sent now; try again later.
 * @throws PgLuthierError when the target cannot be reached; `target_is_standby`.
 */
export async function recoverSettingBatch(options: BatchOptions): Promise<BatchOutcomes | null> {
  const opened = await openBatch(options);
  if (opened === null) return null;
  const { session, members } = opened;
  try {
    const entries = new Map<Member, JournalEntry[]>();
    for (const member of members) entries.set(member, await member.run.journal.entries());
    const outcome = (await leftElsewhere(members, entries)) ?? (await settled(members, entries));
    const found: BatchOutcomes = new Map();
    for (const [at, member] of members.entries()) {
      const own = outcome(member);
      await settleOpen(member.run.journal, entries.get(member) ?? [], own);
      found.set(options.applies[at]?.apply_id ?? '', own);
    }
    return found;
  } catch (error) {
    if (error instanceof ApplyHeld) return null;
    throw error;
  } finally {
    await session.close();
  }
}

async function settled(
  members: readonly Member[],
  entries: ReadonlyMap<Member, JournalEntry[]>,
): Promise<(member: Member) => ApplyOutcome> {
  const states = new Map<Member, State>();
  for (const member of members) states.set(member, await stateOf(member, entries.get(member) ?? []));
  return [...states.values()].every((state) => state === 'written')
    ? completed(members, entries)
    : undone(members, states);
}

/**
 * Another cluster answers: its postgresql.auto.conf may have the same entries, and they are not this batch's. One session
 * wrote them all, so that what is recorded of one member is true of all. Null: it is the same cluster, or nobody can tell.
 */
async function leftElsewhere(
  members: readonly Member[],
  entries: ReadonlyMap<Member, JournalEntry[]>,
): Promise<((member: Member) => ApplyOutcome) | null> {
  const [first] = members;
  const away = first && (await elsewhere(first.run.session, [...entries.values()].flat()));
  if (!away) return null;
  return (member) =>
    entries.get(member)?.length
      ? away
      : failed('interrupted_before_effect', 'The batch was interrupted; nothing of this was sent.');
}

/** Also fills in the way back, by what was recorded before the value was written. */
async function stateOf(member: Member, entries: readonly JournalEntry[]): Promise<State> {
  const { run, change } = member;
  const recorded = recordedState(entries, earlierEntryStatement(change.name));
  if (recorded === null) return 'unsent';
  const previous = (recorded.previous_entry ?? null) as string | null;
  member.facts = { ...(await settingFacts(run.session, change.name, previous)), recovered: true };
  const entry = autoConfEntry(await readFileEntries(run.session, change.name));
  const setting = await readSetting(run.session, change.name);
  const written = change.reset
    ? entry === null
    : setting !== null && entry !== null && sameSettingValue(entry, change.value, setting);
  if (written) return 'written';
  return entry === previous ? 'not_written' : 'changed';
}

async function completed(
  members: readonly Member[],
  entries: ReadonlyMap<Member, JournalEntry[]>,
): Promise<(member: Member) => ApplyOutcome> {
  for (const member of members) {
    const reload = member.plan.statements[1] ?? '';
    const done = entries.get(member)?.some((row) => row.sql === reload && row.state === 'done');
    // A reload is no change of its own: what is written comes into force with anybody's.
    if (!done) await journalled(member.run, 'cleanup', reload, { heedAbort: false });
  }
  return judged(members);
}

async function undone(
  members: readonly Member[],
  states: ReadonlyMap<Member, State>,
): Promise<(member: Member) => ApplyOutcome> {
  const problems = new Map<Member, string>();
  const inForce = new Set<Member>();
  for (const member of members.toReversed()) {
    if (states.get(member) !== 'written') continue;
    const setting = await readSetting(member.run.session, member.change.name);
    // The server was restarted between: the value is in use until the next restart.
    if (setting && !setting.pending_restart && setting.reset_val !== null) {
      if (sameSettingValue(setting.reset_val, member.change.value, setting)) inForce.add(member);
    }
    const problem = await restoreEntry(member);
    if (problem !== null) problems.set(member, problem);
  }
  return (member) => {
    const { name, value } = member.change;
    const problem = problems.get(member);
    if (problem !== undefined) {
      return needsAttention(
        'setting_left_written',
        `The batch was interrupted. ${name} = ${value} stands in postgresql.auto.conf and could not be taken back: ${problem}`,
        member.facts,
      );
    }
    if (states.get(member) === 'changed') {
      return needsAttention(
        'setting_changed',
        `The batch was interrupted, and postgresql.auto.conf has neither the plan's value of ${name} nor the one before: somebody else has changed it.`,
        member.facts,
      );
    }
    if (inForce.has(member)) {
      return needsAttention(
        'batch_in_force_until_restart',
        `The batch was interrupted before all of it was written, and the server restarted: ${name} = ${value} was taken out of postgresql.auto.conf and is in use until the next restart.`,
        member.facts,
      );
    }
    return failed(
      'interrupted_before_effect',
      'The batch was interrupted before all of it was written; nothing of it stays written.',
      member.facts,
    );
  };
}
