/** Transactions that were prepared and never ended. */
import { quoteLiteral } from '../../../domain/index.ts';
import { healthRule } from '../../health/check.ts';
import { count, elapsed, HOUR, MINUTE, span } from '../../health/words.ts';
import { measured } from '../../settings/facts.ts';

export const rule = healthRule(
  'prepared-transaction',
  'A prepared transaction was not ended',
  'Rows of pg_prepared_xacts, of all databases, that are 10 minutes old; medium from an hour, high from a day on. A ' +
    'transaction manager ends its own within seconds; an orphan outlasts restarts and keeps its locks.',
  ({ snapshot }) => ({
    found: snapshot.activity.prepared_transactions.flatMap((prepared) => {
      const ms = elapsed(prepared.prepared_at, snapshot.taken_at) ?? 0;
      if (ms < 10 * MINUTE) return [];
      const gid = quoteLiteral(prepared.gid);
      return [
        {
          object: `${prepared.database} ${prepared.gid}`,
          yields_to: [`finding xmin horizon prepared_transaction ${prepared.gid}`],
          title: `The transaction ${prepared.gid} in ${prepared.database} is prepared for ${span(ms)}`,
          rationale:
            'It keeps its locks and holds back vacuum until somebody ends it; no restart does. Mostly its transaction manager is gone or forgot it.',
          severity: ms >= 24 * HOUR ? 'high' : ms >= HOUR ? 'medium' : 'low',
          evidence: [
            measured('prepared', prepared.prepared_at, null, 'pg_prepared_xacts.prepared'),
            measured('owner', prepared.owner, null, 'pg_prepared_xacts.owner'),
            measured('age', prepared.xid_age, 'transactions', 'age(pg_prepared_xacts.transaction)'),
          ],
          remedy: [
            `Ask its transaction manager, then in the database ${prepared.database}: COMMIT PREPARED ${gid}; or ROLLBACK PREPARED ${gid};`,
            `It is ${count(prepared.xid_age)} transactions old. Where nobody uses two-phase commit, max_prepared_transactions = 0 prevents it.`,
          ],
        },
      ];
    }),
  }),
);
