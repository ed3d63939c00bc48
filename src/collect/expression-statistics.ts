/** Statistics of the expressions of existing indexes. */
import { z } from 'zod';
import type { SchemaFacts } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { sqlVariant } from './variants.ts';

const frequencies = z.array(z.number()).nullable();

const rowSchema = z.object({
  index_oid: z.number(),
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

/** pg_stats of indexes' expressions; an index whose expressions were never analysed has none. */
export async function readExpressionStatistics(
  reader: Reader,
): Promise<NonNullable<SchemaFacts['expression_stats']>> {
  const noun = 'expression-statistics';
  const rows = await readNoun(
    reader,
    noun,
    sqlVariant(noun, String(reader.session.server_version_num)),
    rowSchema,
  );
  return rows.map(({ index_oid, attnum, ...stats }) => ({ index_oid, attnum, stats }));
}
