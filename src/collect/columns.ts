/** Columns with their types and statistics. */
import { z } from 'zod';
import { type ColumnRow, quoteIdentifier } from '../domain/index.ts';
import { type Reader, readNounOfTables } from './reader.ts';
import { reloptions } from './reloptions.ts';
import { sqlVariant } from './variants.ts';

const frequencies = z.array(z.number()).nullable();

interface SeenColumn {
  column: ColumnRow;
  may_select: boolean;
  /** Row-level security of the table is in force for this role: pg_stats then shows nothing of it. */
  behind_policies: boolean;
}

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
    options: reloptions,
    may_select: z.boolean(),
    behind_policies: z.boolean(),
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
  .transform((row): SeenColumn => {
    const {
      may_select,
      behind_policies,
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
      may_select,
      behind_policies,
      column: {
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
      },
    };
  });

/**
 * All columns of these tables; of those that the role may not read without statistics, and that is a limit.
 * @param relations OIDs of the tables.
 */
export async function readColumns(reader: Reader, relations: readonly number[]): Promise<ColumnRow[]> {
  const sql = sqlVariant('columns', String(reader.session.server_version_num));
  const seen = await readNounOfTables(reader, 'columns', sql, columnSchema, relations);
  seen.sort((a, b) => a.column.table_oid - b.column.table_oid || a.column.attnum - b.column.attnum);
  const role = quoteIdentifier(reader.session.role);
  const unreadable = seen.filter((item) => !item.may_select).length;
  if (unreadable > 0) {
    reader.limits.push({
      scope: 'columns',
      code: 'column_statistics_hidden',
      message: `Statistics of ${unreadable} of ${seen.length} columns are hidden: pg_stats shows only what the role may SELECT.`,
      remedy: `GRANT pg_read_all_data TO ${role};`,
    });
  }
  const behindPolicies = seen.filter((item) => item.may_select && item.behind_policies).length;
  if (behindPolicies > 0) {
    reader.limits.push({
      scope: 'columns',
      code: 'column_statistics_behind_policies',
      message: `Statistics of ${behindPolicies} of ${seen.length} columns are hidden: their tables have row-level security, which pg_stats heeds.`,
      remedy: `ALTER ROLE ${role} BYPASSRLS;`,
    });
  }
  return seen.map((item) => item.column);
}
