/** The server that a shop runs on. */
import { type EmbeddedServer, startEmbedded } from '../../src/embedded/index.ts';

const SETTINGS = {
  shared_preload_libraries: 'pg_stat_statements',
  track_io_timing: 'on',
  shared_buffers: '1GB',
  max_wal_size: '8GB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  // Two sessions on two cores: more workers would only get in each other's way.
  max_parallel_workers_per_gather: '0',
  autovacuum: 'off',
  // What a real server writes is written, but nobody waits for the disk at each commit: that would hide the work.
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'off',
};

/** Sessions of the shop's application at once. */
export const CONNECTIONS = 2;

export const startShopServer = (): Promise<EmbeddedServer> =>
  startEmbedded({ major: 17, name: 'bench-oltp', settings: SETTINGS });
