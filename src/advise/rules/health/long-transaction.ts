/** Transactions that run for hours. */
import { healthRule } from '../../health/check.ts';
import { sessionsFound } from '../../health/sessions.ts';
import { HOUR, span } from '../../health/words.ts';

export const rule = healthRule(
  'long-transaction',
  'A transaction runs for a long time',
  'Client sessions whose transaction began an hour ago or more and is at work; medium from 6 hours on, high where it ' +
    'blocks others. Autovacuum workers, replication, and a VACUUM that somebody runs in this database (it holds back nothing) are left alone; idle ones are health/idle-in-transaction.',
  (context) => ({
    found: sessionsFound(context, {
      matches: (session) =>
        (session.state === 'active' || session.state === 'fastpath function call') &&
        !context.snapshot.activity.vacuums.some(({ pid }) => pid === session.pid),
      since: (session) => session.xact_start,
      minimum_ms: HOUR,
      medium_ms: 6 * HOUR,
      title: (who, ms) => `${who} is in one transaction for ${span(ms)}`,
      rationale:
        'Its snapshot and its locks stay as long: vacuum cannot remove what died since, and schema changes wait behind it. A dump or a report may need that; then it belongs on a standby, or into the night.',
      remedy: [
        'statement_timeout for roles of applications ends runaway statements; for dumps leave it at 0.',
      ],
    }),
  }),
);
