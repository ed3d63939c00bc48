/** How far the generated data are from a catalog of the reference generator's: sizes, and what planners go by. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';

interface Catalog {
  relations: { relname: string; relkind: string; blocks: number; reltuples: number }[];
  column_stats: {
    tablename: string;
    attname: string;
    avg_width: number;
    n_distinct: number;
    correlation: number | null;
  }[];
}

interface SizeDifference {
  relation: string;
  pages: number;
  pages_of_catalog: number;
  pages_off_pct: number;
  tuples_off_pct: number;
}

interface ColumnDifference {
  column: string;
  width: number;
  width_of_catalog: number;
  distinct: number;
  distinct_of_catalog: number;
  correlation: number | null;
  correlation_of_catalog: number | null;
}

/** Values and catalogs differ by this factor, or correlations by a tenth: the rows that are listed. */
const NOTABLE = { distinct: 1.15, width: 1.1, correlation: 0.1 };

const percent = (ours: number, theirs: number) => Number((100 * (ours / theirs - 1)).toFixed(2));

/** All relations, and the columns whose statistics differ notably. The catalog is of scale factor 1. */
export async function compareWithCatalog(
  client: pg.Client,
  directory: string,
): Promise<{ sizes: SizeDifference[]; columns: ColumnDifference[]; compared: number }> {
  const catalog = JSON.parse(await readFile(join(directory, 'catalog.json'), 'utf8')) as Catalog;
  const relations = await client.query<{ relname: string; blocks: number; reltuples: number }>(
    `SELECT relname, pg_relation_size(oid)::float8 / 8192 AS blocks, reltuples::float8 AS reltuples
     FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
  );
  const found = new Map(relations.rows.map((row) => [row.relname, row]));
  const sizes = catalog.relations.flatMap((theirs): SizeDifference[] => {
    const ours = found.get(theirs.relname);
    if (!ours) throw new Error(`the generator has made no ${theirs.relname}`);
    return [
      {
        relation: theirs.relname,
        pages: ours.blocks,
        pages_of_catalog: theirs.blocks,
        pages_off_pct: percent(ours.blocks, theirs.blocks),
        tuples_off_pct: percent(ours.reltuples, theirs.reltuples),
      },
    ];
  });
  const stats = await client.query<Catalog['column_stats'][number]>(
    `SELECT tablename, attname, avg_width, n_distinct::float8 AS n_distinct, correlation::float8 AS correlation
     FROM pg_stats WHERE schemaname = 'public'`,
  );
  const theirs = new Map(catalog.column_stats.map((row) => [`${row.tablename}.${row.attname}`, row]));
  const rowsOf = new Map(catalog.relations.map((row) => [row.relname, row.reltuples]));
  // Negative: a share of the rows.
  const distinct = (value: number, table: string) =>
    value < 0 ? Math.round(-value * (rowsOf.get(table) ?? 0)) : value;
  const columns = stats.rows.flatMap((row): ColumnDifference[] => {
    const other = theirs.get(`${row.tablename}.${row.attname}`);
    if (!other) return [];
    const [mine, yours] = [
      distinct(row.n_distinct, row.tablename),
      distinct(other.n_distinct, row.tablename),
    ];
    const apart = (a: number, b: number, factor: number) => Math.max(a, b) > factor * Math.min(a, b);
    const notable =
      apart(mine, yours, NOTABLE.distinct) ||
      apart(row.avg_width, other.avg_width, NOTABLE.width) ||
      Math.abs((row.correlation ?? 0) - (other.correlation ?? 0)) > NOTABLE.correlation;
    if (!notable) return [];
    return [
      {
        column: `${row.tablename}.${row.attname}`,
        width: row.avg_width,
        width_of_catalog: other.avg_width,
        distinct: mine,
        distinct_of_catalog: yours,
        correlation: row.correlation,
        correlation_of_catalog: other.correlation,
      },
    ];
  });
  return { sizes, columns, compared: stats.rows.length };
}
