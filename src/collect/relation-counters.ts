/** What is counted of tables and indexes: read by itself each minute, and with their definitions in a full snapshot. */
import { z } from 'zod';
import type { IndexCounters, TableCounters } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { sqlVariant } from './variants.ts';

const time = z.string().nullable();

export const tableCounterFields = {
  seq_scan: z.number(),
  seq_tup_read: z.number(),
  idx_scan: z.number().nullable(),
  idx_tup_fetch: z.number().nullable(),
  n_tup_ins: z.number(),
  n_tup_upd: z.number(),
  n_tup_del: z.number(),
  n_tup_hot_upd: z.number(),
  n_tup_newpage_upd: z.number().nullable(),
  n_live_tup: z.number(),
  n_dead_tup: z.number(),
  n_mod_since_analyze: z.number(),
  n_ins_since_vacuum: z.number(),
  last_vacuum: time,
  last_autovacuum: time,
  last_analyze: time,
  last_autoanalyze: time,
  last_seq_scan: time,
  last_idx_scan: time,
  vacuum_count: z.number(),
  autovacuum_count: z.number(),
  analyze_count: z.number(),
  autoanalyze_count: z.number(),
};

export const indexCounterFields = {
  idx_scan: z.number(),
  idx_tup_read: z.number(),
  idx_tup_fetch: z.number(),
  last_idx_scan: time,
};

const tableCountersSchema: z.ZodType<TableCounters> = z.object({ oid: z.number(), ...tableCounterFields });
const indexCountersSchema: z.ZodType<IndexCounters> = z.object({ oid: z.number(), ...indexCounterFields });

/**
 * Counters of users' tables and indexes without looking at a file or locking a relation. Their limits go under the
 * nouns that the counters belong to: `tables` and `indexes`.
 */
export async function readRelationCounters(
  reader: Reader,
): Promise<{ tables: TableCounters[]; indexes: IndexCounters[] }> {
  const version = String(reader.session.server_version_num);
  const tables = await readNoun(reader, 'tables', sqlVariant('table-counters', version), tableCountersSchema);
  const indexes = await readNoun(
    reader,
    'indexes',
    sqlVariant('index-counters', version),
    indexCountersSchema,
  );
  return { tables, indexes };
}
