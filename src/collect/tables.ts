/** Tables with their sizes, options and counters. */
import { z } from 'zod';
import type { TableRow } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { reloptions } from './reloptions.ts';
import { sqlVariant } from './variants.ts';

const tableSchema: z.ZodType<TableRow> = z.object({
  oid: z.number(),
  schema: z.string(),
  name: z.string(),
  relkind: z.string(),
  relpersistence: z.string(),
  owner: z.string(),
  relpages: z.number(),
  reltuples: z.number(),
  relallvisible: z.number(),
  main_pages: z.number(),
  total_bytes: z.number(),
  toast_bytes: z.number(),
  indexes_bytes: z.number(),
  reloptions,
  toast_reloptions: reloptions,
  parent_oid: z.number().nullable(),
  is_partition: z.boolean(),
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
  last_vacuum: z.string().nullable(),
  last_autovacuum: z.string().nullable(),
  last_analyze: z.string().nullable(),
  last_autoanalyze: z.string().nullable(),
  vacuum_count: z.number(),
  autovacuum_count: z.number(),
  analyze_count: z.number(),
  autoanalyze_count: z.number(),
  xid_age: z.number().nullable(),
});

/** All tables of users' schemas. */
export function readTables(reader: Reader): Promise<TableRow[]> {
  return readNoun(
    reader,
    'tables',
    sqlVariant('tables', String(reader.session.server_version_num)),
    tableSchema,
  );
}
