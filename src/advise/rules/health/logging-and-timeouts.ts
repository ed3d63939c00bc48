/** Settings without which nobody sees, or ends, what goes wrong. */
import type { SettingRow } from '../../../domain/index.ts';
import { type Found, healthRule } from '../../health/check.ts';
import { settingEvidence } from '../../health/finding.ts';
import { measured } from '../../settings/facts.ts';
import { isChosen } from '../../settings/propose.ts';

interface Silent {
  name: string;
  value: string;
  why: string;
  /** What it would be as a statement. */
  wanted: string;
}

/** Defaults: log_checkpoints is on and log_autovacuum_min_duration 10 min from 15 on; log_lock_waits from 19 on. */
const LOGGING: Silent[] = [
  { name: 'log_lock_waits', value: 'off', why: 'waits for locks go unseen', wanted: 'on' },
  { name: 'log_temp_files', value: '-1', why: 'what spills to disk goes unseen', wanted: "'10MB'" },
  { name: 'log_checkpoints', value: 'off', why: 'checkpoints go unseen', wanted: 'on' },
  {
    name: 'log_autovacuum_min_duration',
    value: '-1',
    why: 'slow and cancelled autovacuums go unseen',
    wanted: "'1min'",
  },
];
const TIMEOUT = 'idle_in_transaction_session_timeout';

export const rule = healthRule(
  'logging-and-timeouts',
  'The log is silent, or sessions may idle for ever',
  'One finding of severity info for what is not logged by default (log_lock_waits, log_temp_files, log_checkpoints, ' +
    'log_autovacuum_min_duration), one for what of it somebody switched off, and one, low, where idle_in_transaction_session_timeout ' +
    'is 0 for the server while a session idles in a transaction for five minutes. What the rules of the area settings propose in the ' +
    'same analysis is left to them: they never question what was switched off on purpose. statement_timeout of the server is left ' +
    'alone: it would end dumps, too, and the documentation advises against it.',
  ({ snapshot }) => {
    const rows = new Map(snapshot.settings.map((row) => [row.name, row]));
    const silent = LOGGING.flatMap((each): (Silent & { row: SettingRow })[] => {
      const row = rows.get(each.name);
      return row?.setting === each.value ? [{ ...each, row }] : [];
    });
    const timeout = rows.get(TIMEOUT);
    const limit = Date.parse(snapshot.taken_at) - 5 * 60_000;
    const idle = snapshot.activity.sessions.filter(
      (session) =>
        session.state?.startsWith('idle in transaction') === true &&
        session.state_change !== null &&
        Date.parse(session.state_change) <= limit,
    );
    const byDefault = silent.filter(({ row }) => !isChosen(row));
    return {
      found: [
        ...logging('logging', 'The log does not tell', byDefault, {
          yields_to: byDefault.map(({ name }) => `setting ${name}`),
        }),
        ...logging(
          'logging switched off',
          'It was switched off on purpose that the log tells',
          silent.filter(({ row }) => isChosen(row)),
          {},
        ),
        ...(timeout?.setting === '0' && idle.length > 0 ? [idling(timeout, idle.length)] : []),
      ],
    };
  },
);

function logging(
  object: string,
  title: string,
  silent: readonly (Silent & { row: SettingRow })[],
  more: Pick<Found, 'yields_to'>,
): Found[] {
  if (silent.length === 0) return [];
  return [
    {
      object,
      title: `${title}: ${silent.map(({ name }) => name).join(', ')}`,
      rationale: `When something was slow yesterday the log should say why; here ${silent.map(({ why }) => why).join(', ')}. These cost next to nothing.`,
      severity: 'info',
      evidence: silent.map(({ row }) => settingEvidence(row)),
      remedy: silent
        .map(({ name, wanted }) => `ALTER SYSTEM SET ${name} = ${wanted};`)
        .concat('SELECT pg_reload_conf();'),
      needs: 'reload',
      ...more,
    },
  ];
}

function idling(timeout: SettingRow, sessions: number): Found {
  return {
    object: TIMEOUT,
    title: 'Nothing ends sessions that idle in a transaction, and there are some',
    rationale:
      'Each holds its locks and keeps vacuum from removing rows for as long as it likes. A timeout ends the session; the application gets an error and must connect anew.',
    severity: 'low',
    evidence: [
      settingEvidence(timeout),
      measured('sessions idle in a transaction for 5 minutes', sessions, 'sessions', 'pg_stat_activity'),
    ],
    remedy: [
      `ALTER SYSTEM SET ${TIMEOUT} = '15min'; SELECT pg_reload_conf();`,
      `Or for the roles of applications alone: ALTER ROLE … SET ${TIMEOUT} = …;`,
    ],
    needs: 'reload',
    yields_to: [`setting ${TIMEOUT}`],
  };
}
