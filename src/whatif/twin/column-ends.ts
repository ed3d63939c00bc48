/**
 * Least and greatest values of columns that a B-tree leads with, where nobody looked them up: the most common values
 * stand beside the histogram, which holds none of them, and may lie beyond it. The planner then finds one of them at the
 * index's end and stretches the histogram's outermost bin to it (ineq_histogram_selectivity() of selfuncs.c).
 */
import pg from 'pg';
import type { ColumnRow, Snapshot } from '../../domain/index.ts';

type Ends = NonNullable<ColumnRow['ends']>;

/** Columns whose values have an order that this server knows by itself. */
function isOrdered(column: ColumnRow): boolean {
  return (
    ['b', 'e'].includes(column.typtype) &&
    column.typcategory !== 'A' &&
    column.collation === null &&
    column.stats?.most_common_vals != null &&
    column.stats.histogram_bounds !== null
  );
}

/** @param owner nobody special: reading an enum's values may call what the target's owner could. */
export async function likelyEnds(owner: pg.Client, snapshot: Snapshot): Promise<Map<ColumnRow, Ends>> {
  const leading = new Set(
    snapshot.indexes
      .filter((index) => index.method === 'btree' && index.is_valid && index.predicate === null)
      .map((index) => `${index.table_oid} ${index.key_attnums[0]}`),
  );
  const byType = new Map<string, ColumnRow[]>();
  for (const column of snapshot.columns) {
    if (column.ends !== undefined || !leading.has(`${column.table_oid} ${column.attnum}`)) continue;
    if (!isOrdered(column)) continue;
    const list = byType.get(column.type) ?? [];
    list.push(column);
    byType.set(column.type, list);
  }
  const found = new Map<ColumnRow, Ends>();
  for (const [type, columns] of byType) {
    const rows = await endsOf(owner, type, columns);
    for (const { position, min, max } of rows) {
      const column = columns[position - 1];
      if (column && min !== null && max !== null) found.set(column, { min, max });
    }
  }
  return found;
}

async function endsOf(
  owner: pg.Client,
  type: string,
  columns: readonly ColumnRow[],
): Promise<{ position: number; min: string | null; max: string | null }[]> {
  try {
    const { rows } = await owner.query<{ position: number; min: string | null; max: string | null }>({
      text: `SELECT given.position::int4 AS position, ends.values[1]::text AS min, ends.values[cardinality(ends.values)]::text AS max
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS given (common, bounds, position),
          LATERAL (SELECT array_agg(value ORDER BY value) AS values FROM unnest(given.common::${type}[] || given.bounds::${type}[]) AS value) AS ends`,
      values: [
        columns.map((column) => column.stats?.most_common_vals),
        columns.map((column) => column.stats?.histogram_bounds),
      ],
    });
    return rows;
  } catch (error) {
    // A type that is not here, has no order, or no longer takes what it took: the histogram stays as it is.
    if (error instanceof pg.DatabaseError) return [];
    throw error;
  }
}
