/** Sessions that hold a transaction open and do nothing. */
import { healthRule } from '../../health/check.ts';
import { sessionsFound } from '../../health/sessions.ts';
import { HOUR, MINUTE, span } from '../../health/words.ts';

export const rule = healthRule(
  'idle-in-transaction',
  'A session is idle in a transaction',
  'Client sessions idle in a transaction for 5 minutes or more at the moment of the sample (state_change). Medium from an ' +
    'hour on, high where it blocks others. Key by user, database and application, not by pid.',
  (context) => ({
    found: sessionsFound(context, {
      matches: (session) => session.state?.startsWith('idle in transaction') === true,
      since: (session) => session.state_change,
      minimum_ms: 5 * MINUTE,
      medium_ms: HOUR,
      title: (who, ms) => `${who} is idle in a transaction for ${span(ms)}`,
      rationale:
        'It holds its locks, and the rows that it may still see: vacuum cannot remove what died since. Mostly an application that waits for something else, or forgot to commit.',
      remedy: [
        "Set idle_in_transaction_session_timeout for this role: ALTER ROLE … SET idle_in_transaction_session_timeout = '5min';",
      ],
    }),
  }),
);
