/** Statistics of the expressions of existing indexes. */
import { z } from 'zod';
import type { SchemaFacts } from '../domain/index.ts';
import { type Reader, readNounOfTables } from './reader.ts';
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
  relations: readonly number[],
): Promise<NonNullable<SchemaFacts['expression_stats']>> {
  const noun = 'expression-statistics';
  const sql = sqlVariant(noun, String(reader.session.server_version_num));
  const rows = await readNounOfTables(reader, noun, sql, rowSchema, relations);
  rows.sort((a, b) => a.index_oid - b.index_oid || a.attnum - b.attnum);
  return rows.map(({ index_oid, attnum, ...stats }) => ({ index_oid, attnum, stats }));
}
