/** Tables near a hard limit, or so large that work on them takes days. */
import { type Found, healthRule } from '../../health/check.ts';
import { percent, size } from '../../health/words.ts';
import { computed, measured } from '../../settings/facts.ts';

/** MaxBlockNumber + 1: 32 TB of 8 kB blocks. */
const MAX_BLOCKS = 2 ** 32 - 1;
/** MaxHeapAttributeNumber; numbers of dropped columns are not used again. */
const MAX_COLUMNS = 1600;
const LARGE_BYTES = 500 * 1024 ** 3;

export const rule = healthRule(
  'table-oversize',
  'A table is near a limit, or very large in one piece',
  'High from half of the 2^32 − 1 blocks that a table may have (32 TB; a partition counts by itself), medium from 1,200 of the ' +
    '1,600 columns (dropped ones count, for good), info from 500 GB that are not partitioned: then a vacuum, a rebuild of an ' +
    'index or a restore takes hours in one piece.',
  ({ snapshot }) => {
    const columns = new Map<number, number>();
    for (const { table_oid, attnum } of snapshot.columns) {
      columns.set(table_oid, Math.max(columns.get(table_oid) ?? 0, attnum));
    }
    return {
      found: snapshot.tables.flatMap((table) => {
        const name = `${table.schema}.${table.name}`;
        const found: Found[] = [];
        // Columns tell only those below one that is still there.
        const attnum = table.column_numbers ?? columns.get(table.oid) ?? 0;
        if (attnum >= 1200) {
          found.push({
            object: `${name} columns`,
            title: `${name} has used ${attnum} of ${MAX_COLUMNS} column numbers`,
            rationale:
              'A dropped column keeps its number. At 1,600 no column can be added any more, and only a new table helps.',
            severity: 'medium',
            evidence: [measured('numbers of columns given', attnum, 'columns', 'pg_class.relnatts')],
            remedy: [
              'Make the table anew (CREATE TABLE … (LIKE …), copy, swap); VACUUM FULL does not free the numbers.',
            ],
          });
        }
        if (!['r', 'm'].includes(table.relkind)) return found;
        const bytes = table.main_pages * snapshot.server.block_size;
        const share = table.main_pages / MAX_BLOCKS;
        const nearEnd = share >= 0.5;
        if (nearEnd || (bytes >= LARGE_BYTES && !table.is_partition)) {
          found.push({
            object: `${name} size`,
            title: nearEnd
              ? `${name} has used ${percent(share)} of the blocks that a table may have`
              : `${name} is ${size(bytes)} in one piece`,
            rationale: nearEnd
              ? 'At 2^32 − 1 blocks no row can be added any more. Partitions have that limit each.'
              : 'Vacuum, index builds, dumps and restores work on it whole, and old rows can go by DELETE alone. Partitions by time or by key make each of them smaller.',
            severity: nearEnd ? 'high' : 'info',
            evidence: [
              measured('size', bytes, 'bytes', 'pg_relation_size()'),
              computed('share of the limit', share, 'share', 'blocks ÷ (2^32 − 1)'),
            ],
            remedy: [
              'A new partitioned table, with this one attached as its first partition (a CHECK of its bound, validated before, spares the scan), then move rows at leisure.',
            ],
          });
        }
        return found;
      }),
    };
  },
);
