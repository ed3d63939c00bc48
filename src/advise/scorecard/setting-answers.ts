/** Answers read from settings, and from what keeps WAL elsewhere. */
import { settingEvidence } from '../health/finding.ts';
import { measured, setting } from '../settings/facts.ts';
import type { Asked } from './questions.ts';
import type { Answer } from './rule-answer.ts';

const unseenSetting = (name: string): Answer => ({
  answer: 'unknown',
  because: `${name} is not visible to this role, or this version has none.`,
  evidence: [],
  remedy: 'GRANT pg_read_all_settings (or pg_monitor) to the role.',
});

/** Yes where all of them are on. */
export const settingsOn =
  (...names: string[]) =>
  ({ input }: Asked): Answer => {
    const rows = names.map((name) => setting(input, name));
    const missing = names.find((_, index) => rows[index] === undefined);
    const seen = rows.flatMap((row) => row ?? []);
    const off = seen.filter((row) => row.setting === 'off');
    if (off.length === 0 && missing !== undefined) return unseenSetting(missing);
    return {
      answer: off.length === 0 ? 'yes' : 'no',
      because: `${seen.map((row) => `${row.name} is ${row.setting}`).join(', ')}.`,
      evidence: seen.map(settingEvidence),
      remedy: off.length === 0 ? null : `Set ${off.map(({ name }) => name).join(', ')} to on.`,
    };
  };

export function slowStatementsLogged({ input }: Asked): Answer {
  const row = setting(input, 'log_min_duration_statement');
  if (row === undefined) return unseenSetting('log_min_duration_statement');
  const sample = setting(input, 'log_min_duration_sample');
  const on = Number(row.setting) >= 0 || Number(sample?.setting ?? -1) >= 0;
  return {
    answer: on ? 'yes' : 'no',
    because: on ? 'Statements above a limit are logged.' : 'log_min_duration_statement is off (-1).',
    evidence: [settingEvidence(row), ...(sample ? [settingEvidence(sample)] : [])],
    remedy: on ? null : "ALTER SYSTEM SET log_min_duration_statement = '100ms' (the guide's), and reload.",
  };
}

export function idleTransactionsEnd({ input }: Asked): Answer {
  const row = setting(input, 'idle_in_transaction_session_timeout');
  if (row === undefined) return unseenSetting('idle_in_transaction_session_timeout');
  const overrides = input.snapshot.setting_overrides.filter(({ name }) => name === row.name);
  const on = row.setting !== '0';
  return {
    answer: on ? 'yes' : 'no',
    because: on
      ? 'idle_in_transaction_session_timeout is set.'
      : `idle_in_transaction_session_timeout is 0 for the server${overrides.length > 0 ? `, and set for ${overrides.length} role(s) or database(s)` : ''}.`,
    evidence: [settingEvidence(row)],
    remedy: on ? null : 'Set it for the server, or for the roles of applications.',
  };
}

/** Managed services keep WAL by means that SQL does not show. */
export function walKeptElsewhere({ input }: Asked): Answer {
  const { snapshot } = input;
  const mode = setting(input, 'archive_mode');
  if (mode === undefined) return unseenSetting('archive_mode');
  const { archiver } = snapshot.counters;
  const senders = snapshot.replication.senders.length;
  const evidence = [
    settingEvidence(mode),
    ...(archiver
      ? [measured('segments archived', archiver.archived_count, 'segments', 'pg_stat_archiver')]
      : []),
    measured('streaming to', senders, 'servers', 'pg_stat_replication'),
  ];
  if (snapshot.server.managed_service !== null) {
    return {
      answer: 'unknown',
      because: `${snapshot.server.managed_service} keeps WAL by means of its own.`,
      evidence,
      remedy: "Look at the service's backups.",
    };
  }
  if (senders > 0)
    return { answer: 'yes', because: `WAL is streamed to ${senders} client(s).`, evidence, remedy: null };
  if (mode.setting === 'off') {
    return snapshot.limits.some(({ scope }) => scope.startsWith('replication'))
      ? {
          answer: 'unknown',
          because: 'It is not archived; whether it is streamed could not be seen.',
          evidence,
          remedy: null,
        }
      : {
          answer: 'no',
          because: 'archive_mode is off, and nobody streams it now.',
          evidence,
          remedy: 'Archive it, or stream it to a standby or a backup tool.',
        };
  }
  if (archiver === null)
    return { answer: 'unknown', because: 'pg_stat_archiver was not read.', evidence, remedy: null };
  const { last_archived_time: good, last_failed_time: bad } = archiver;
  const failing = bad !== null && (good === null || Date.parse(bad) > Date.parse(good));
  if (failing)
    return {
      answer: 'no',
      because: `Archiving failed last, at ${bad}.`,
      evidence,
      remedy: "See archive_command and the server's log.",
    };
  return good === null
    ? { answer: 'unknown', because: 'It is to be archived, and no segment was yet.', evidence, remedy: null }
    : { answer: 'yes', because: `Archived last at ${good}.`, evidence, remedy: null };
}
