/** What something that only the application's sessions know is likely to be: a value of the column it is compared with. */
import type pg from 'pg';
import type { Snapshot } from '../../domain/index.ts';

const MOST_COLUMNS = 6;

/** A condition, and where in it the unknown stands. */
export interface Place {
  text: string;
  place: number;
  /** The table that the condition is of, by OID, named in the text or not; null: none. */
  table_oid: number | null;
}

/** The most common value, or one of the middle, of each column that stands near, nearest first. */
export async function nearbyValues(
  session: pg.Client,
  snapshot: Snapshot,
  places: readonly Place[],
): Promise<string[]> {
  const near = places.flatMap(({ text, place, table_oid }) => {
    const tables = new Set(
      snapshot.tables
        .filter((table) => table.oid === table_oid || text.includes(table.name))
        .map((table) => table.oid),
    );
    return snapshot.columns.flatMap((column) => {
      if (!tables.has(column.table_oid) || !column.stats) return [];
      const distance = nearest(text, column.name, place);
      return distance === null ? [] : [{ stats: column.stats, distance }];
    });
  });
  near.sort((a, b) => a.distance - b.distance);
  const found: string[] = [];
  for (const { stats } of near.slice(0, MOST_COLUMNS)) {
    const array = stats.most_common_vals ?? stats.histogram_bounds;
    if (array === null) continue;
    const { rows } = await session
      .query<{ value: string | null }>(
        'SELECT a[CASE WHEN $2 THEN 1 ELSE (1 + cardinality(a)) / 2 END] AS value FROM (SELECT $1::text::text[] AS a) AS given',
        [array, stats.most_common_vals !== null],
      )
      .catch(() => ({ rows: [] }));
    const value = rows[0]?.value;
    if (typeof value === 'string') found.push(value);
  }
  return [...new Set(found)];
}

/** How far the name's nearest occurrence is, characters; null: there is none. */
function nearest(text: string, name: string, place: number): number | null {
  let least: number | null = null;
  for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
    const distance = Math.abs(at - place);
    if (isPartOfName(text[at - 1]) || isPartOfName(text[at + name.length])) continue;
    if (least === null || distance < least) least = distance;
  }
  return least;
}

const isPartOfName = (character: string | undefined) =>
  character !== undefined && /[\p{L}\p{N}_$]/u.test(character);
