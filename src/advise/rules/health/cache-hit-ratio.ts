/** How much is read from outside of shared_buffers: a hint, never a verdict. */
import { healthRule, unseen } from '../../health/check.ts';
import { aged, counted, tooYoung } from '../../health/counted.ts';
import { percent, size } from '../../health/words.ts';
import { computed, measured } from '../../settings/facts.ts';

const LOW = 0.9;
/** Blocks a day below which nobody waits for reads: 100 GB of 8 kB. */
const MINIMUM_READ_BYTES_PER_DAY = 100 * 1024 ** 3;

export const rule = healthRule(
  'cache-hit-ratio',
  'Many blocks come from outside of shared_buffers',
  'blks_hit ÷ (blks_hit + blks_read) below 90 % while at least 100 GB a day are read; always of severity info. What the ' +
    "kernel's cache serves counts as read, scans through a ring buffer count as read, a query that reads one page a million " +
    'times makes the ratio splendid: it says nothing by itself, and no target value is right for all.',
  (context) => {
    const { snapshot, window } = context;
    const { database } = snapshot.counters;
    if (database === null) return unseen('pg_stat_database');
    const { stats_reset } = database;
    const of = (name: 'blks_hit' | 'blks_read') =>
      counted(context, {
        total: database[name],
        in_window: window?.counters?.database?.[name],
        stats_reset,
        source: `pg_stat_database.${name}`,
      });
    const hit = of('blks_hit');
    const read = of('blks_read');
    if (hit === null || read === null) return tooYoung('cache hit ratio');
    const ratio = hit.value / Math.max(1, hit.value + read.value);
    const bytes_per_day = read.per_day * snapshot.server.block_size;
    if (ratio >= LOW || bytes_per_day < MINIMUM_READ_BYTES_PER_DAY) return {};
    const time = window?.counters?.database?.blk_read_time_ms;
    return {
      found: [
        aged(
          {
            object: 'database',
            title: `${percent(ratio)} of the blocks were in shared_buffers; ${size(bytes_per_day)} a day were read`,
            rationale:
              'The blocks read came from the cache of the kernel or from the disk: this counter cannot tell. It is a hint to look at the time that reads take (track_io_timing) and at the statements that read most, no reason to change a setting.',
            severity: 'info',
            confidence: 0.6,
            evidence: [
              measured('blocks hit', hit.value, 'blocks', hit.source),
              measured('blocks read', read.value, 'blocks', read.source),
              computed('ratio', ratio, 'share', 'hit ÷ (hit + read)'),
              ...(time === undefined
                ? []
                : [measured('time of reads', time, 'ms', 'pg_stat_database.blk_read_time')]),
            ],
            remedy: [
              'SELECT queryid, calls, shared_blks_read FROM pg_stat_statements ORDER BY shared_blks_read DESC LIMIT 10;',
            ],
          },
          read.days,
          1,
        ),
      ],
    };
  },
);
