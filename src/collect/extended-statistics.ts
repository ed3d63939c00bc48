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

const expressionSchema = z.object({
  oid: z.number(),
  expression: z.string(),
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

/** Statistics of expressions stand by their place among the expressions; null: not analysed, or not visible to us. */
export async function readExtendedStatistics(reader: Reader): Promise<ExtendedStatistics[]> {
  const objects = await readObjects(reader);
  if (objects.every((object) => object.expressions.length === 0)) return objects;
  const noun = 'extended-expression-statistics';
  const sql = sqlVariant(noun, String(reader.session.server_version_num));
  const found = new Map(
    (await readNoun(reader, noun, sql, expressionSchema)).map(({ oid, expression, ...stats }) => [
      `${oid} ${expression}`,
      stats,
    ]),
  );
  return objects.map((object) => {
    const expressions = object.expressions.map((text) => found.get(`${object.oid} ${text}`) ?? null);
    const first = expressions.find((stats) => stats !== null);
    // Statistics of one expression alone are all that there is of it.
    const data = object.data ?? (first ? { ...NOTHING_ELSE, inherited: first.inherited } : null);
    return { ...object, data: data && { ...data, expressions } };
  });
}

const NOTHING_ELSE = {
  n_distinct: null,
  dependencies: null,
  most_common_vals: null,
  most_common_freqs: null,
  most_common_base_freqs: null,
};

async function readObjects(reader: Reader): Promise<ExtendedStatistics[]> {
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
