/** Large tables that are read whole again and again. */
import { healthRule } from '../../health/check.ts';
import { aged, counted } from '../../health/counted.ts';
import { count, size } from '../../health/words.ts';
import { computed, measured } from '../../settings/facts.ts';

/** 80 MB: smaller tables are in memory, and read in no time. */
const MINIMUM_PAGES = 10_000;
const MINIMUM_SCANS_PER_DAY = 24;
const MINIMUM_ROWS_PER_SCAN = 10_000;

export const rule = healthRule(
  'sequential-scans',
  'A large table is scanned again and again',
  'Tables of 10,000 pages that 24 sequential scans a day read, of 10,000 rows each on average (a scan that LIMIT ends early ' +
    'counts little). Which statement it is, and whether an index pays, is for index/missing, which asks the planner: this only ' +
    'says that it happens. Dumps and scans of partitions count, too.',
  (context) => ({
    found: context.snapshot.tables.flatMap((table) => {
      if (!['r', 'm'].includes(table.relkind) || table.main_pages < MINIMUM_PAGES) return [];
      const delta = context.window?.tables.find(({ oid }) => oid === table.oid);
      const { stats_reset } = context.snapshot.server;
      const scans = counted(context, {
        total: table.seq_scan,
        in_window: delta?.seq_scan,
        stats_reset,
        source: 'pg_stat_user_tables.seq_scan',
      });
      const read = counted(context, {
        total: table.seq_tup_read,
        in_window: delta?.seq_tup_read,
        stats_reset,
        source: 'pg_stat_user_tables.seq_tup_read',
      });
      if (scans === null || read === null || scans.value < MINIMUM_SCANS_PER_DAY) return [];
      const per_scan = read.value / scans.value;
      if (scans.per_day < MINIMUM_SCANS_PER_DAY || per_scan < MINIMUM_ROWS_PER_SCAN) return [];
      const name = `${table.schema}.${table.name}`;
      const bytes = table.main_pages * context.snapshot.server.block_size;
      return [
        aged(
          {
            object: name,
            title: `${name} (${size(bytes)}) is read whole ${count(scans.per_day)} times a day`,
            rationale: `Each scan reads ${count(per_scan)} rows on average. Either an index is missing, or the statements need most of the table: reports, exports.`,
            severity: 'low',
            confidence: 0.7,
            evidence: [
              measured('sequential scans', scans.value, 'scans', scans.source),
              measured('rows that they read', read.value, 'rows', read.source),
              computed('rows a scan', per_scan, 'rows', 'seq_tup_read ÷ seq_scan'),
              measured('size', bytes, 'bytes', 'pg_relation_size()'),
            ],
            remedy: [
              'See what index/missing proposes for it. By hand: the statements on it by shared_blks_read ÷ calls in pg_stat_statements, and their EXPLAIN.',
            ],
          },
          scans.days,
          1,
        ),
      ];
    }),
  }),
);
