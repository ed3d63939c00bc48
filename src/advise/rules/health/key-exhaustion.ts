/** integer and smallint keys near their greatest value. */
import type { ColumnRow, Snapshot } from '../../../domain/index.ts';
import { healthRule } from '../../health/check.ts';
import { exhaustionSeverity, MAXIMUM, ratio } from '../../health/exhaustion.ts';
import { percent } from '../../health/words.ts';
import { computed, measured } from '../../settings/facts.ts';

interface Reached {
  value: bigint;
  source: string;
}

export const rule = healthRule(
  'key-exhaustion',
  'An integer key comes near its greatest value',
  'Columns of type smallint and integer that a primary key or unique index of one column is made of, or that a sequence of ' +
    'their own fills (also those of partitioned tables, whose keys have several columns): the greatest value ' +
    'known (the sequence that feeds it, the end of its index, or the last bound of its histogram) ÷ the greatest of the type; ' +
    'medium from 75 %, high 90 %, critical 98 %. Quiet where its sequence is as small: that is health/sequence-exhaustion.',
  ({ snapshot }) => ({
    found: keys(snapshot).flatMap((column) => {
      const maximum = MAXIMUM[column.type];
      if (maximum === undefined) return [];
      const fed = snapshot.schema.sequences.find(
        (each) => each.owner_table_oid === column.table_oid && each.owner_column === column.name,
      );
      // Its own sequence ends first or at the same value, and is told of by itself.
      if (fed && BigInt(fed.max_value) <= maximum) return [];
      const reached = greatest(column, fed?.last_value ?? null);
      if (reached === null) return [];
      const share = ratio(reached.value, maximum);
      const severity = exhaustionSeverity(share);
      if (severity === null) return [];
      const name = `${column.schema}.${column.table}.${column.name}`;
      return [
        {
          object: name,
          title: `${name} (${column.type}) has reached ${percent(share)} of its greatest value`,
          rationale: `Past ${maximum} every INSERT fails with “${column.type} out of range”.`,
          severity,
          evidence: [
            measured('greatest value', String(reached.value), null, reached.source),
            measured('greatest of the type', String(maximum), null, column.type),
            computed('used', share, 'share', 'greatest value ÷ greatest of the type'),
          ],
          remedy: [
            'ALTER COLUMN … TYPE bigint rewrites the table and its indexes under AccessExclusiveLock. Without that: add a bigint column, keep it filled by a trigger, fill the rest in batches, build a unique index CONCURRENTLY, swap the names.',
            'Columns that refer to it need the same (health/foreign-key-type-mismatch).',
          ],
        },
      ];
    }),
  }),
);

/** Columns that alone make up a unique index over the whole table, and those that a sequence fills, in whatever key. */
function keys(snapshot: Snapshot): ColumnRow[] {
  const fed = new Set(
    snapshot.schema.sequences.map(
      ({ owner_table_oid, owner_column }) => `${owner_table_oid} ${owner_column}`,
    ),
  );
  const unique = new Set(
    snapshot.indexes
      .filter((index) => index.is_unique && index.predicate === null && index.key_attnums.length === 1)
      .map((index) => `${index.table_oid} ${index.key_attnums[0]}`),
  );
  const partitions = new Set(snapshot.tables.filter((table) => table.is_partition).map(({ oid }) => oid));
  return snapshot.columns.filter(
    (column) =>
      (unique.has(`${column.table_oid} ${column.attnum}`) || fed.has(`${column.table_oid} ${column.name}`)) &&
      !partitions.has(column.table_oid),
  );
}

function greatest(column: ColumnRow, last_value: string | null): Reached | null {
  const known: Reached[] = [];
  if (last_value !== null) known.push({ value: BigInt(last_value), source: 'pg_sequences.last_value' });
  if (column.ends) known.push({ value: BigInt(column.ends.max), source: 'end of its index' });
  // The text form of an array of integers has neither quotes nor blanks.
  const bound = column.stats?.histogram_bounds?.replace(/[{}]/g, '').split(',').at(-1);
  if (bound)
    known.push({ value: BigInt(bound), source: 'pg_stats.histogram_bounds (at the last ANALYZE, at least)' });
  known.sort((a, b) => (a.value < b.value ? 1 : a.value > b.value ? -1 : 0));
  return known[0] ?? null;
}
