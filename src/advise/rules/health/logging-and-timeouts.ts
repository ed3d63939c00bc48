/** Settings without which nobody sees, or ends, what goes wrong. */
import type { SettingRow } from '../../../domain/index.ts';
import { healthRule } from '../../health/check.ts';
import { settingEvidence } from '../../health/finding.ts';

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

export const rule = healthRule(
  'logging-and-timeouts',
  'The log is silent, or sessions may idle for ever',
  'One finding of severity info for what is not logged (log_lock_waits, log_temp_files, log_checkpoints, log_autovacuum_min_duration), ' +
    'and one, low, where idle_in_transaction_session_timeout is 0 for the server while a session idles in a transaction for five ' +
    'minutes. statement_timeout of the server is left alone: it would end dumps, too, and the documentation advises against it.',
  ({ snapshot }) => {
    const rows = new Map(snapshot.settings.map((row) => [row.name, row]));
    const silent = LOGGING.flatMap((each): (Silent & { row: SettingRow })[] => {
      const row = rows.get(each.name);
      return row?.setting === each.value ? [{ ...each, row }] : [];
    });
    const timeout = rows.get('idle_in_transaction_session_timeout');
    const limit = Date.parse(snapshot.taken_at) - 5 * 60_000;
    const idle = snapshot.activity.sessions.filter(
      (session) =>
        session.state?.startsWith('idle in transaction') === true &&
        session.state_change !== null &&
        Date.parse(session.state_change) <= limit,
    );
    return {
      found: [
        ...(silent.length === 0
          ? []
          : [
              {
                object: 'logging',
                title: `The log does not tell: ${silent.map(({ name }) => name).join(', ')}`,
                rationale: `When something was slow yesterday the log should say why; here ${silent.map(({ why }) => why).join(', ')}. These cost next to nothing.`,
                severity: 'info' as const,
                evidence: silent.map(({ row }) => settingEvidence(row)),
                remedy: silent
                  .map(({ name, wanted }) => `ALTER SYSTEM SET ${name} = ${wanted};`)
                  .concat('SELECT pg_reload_conf();'),
                needs: 'reload' as const,
              },
            ]),
        ...(timeout?.setting === '0' && idle.length > 0
          ? [
              {
                object: 'idle_in_transaction_session_timeout',
                title: 'Nothing ends sessions that idle in a transaction, and there are some',
                rationale:
                  'Each holds its locks and keeps vacuum from removing rows for as long as it likes. A timeout ends the session; the application gets an error and must connect anew.',
                severity: 'low' as const,
                evidence: [
                  settingEvidence(timeout),
                  {
                    name: 'sessions idle in a transaction for 5 minutes',
                    value: idle.length,
                    unit: 'sessions',
                    source: 'pg_stat_activity',
                    level: 'measured' as const,
                    formula: null,
                  },
                ],
                remedy: [
                  "ALTER SYSTEM SET idle_in_transaction_session_timeout = '15min'; SELECT pg_reload_conf();",
                  'Or for the roles of applications alone: ALTER ROLE … SET idle_in_transaction_session_timeout = …;',
                ],
                needs: 'reload' as const,
              },
            ]
          : []),
      ],
    };
  },
);
