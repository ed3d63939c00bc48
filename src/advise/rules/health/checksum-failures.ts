/** Pages that are not what was written. */
import { healthRule, unseen } from '../../health/check.ts';
import { measured } from '../../settings/facts.ts';

export const rule = healthRule(
  'checksum-failures',
  'Data pages failed their checksum',
  'pg_stat_database.checksum_failures of this database above 0: critical, however long ago. Quiet where checksums are off, ' +
    'as then nothing is checked (a rejection says so). Failures of shared catalogs are counted in a row of their own, not read here.',
  ({ snapshot }) => {
    const { database } = snapshot.counters;
    if (database === null) return unseen('pg_stat_database');
    if (database.checksum_failures === null) {
      const reason =
        'data_checksums is off: no page is checked, and damage stays unseen (pg_checksums --enable, server stopped)';
      return { rejections: [{ candidate: 'checksum failures', code: 'checksums_off', reason }] };
    }
    if (database.checksum_failures === 0) return {};
    return {
      found: [
        {
          object: 'database',
          title: `${database.checksum_failures} page(s) of this database failed their checksum`,
          rationale:
            'What was read is not what was written: the disk, its controller, memory or a copy has changed data. It is counted a read, so one bad page may count often. Do nothing that writes much before you have a copy.',
          severity: 'critical',
          evidence: [
            measured('failures', database.checksum_failures, 'reads', 'pg_stat_database.checksum_failures'),
            measured(
              'counted since',
              database.stats_reset ?? 'not told',
              null,
              'pg_stat_database.stats_reset',
            ),
          ],
          remedy: [
            "Look for “page verification failed” in the server's log: it names file and block. Check the hardware.",
            'Restore the damaged relation from a backup or a standby (their pages are checked when read, too: amcheck, pg_checksums --check on a stopped copy).',
            'SELECT datname, checksum_failures, checksum_last_failure FROM pg_stat_database;',
          ],
        },
      ],
    };
  },
);
