/** Sorts and hashes that did not fit into memory. */
import { healthRule, unseen } from '../../health/check.ts';
import { aged, counted, tooYoung } from '../../health/counted.ts';
import { count, size } from '../../health/words.ts';
import { computed, measured } from '../../settings/facts.ts';

const GB = 1024 ** 3;

export const rule = healthRule(
  'temp-files',
  'Statements write much to temporary files',
  'pg_stat_database.temp_bytes, a day: low from 10 GB, medium from 200 GB. Names the statements of the workload that ' +
    'wrote most. What work_mem to set for it is for the rules of the area settings.',
  (context) => {
    const { snapshot, window, workload } = context;
    const { database } = snapshot.counters;
    if (database === null) return unseen('pg_stat_database');
    const seen = counted(context, {
      total: database.temp_bytes,
      in_window: window?.counters?.database?.temp_bytes,
      stats_reset: database.stats_reset,
      source: 'pg_stat_database.temp_bytes',
    });
    if (seen === null) return database.temp_bytes >= 10 * GB ? tooYoung('temporary files') : {};
    // Within less than a day, what was written counts, not what it would be in a day.
    const a_day = Math.min(seen.per_day, seen.days < 1 ? seen.value : Number.POSITIVE_INFINITY);
    if (a_day < 10 * GB) return {};
    const writers = workload.queries
      .filter((query) => query.temp_blks_written > 0)
      .sort((a, b) => b.temp_blks_written - a.temp_blks_written)
      .slice(0, 3);
    return {
      found: [
        aged(
          {
            object: 'database',
            title: `Statements write ${size(a_day)} a day to temporary files`,
            rationale:
              'Sorts, hashes and materialised results that exceed work_mem go to disk, and to the page cache of all others.',
            severity: a_day >= 200 * GB ? 'medium' : 'low',
            evidence: [
              measured('temporary files', seen.value, 'bytes', seen.source),
              computed('a day', a_day, 'bytes/day', `${size(seen.value)} in ${seen.days.toFixed(2)} days`),
              measured('files since the reset', database.temp_files, 'files', 'pg_stat_database.temp_files'),
              ...writers.map((query) =>
                measured(
                  `statement ${query.query_id}`,
                  query.temp_blks_written * snapshot.server.block_size,
                  'bytes',
                  `pg_stat_statements.temp_blks_written, ${count(query.calls)} calls`,
                ),
              ),
            ],
            remedy: [
              'An index in the order that is wanted spares a sort; otherwise more work_mem for the role or the statement that needs it, not for all.',
              'log_temp_files = 0 logs each with its statement; temp_file_limit caps a runaway one.',
            ],
          },
          seen.days,
          1,
        ),
      ],
    };
  },
);
