/** Multixact ids near their end. */
import { healthRule } from '../../health/check.ts';
import { wraparound } from '../../health/wraparound.ts';

export const rule = healthRule(
  'mxid-wraparound',
  'Multixact ids come near their end',
  'mxid_age of datminmxid of every database, by the same steps as health/xid-wraparound with ' +
    'autovacuum_multixact_freeze_max_age. Rows locked by several transactions at once (foreign keys) use them. The space ' +
    'of their members has a limit of its own that SQL does not show.',
  (context) =>
    wraparound(
      context,
      {
        words: 'multixact ids',
        setting: 'autovacuum_multixact_freeze_max_age',
        source: 'mxid_age(pg_database.datminmxid)',
        database_age: 'datminmxid_age',
        table_age: 'mxid_age',
      },
      null,
    ),
);
