/** Counters of the database and the server as a whole. */
import { z } from 'zod';
import type { Counters } from '../domain/index.ts';
import { type Reader, readNoun } from './reader.ts';
import { sqlVariant } from './variants.ts';

const countersSchema = z.object({
  xact_commit: z.number(),
  xact_rollback: z.number(),
  blks_read: z.number(),
  blks_hit: z.number(),
  tup_returned: z.number(),
  tup_fetched: z.number(),
  temp_files: z.number(),
  temp_bytes: z.number(),
  deadlocks: z.number(),
  numbackends: z.number(),
  database_stats_reset: z.string().nullable(),
  checkpoints_timed: z.number(),
  checkpoints_requested: z.number(),
  checkpoints_stats_reset: z.string().nullable(),
  wal_bytes: z.number(),
  wal_fpi: z.number(),
  wal_buffers_full: z.number(),
  wal_stats_reset: z.string().nullable(),
});

export async function readCounters(reader: Reader): Promise<Counters> {
  const version = String(reader.session.server_version_num);
  const [row] = await readNoun(reader, 'counters', sqlVariant('counters', version), countersSchema);
  if (!row) return { database: null, checkpoints: null, wal: null };
  const {
    database_stats_reset,
    checkpoints_timed: timed,
    checkpoints_requested: requested,
    checkpoints_stats_reset,
    wal_bytes,
    wal_fpi,
    wal_buffers_full,
    wal_stats_reset,
    ...database
  } = row;
  return {
    database: { ...database, stats_reset: database_stats_reset },
    checkpoints: { timed, requested, stats_reset: checkpoints_stats_reset },
    wal: { wal_bytes, wal_fpi, wal_buffers_full, stats_reset: wal_stats_reset },
  };
}
