/** Columns with their types and statistics. */
import { z } from 'zod';
import type { Capabilities, ColumnRow } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { sqlVariant } from './variants.ts';

const frequencies = z.array(z.number()).nullable();

const columnSchema = z
  .object({
    table_oid: z.number(),
    schema: z.string(),
    table: z.string(),
    name: z.string(),
    attnum: z.number(),
    type: z.string(),
    typlen: z.number(),
    typalign: z.string(),
    typtype: z.string(),
    typcategory: z.string(),
    not_null: z.boolean(),
    collation: z.string().nullable(),
    generated: z.string(),
    identity: z.string(),
    default_expression: z.string().nullable(),
    stattarget: z.number().nullable(),
    inherited: z.boolean().nullable(),
    null_frac: z.number().nullable(),
    avg_width: z.number().nullable(),
    n_distinct: z.number().nullable(),
    most_common_vals: z.string().nullable(),
    most_common_freqs: frequencies,
    histogram_bounds: z.string().nullable(),
    correlation: z.number().nullable(),
    most_common_elems: z.string().nullable(),
    most_common_elem_freqs: frequencies,
    elem_count_histogram: frequencies,
  })
  .transform((row): ColumnRow => {
    const {
      inherited,
      null_frac,
      avg_width,
      n_distinct,
      most_common_vals,
      most_common_freqs,
      histogram_bounds,
      correlation,
      most_common_elems,
      most_common_elem_freqs,
      elem_count_histogram,
      ...column
    } = row;
    const seen = inherited !== null && null_frac !== null && avg_width !== null && n_distinct !== null;
    return {
      ...column,
      stats: seen
        ? {
            inherited,
            null_frac,
            avg_width,
            n_distinct,
            most_common_vals,
            most_common_freqs,
            histogram_bounds,
            correlation,
            most_common_elems,
            most_common_elem_freqs,
            elem_count_histogram,
          }
        : null,
    };
  });

/** All columns of users' tables; a role that may not read tables sees them without statistics, and that is a limit. */
export async function readColumns(reader: Reader, capabilities: Capabilities): Promise<ColumnRow[]> {
  const columns = await readNoun(
    reader,
    'columns',
    sqlVariant('columns', String(reader.session.server_version_num)),
    columnSchema as z.ZodType<ColumnRow>,
  );
  const unseen = columns.filter((column) => column.stats === null).length;
  if (unseen > 0 && !capabilities.reads_all_data) {
    reader.limits.push({
      scope: 'columns',
      code: 'column_statistics_hidden',
      message: `${unseen} of ${columns.length} columns have no visible statistics: pg_stats shows only tables that the role may SELECT.`,
      remedy: 'GRANT pg_read_all_data to the role.',
    });
  }
  return columns;
}
