/** Counters of the database and the server as a whole: each view by itself, so that a missing right costs only its own. */
import { z } from 'zod';
import type { Counters } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { floorsOf, sqlVariant } from './variants.ts';

const number = z.number();
const maybe = number.nullable();
const time = z.string().nullable();

type Part<K extends keyof Counters> = z.ZodType<NonNullable<Counters[K]>>;

const databaseSchema: Part<'database'> = z.object({
  xact_commit: number,
  xact_rollback: number,
  blks_read: number,
  blks_hit: number,
  tup_returned: number,
  tup_fetched: number,
  tup_inserted: number,
  tup_updated: number,
  tup_deleted: number,
  temp_files: number,
  temp_bytes: number,
  deadlocks: number,
  conflicts: number,
  checksum_failures: maybe,
  blk_read_time_ms: number,
  blk_write_time_ms: number,
  sessions: number,
  session_time_ms: number,
  active_time_ms: number,
  idle_in_transaction_time_ms: number,
  sessions_abandoned: number,
  sessions_fatal: number,
  sessions_killed: number,
  parallel_workers_to_launch: maybe,
  parallel_workers_launched: maybe,
  numbackends: number,
  stats_reset: time,
});

const checkpointsSchema: Part<'checkpoints'> = z.object({
  timed: number,
  requested: number,
  done: maybe,
  write_time_ms: number,
  sync_time_ms: number,
  buffers_written: number,
  stats_reset: time,
});

const bgwriterSchema: Part<'bgwriter'> = z.object({
  buffers_clean: number,
  maxwritten_clean: number,
  buffers_alloc: number,
  buffers_backend: maybe,
  stats_reset: time,
});

const walSchema: Part<'wal'> = z.object({
  wal_records: number,
  wal_bytes: number,
  wal_fpi: number,
  wal_buffers_full: number,
  stats_reset: time,
});

const archiverSchema: Part<'archiver'> = z.object({
  archived_count: number,
  failed_count: number,
  last_archived_time: time,
  last_failed_wal: time,
  last_failed_time: time,
  stats_reset: time,
});

const transactionIdsSchema: Part<'transaction_ids'> = z.object({
  next_xid: number,
  datfrozenxid_age: number,
  datminmxid_age: number,
  wal_position_bytes: maybe,
});

const databaseRowSchema: z.ZodType<Counters['databases'][number]> = z.object({
  oid: number,
  name: z.string(),
  allows_connections: z.boolean(),
  is_template: z.boolean(),
  datfrozenxid_age: number,
  datminmxid_age: number,
  numbackends: number,
});

const ioSchema: z.ZodType<NonNullable<Counters['io']>[number]> = z.object({
  backend_type: z.string(),
  object: z.string(),
  context: z.string(),
  reads: maybe,
  read_bytes: maybe,
  read_time_ms: maybe,
  writes: maybe,
  write_bytes: maybe,
  write_time_ms: maybe,
  extends: maybe,
  extend_bytes: maybe,
  extend_time_ms: maybe,
  hits: maybe,
  evictions: maybe,
  reuses: maybe,
  fsyncs: maybe,
  fsync_time_ms: maybe,
  stats_reset: time,
});

/** Each view in a statement of its own. */
export async function readCounters(reader: Reader): Promise<Counters> {
  const version = reader.session.server_version_num;
  const rows = <T>(noun: string, schema: z.ZodType<T>) =>
    readNoun(reader, noun, sqlVariant(noun, String(version)), schema);
  const one = async <T>(noun: string, schema: z.ZodType<T>): Promise<T | null> =>
    (await rows(noun, schema))[0] ?? null;
  // pg_stat_io came with 16.
  const seesIo = version >= Number(floorsOf('io')[0]);
  const io = seesIo ? await rows('io', ioSchema) : null;
  return {
    database: await one('database-counters', databaseSchema),
    checkpoints: await one('checkpoints', checkpointsSchema),
    bgwriter: await one('bgwriter', bgwriterSchema),
    wal: await one('wal', walSchema),
    archiver: await one('archiver', archiverSchema),
    transaction_ids: await one('transaction-ids', transactionIdsSchema),
    io: io !== null && io.length > 0 ? io : null,
    databases: await rows('databases', databaseRowSchema),
  };
}
