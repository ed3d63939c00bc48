/** Indexes on columns that are mostly NULL, or that have two values. */
import { healthRule } from '../../health/check.ts';
import { percent, size } from '../../health/words.ts';
import { keptBecause } from '../../index-advisor/existing.ts';
import { measured } from '../../settings/facts.ts';

const MOSTLY_NULL = 0.9;
const MINIMUM_BYTES = 10 * 1024 ** 2;

export const rule = healthRule(
  'index-few-values',
  'An index holds mostly NULLs, or a boolean',
  'B-trees of 10 MB over one plain column and the whole table, where pg_stats says that 90 % are NULL or the column is boolean. ' +
    'A partial index does the same in a fraction of the room. Quiet for unique ones, those behind constraints and those of foreign ' +
    'keys, whose checks want no predicate. Info: statements that ask IS NULL, or for the frequent value, would lose it.',
  ({ snapshot }) => {
    const columns = new Map(
      snapshot.columns.map((column) => [`${column.table_oid} ${column.attnum}`, column]),
    );
    return {
      found: snapshot.indexes.flatMap((index) => {
        if (index.method !== 'btree' || index.keys.length !== 1 || index.predicate !== null) return [];
        if (index.size_bytes < MINIMUM_BYTES || keptBecause(index, snapshot) !== null) return [];
        const column = columns.get(`${index.table_oid} ${index.key_attnums[0]}`);
        if (!column?.stats) return [];
        const mostlyNull = column.stats.null_frac >= MOSTLY_NULL;
        if (!mostlyNull && column.type !== 'boolean') return [];
        const name = `${index.schema}.${index.name}`;
        return [
          {
            object: name,
            title: mostlyNull
              ? `${percent(column.stats.null_frac)} of the index ${name} (${size(index.size_bytes)}) are NULLs`
              : `The index ${name} (${size(index.size_bytes)}) is over a boolean`,
            rationale: mostlyNull
              ? `An index WHERE ${index.keys[0]} IS NOT NULL serves every comparison with the column and holds only the rest.`
              : `For the value that half of the rows have, no index is used; for the rare one an index WHERE it is so is smaller, and can lead with a column that sorts.`,
            severity: 'info' as const,
            confidence: 0.6,
            evidence: [
              measured('share of NULLs', column.stats.null_frac, 'share', 'pg_stats.null_frac'),
              measured('type', column.type, null, 'pg_attribute'),
              measured(
                'most common frequencies',
                (column.stats.most_common_freqs ?? []).slice(0, 2).join(', '),
                null,
                'pg_stats',
              ),
              measured('size', index.size_bytes, 'bytes', 'pg_relation_size()'),
              measured('scans', index.idx_scan, 'scans', 'pg_stat_user_indexes.idx_scan'),
            ],
            remedy: [
              `Build the partial one CONCURRENTLY, see that the statements use it, then drop ${name}. It is now: ${index.definition}`,
            ],
          },
        ];
      }),
    };
  },
);
