/** Indexes with their definition, what they back, their size and use. */
import { z } from 'zod';
import type { IndexRow } from '../domain/index.ts';
import { type Reader, readNounOfTables } from './reader.ts';
import { indexCounterFields } from './relation-counters.ts';
import { reloptions } from './reloptions.ts';
import { sqlVariant } from './variants.ts';

const indexSchema: z.ZodType<IndexRow> = z.object({
  oid: z.number(),
  table_oid: z.number(),
  schema: z.string(),
  table: z.string(),
  name: z.string(),
  method: z.string(),
  definition: z.string(),
  keys: z.array(z.string()),
  include: z.array(z.string()),
  key_attnums: z.array(z.number()),
  opclasses: z.array(z.string()),
  collations: z.array(z.number()),
  options: z.array(z.number()),
  predicate: z.string().nullable(),
  is_unique: z.boolean(),
  is_primary: z.boolean(),
  is_exclusion: z.boolean(),
  is_valid: z.boolean(),
  is_ready: z.boolean(),
  is_replica_identity: z.boolean(),
  is_clustered: z.boolean(),
  constraint_name: z.string().nullable(),
  is_partition: z.boolean(),
  relkind: z.string(),
  relfilenode: z.number(),
  relpages: z.number(),
  reltuples: z.number(),
  main_pages: z.number(),
  size_bytes: z.number(),
  reloptions,
  ...indexCounterFields,
});

/** @param relations OIDs of the tables whose indexes to read. */
export async function readIndexes(reader: Reader, relations: readonly number[]): Promise<IndexRow[]> {
  const sql = sqlVariant('indexes', String(reader.session.server_version_num));
  const rows = await readNounOfTables(reader, 'indexes', sql, indexSchema, relations);
  return rows.sort((a, b) => a.oid - b.oid);
}
