/** Indexes that cost many writes and serve few reads. */
import { ageWords } from '../../../domain/index.ts';
import { healthRule } from '../../health/check.ts';
import { daysCounted } from '../../health/counted.ts';
import { count, size } from '../../health/words.ts';
import { keptBecause } from '../../index-advisor/existing.ts';
import { computed, measured } from '../../settings/facts.ts';

const MINIMUM_DAYS = 14;
const MINIMUM_BYTES = 10 * 1024 ** 2;
const SCANS_PER_DAY = 1;
const WRITES_PER_SCAN = 10_000;

export const rule = healthRule(
  'index-rarely-used',
  'An index is written often and used hardly ever',
  'Indexes of 10 MB with less than one scan a day (not none: index/unused) and 10,000 writes of its table a scan, over at least ' +
    '14 days of statistics; younger ones are a rejection. Never one that backs a constraint, is unique, a replica identity, or serves ' +
    'a foreign key. Info: the few scans may be the report that matters. HOT updates write no index and are not counted.',
  ({ snapshot }) => {
    if (snapshot.server.in_recovery) return {};
    const days = daysCounted(snapshot, snapshot.server.stats_reset);
    const candidates = snapshot.indexes.flatMap((index) => {
      const table = snapshot.tables.find(({ oid }) => oid === index.table_oid);
      if (table === undefined || index.idx_scan === 0 || index.size_bytes < MINIMUM_BYTES) return [];
      const writes = table.n_tup_ins + table.n_tup_upd - table.n_tup_hot_upd;
      const rare = index.idx_scan / Math.max(days, 1 / 24) < SCANS_PER_DAY;
      if (!rare || writes / index.idx_scan < WRITES_PER_SCAN) return [];
      return keptBecause(index, snapshot) === null ? [{ index, writes }] : [];
    });
    if (days < MINIMUM_DAYS) {
      return {
        rejections: candidates.map(({ index }) => ({
          candidate: `${index.schema}.${index.name}`,
          code: 'statistics_too_young',
          reason: `it is hardly used, but the statistics are only ${ageWords(days)} old; ${MINIMUM_DAYS} days are asked for`,
        })),
      };
    }
    return {
      found: candidates.map(({ index, writes }) => ({
        object: `${index.schema}.${index.name}`,
        title: `${index.schema}.${index.name} (${size(index.size_bytes)}) was used ${index.idx_scan} time(s) in ${Math.floor(days)} days`,
        rationale: `${count(writes)} rows were written into it meanwhile. What used it, and when, only its users know; replicas count by themselves and are not seen here.`,
        severity: 'info' as const,
        confidence: 0.5,
        evidence: [
          measured('scans', index.idx_scan, 'scans', 'pg_stat_user_indexes.idx_scan'),
          computed('writes', writes, 'rows', 'n_tup_ins + n_tup_upd − n_tup_hot_upd'),
          measured('size', index.size_bytes, 'bytes', 'pg_relation_size()'),
          measured(
            'last scan',
            index.last_idx_scan ?? 'not told',
            null,
            'pg_stat_user_indexes.last_idx_scan (16+)',
          ),
          measured('age of the statistics', days, 'days', 'pg_stat_database.stats_reset'),
        ],
        remedy: [
          'Ask who needs it. Look at pg_stat_user_indexes.idx_scan on each replica before it is dropped.',
        ],
      })),
    };
  },
);
