/** Transaction ids near their end. */
import { healthRule } from '../../health/check.ts';
import { wraparound } from '../../health/wraparound.ts';

export const rule = healthRule(
  'xid-wraparound',
  'Transaction ids come near their end',
  'Age of datfrozenxid of every database. Medium at twice autovacuum_freeze_max_age (400 million at least): autovacuum ' +
    'does not keep up; high from 1.2 billion, or less than 14 days at the rate of the window; critical from 1.9 billion ' +
    'or 3 days. The server stops at 2^31 − 1 − 3,000,000 (varsup.c).',
  (context) => {
    const { window } = context;
    const used = window?.counters?.xids ?? null;
    const rate = window && window.seconds >= 3600 && used !== null ? (used / window.seconds) * 86_400 : null;
    return wraparound(
      context,
      {
        words: 'transaction ids',
        setting: 'autovacuum_freeze_max_age',
        source: 'age(pg_database.datfrozenxid)',
        database_age: 'datfrozenxid_age',
        table_age: 'xid_age',
      },
      rate,
    );
  },
);
