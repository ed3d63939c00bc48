/** CREATE STATISTICS objects and what ANALYZE made of them. */
import { z } from 'zod';
import type { ExtendedStatistics } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { sqlVariant } from './variants.ts';

const frequencies = z.array(z.number()).nullable();

const rowSchema = z.object({
  oid: z.number(),
  schema: z.string(),
  name: z.string(),
  table_oid: z.number(),
  definition: z.string(),
  columns: z.array(z.string()),
  expressions: z.array(z.string()),
  kinds: z.array(z.string()),
  stattarget: z.number().nullable(),
  analysed: z.boolean(),
  inherited: z.boolean(),
  n_distinct: z.string().nullable(),
  dependencies: z.string().nullable(),
  most_common_vals: z.array(z.array(z.string().nullable())).nullable(),
  most_common_val_nulls: z.array(z.array(z.boolean())).nullable(),
  most_common_freqs: frequencies,
  most_common_base_freqs: frequencies,
});

/** Values of expressions' own statistics (pg_stats_ext_exprs) are not read yet: their places hold null. */
export async function readExtendedStatistics(reader: Reader): Promise<ExtendedStatistics[]> {
  const noun = 'extended-statistics';
  const rows = await readNoun(
    reader,
    noun,
    sqlVariant(noun, String(reader.session.server_version_num)),
    rowSchema,
  );
  return rows.map(
    ({
      analysed,
      inherited,
      n_distinct,
      dependencies,
      most_common_vals,
      most_common_val_nulls,
      most_common_freqs,
      most_common_base_freqs,
      ...object
    }) => ({
      ...object,
      data: analysed
        ? {
            inherited,
            n_distinct,
            dependencies,
            // The view writes a NULL like an empty text; the array beside it tells them apart.
            most_common_vals:
              most_common_vals?.map((row, place) =>
                row.map((value, column) => (most_common_val_nulls?.[place]?.[column] ? null : value)),
              ) ?? null,
            most_common_freqs,
            most_common_base_freqs,
            expressions: object.expressions.map(() => null),
          }
        : null,
    }),
  );
}
