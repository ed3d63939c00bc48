/** What pg_stats says of a column beyond its one row: of the tree under a parent, and of ranges. */
import { z } from 'zod';
import type { ColumnRow } from '../domain/index.ts';
import { type Reader, readNounOfTables } from './reader.ts';
import { floorsOf, sqlVariant } from './variants.ts';

const frequencies = z.array(z.number()).nullable();

const treeSchema = z.object({
  table_oid: z.number(),
  attnum: z.number(),
  inherited: z.boolean(),
  null_frac: z.number(),
  avg_width: z.number(),
  n_distinct: z.number(),
  most_common_vals: z.string().nullable(),
  most_common_freqs: frequencies,
  histogram_bounds: z.string().nullable(),
  correlation: z.number().nullable(),
  most_common_elems: z.string().nullable(),
  most_common_elem_freqs: frequencies,
  elem_count_histogram: frequencies,
});

const rangeSchema = z.object({
  table_oid: z.number(),
  attnum: z.number(),
  range_length_histogram: z.string().nullable(),
  range_empty_frac: z.number().nullable(),
  range_bounds_histogram: z.string().nullable(),
});

const place = (row: { table_oid: number; attnum: number }) => `${row.table_oid}/${row.attnum}`;

/** The columns with what these nouns add to them; what could not be read is left out, and a limit says so. */
export async function withMoreStatistics(
  reader: Reader,
  columns: readonly ColumnRow[],
  relations: readonly number[],
): Promise<ColumnRow[]> {
  const version = reader.session.server_version_num;
  const read = <T>(noun: string, schema: z.ZodType<T>) =>
    readNounOfTables(reader, noun, sqlVariant(noun, String(version)), schema, relations);
  const trees = new Map(
    (await read('tree-statistics', treeSchema)).map((row) => {
      const { table_oid: _t, attnum: _a, ...stats } = row;
      return [place(row), stats];
    }),
  );
  // Up to 16 pg_stats does not show them.
  const seesRanges = version >= Number(floorsOf('range-statistics')[0]);
  const ranges = new Map(
    (seesRanges ? await read('range-statistics', rangeSchema) : []).map((row) => {
      const { table_oid: _t, attnum: _a, ...histograms } = row;
      return [place(row), histograms];
    }),
  );
  return columns.map((column) => {
    const tree = trees.get(place(column));
    const range = ranges.get(place(column));
    if (!tree && !range) return column;
    return {
      ...column,
      stats: column.stats && range ? { ...column.stats, ...range } : column.stats,
      ...(tree ? { tree_stats: tree } : {}),
    };
  });
}
