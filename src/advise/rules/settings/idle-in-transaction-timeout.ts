/** idle_in_transaction_session_timeout where sessions were seen idling in transactions. */
import type { Rule } from '../../../domain/index.ts';
import { limited, measured, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';

const ID = 'settings/idle-in-transaction-timeout';
const NAME = 'idle_in_transaction_session_timeout';
const WANTED_MS = 15 * 60_000;
/** Idle for so long at the snapshot, ms. */
const LONG_MS = 5 * 60_000;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Nothing ends sessions that idle in a transaction',
  description:
    '15 minutes where it is 0 and a session was seen idle in a transaction for five: it holds locks and keeps vacuum from removing rows. ' +
    'lock_timeout and statement_timeout are never proposed for the server: they end dumps and maintenance, too (PostgreSQL documentation 19.11).',
  evaluate: (context) => {
    const row = setting(context, NAME);
    if (!row) return limited(settingNotVisible(NAME));
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    if (row.setting !== '0') return reject('limited_already', `it is ${row.setting} ms`);
    const { activity, taken_at } = context.snapshot;
    const limit = Date.parse(taken_at) - LONG_MS;
    const idle = activity.sessions.filter(
      ({ state, state_change }) =>
        state?.startsWith('idle in transaction') === true &&
        state_change !== null &&
        Date.parse(state_change) <= limit,
    );
    if (idle.length === 0)
      return reject('none_idle', 'no session was seen idle in a transaction for five minutes');
    return propose(context, {
      rule: ID,
      name: NAME,
      value: WANTED_MS,
      formula: '15 min: three times what was seen and is harmful',
      why: `${idle.length} session(s) idled in a transaction for five minutes and more.`,
      unless:
        'An application that must keep transactions open (a long dialog, a logical dump through a cursor) wants its role left out: ALTER ROLE … SET it to 0.',
      severity: 'low',
      confidence: 0.55,
      direction: 'either',
      observed: false,
      evidence: [
        measured('sessions idle in a transaction for 5 min', idle.length, 'sessions', 'pg_stat_activity'),
      ],
      notes: ['A session that it ends gets an error and must connect anew; its transaction is rolled back.'],
    });
  },
};
