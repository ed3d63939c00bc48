/** How long CREATE INDEX CONCURRENTLY takes, roughly: enough to choose a moment for it. */
import { amountWords, bytesWords, type Evidence, type Snapshot } from '../../domain/index.ts';
import type { Contender } from './selection.ts';
import { BLOCK_BYTES } from './size-model.ts';

/**
 * Microseconds a row, reading, sorting and writing in memory without parallel workers: CREATE INDEX CONCURRENTLY of
 * PostgreSQL 18 over 0.1 to 1.6 million rows of 200 bytes on a busy 2-core machine (B-tree 2 to 5.6, by type and order
 * of the key; hash 4.7 to 6.8; BRIN 2.9 to 5.2; GIN over jsonb 15 to 21; GiST over ranges 5.2 to 5.6). Other methods
 * were not measured.
 */
const MICROSECONDS_A_ROW: Readonly<Record<string, number>> = {
  btree: 4,
  hash: 6,
  brin: 4,
  gin: 18,
  gist: 5.5,
};
/** Bytes a second that such disks read and write one after the other, as their data sheets have it at the low end. */
const BYTES_A_SECOND = { hdd: 120e6, san: 200e6, ssd: 400e6, nvme: 1500e6 } as const;
/** The build reads the table twice (validate_index() of index.c is the second time). */
const PASSES = 2;

/** Seconds, null for a method that was not measured, and the row that says how they come about. */
export function buildTime(
  {
    candidate,
    size,
    size_bytes,
  }: Pick<Contender, 'size' | 'size_bytes'> & {
    candidate: Pick<Contender['candidate'], 'definition' | 'table'>;
  },
  snapshot: Snapshot,
): { seconds: number | null; evidence: Evidence } {
  const { definition, table } = candidate;
  const row = {
    name: 'time to build it',
    unit: 's',
    source:
      'build time model: rows, disk and method; other load, lock waits and long transactions come on top',
    level: 'estimated' as const,
  };
  const microseconds = MICROSECONDS_A_ROW[definition.method];
  if (microseconds === undefined) {
    const formula = `how long ${definition.method} takes was not measured`;
    return { seconds: null, evidence: { ...row, value: null, formula } };
  }
  const disk = snapshot.host.disk_type.value;
  const rate = BYTES_A_SECOND[disk ?? 'san'];
  const heap = table.row.main_pages * BLOCK_BYTES;
  // BRIN takes one entry for many rows, yet reads all of them.
  const rows = definition.method === 'brin' ? Math.max(size.tuples, table.row.reltuples) : size.tuples;
  const seconds = (rows * microseconds) / 1e6 + (PASSES * heap + size_bytes) / rate;
  const formula =
    `${amountWords(Math.round(rows))} rows × ${microseconds} µs + (${PASSES} × ${bytesWords(heap)} of table + ` +
    `${bytesWords(size_bytes)} of index) ÷ ${rate / 1e6} MB/s (${disk ?? 'disk not known, taken for a SAN'}); an upper guess: 19 builds on an idle server took an eighth of it to a quarter more`;
  return { seconds, evidence: { ...row, value: seconds, formula } };
}
