/** Tables with their sizes, options and counters. */
import { z } from 'zod';
import type { TableRow } from '../domain/index.ts';
import { type Reader, readNoun, readNounOfTables } from './reader.ts';
import { tableCounterFields } from './relation-counters.ts';
import { reloptions } from './reloptions.ts';
import { sqlVariant } from './variants.ts';

const count = z.number();

/** As the query gives it: the TOAST table's columns beside the table's. */
const tableSchema: z.ZodType<TableRow> = z
  .object({
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
    replica_identity: z.string(),
    column_numbers: z.number(),
    tablespace: z.string().nullable(),
    ...tableCounterFields,
    xid_age: z.number().nullable(),
    mxid_age: z.number().nullable(),
    relallfrozen: z.number().nullable(),
    access_method: z.string().nullable(),
    row_security: z.boolean(),
    row_security_forced: z.boolean(),
    toast_oid: z.number().nullable(),
    toast_relpages: z.number().nullable(),
    toast_reltuples: z.number().nullable(),
    toast_n_tup_ins: count,
    toast_n_tup_del: count,
    toast_n_live_tup: count,
    toast_n_dead_tup: count,
    toast_n_ins_since_vacuum: count,
    toast_last_autovacuum: z.string().nullable(),
    toast_vacuum_count: count,
    toast_autovacuum_count: count,
    toast_xid_age: z.number().nullable(),
    toast_mxid_age: z.number().nullable(),
  })
  .transform(
    ({
      toast_oid,
      toast_relpages,
      toast_reltuples,
      toast_n_tup_ins,
      toast_n_tup_del,
      toast_n_live_tup,
      toast_n_dead_tup,
      toast_n_ins_since_vacuum,
      toast_last_autovacuum,
      toast_vacuum_count,
      toast_autovacuum_count,
      toast_xid_age,
      toast_mxid_age,
      ...table
    }) => ({
      ...table,
      toast:
        toast_oid === null
          ? null
          : {
              oid: toast_oid,
              relpages: toast_relpages ?? 0,
              reltuples: toast_reltuples ?? 0,
              n_tup_ins: toast_n_tup_ins,
              n_tup_del: toast_n_tup_del,
              n_live_tup: toast_n_live_tup,
              n_dead_tup: toast_n_dead_tup,
              n_ins_since_vacuum: toast_n_ins_since_vacuum,
              last_autovacuum: toast_last_autovacuum,
              vacuum_count: toast_vacuum_count,
              autovacuum_count: toast_autovacuum_count,
              xid_age: toast_xid_age,
              mxid_age: toast_mxid_age,
            },
    }),
  );

const relationSchema = z.object({ oid: z.number() });

/** OIDs of users' tables (views aside), ascending: what is read of each of them is asked for in groups of these. */
export async function readRelations(reader: Reader): Promise<number[]> {
  const sql = sqlVariant('relations', String(reader.session.server_version_num));
  const rows = await readNoun(reader, 'relations', sql, relationSchema);
  return rows.map((row) => row.oid).sort((a, b) => a - b);
}

/** @param relations OIDs of the tables to read. */
export async function readTables(reader: Reader, relations: readonly number[]): Promise<TableRow[]> {
  const sql = sqlVariant('tables', String(reader.session.server_version_num));
  const rows = await readNounOfTables(reader, 'tables', sql, tableSchema, relations);
  return rows.sort((a, b) => a.oid - b.oid);
}
