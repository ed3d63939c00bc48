/** The benchmark's own arithmetic: pgtune's formulas against what pgtune printed, and ratios of pairs. */
import { describe, expect, test } from 'vitest';
import { type PgtuneInput, pgtune } from '../../bench/settings/pgtune.ts';
import { ratioOf } from '../../bench/settings/ratios.ts';

const GB = 2 ** 30;

/** Outputs of pgtune 7caef27, its selectors run unmodified. */
const PRINTED: [string, PgtuneInput, Record<string, string>][] = [
  [
    'a small web server',
    { major: 15, type: 'web', ram_bytes: GB / 2, cpus: 1, disk: 'ssd', size: 'less_ram', connections: 50 },
    {
      max_connections: '50',
      shared_buffers: '131072kB',
      effective_cache_size: '393216kB',
      maintenance_work_mem: '32768kB',
      checkpoint_completion_target: '0.9',
      wal_buffers: '3932kB',
      default_statistics_target: '100',
      random_page_cost: '1.1',
      effective_io_concurrency: '200',
      work_mem: '4096kB',
      huge_pages: 'off',
      jit: 'off',
      wal_compression: 'lz4',
      min_wal_size: '1048576kB',
      max_wal_size: '4194304kB',
    },
  ],
  [
    'a large one for writes',
    {
      major: 18,
      type: 'oltp',
      ram_bytes: 64 * GB,
      cpus: 16,
      disk: 'nvme',
      size: 'greater_ram',
      connections: 300,
    },
    {
      max_connections: '300',
      shared_buffers: '16777216kB',
      effective_cache_size: '50331648kB',
      maintenance_work_mem: '4194304kB',
      checkpoint_completion_target: '0.9',
      wal_buffers: '16384kB',
      default_statistics_target: '100',
      random_page_cost: '1.1',
      effective_io_concurrency: '1000',
      work_mem: '47782kB',
      huge_pages: 'try',
      jit: 'off',
      wal_compression: 'lz4',
      autovacuum_max_workers: '4',
      autovacuum_work_mem: '2097152kB',
      io_method: 'io_uring',
      min_wal_size: '2097152kB',
      max_wal_size: '8388608kB',
      max_worker_processes: '16',
      max_parallel_workers_per_gather: '4',
      max_parallel_workers: '16',
      max_parallel_maintenance_workers: '4',
    },
  ],
  [
    'a warehouse',
    { major: 17, type: 'dw', ram_bytes: 128 * GB, cpus: 32, disk: 'ssd', size: 'greater_ram' },
    {
      max_connections: '40',
      shared_buffers: '33554432kB',
      effective_cache_size: '100663296kB',
      maintenance_work_mem: '8388608kB',
      checkpoint_completion_target: '0.9',
      wal_buffers: '16384kB',
      default_statistics_target: '500',
      random_page_cost: '4',
      effective_io_concurrency: '200',
      work_mem: '209714kB',
      huge_pages: 'try',
      wal_compression: 'lz4',
      autovacuum_max_workers: '5',
      autovacuum_work_mem: '2097152kB',
      min_wal_size: '4194304kB',
      max_wal_size: '16777216kB',
      max_worker_processes: '32',
      max_parallel_workers_per_gather: '16',
      max_parallel_workers: '32',
      max_parallel_maintenance_workers: '4',
    },
  ],
];

test.each(PRINTED)('%s is tuned as pgtune does', (_, input, printed) => {
  expect(pgtune(input)).toEqual(printed);
});

describe('ratios', () => {
  test('are geometric: twice and half as much make one', () => {
    const { mean, least, most } = ratioOf([2, 1], [1, 2]);
    expect(mean).toBeCloseTo(1, 12);
    expect([least, most]).toEqual([0.5, 2]);
  });

  test('have the interval of Student over the logarithms', () => {
    // Logarithms 0.1, 0.2, 0.3: mean 0.2, deviation 0.1, t of 2 degrees 4.303.
    const a = [0.1, 0.2, 0.3].map(Math.exp);
    const { low, high } = ratioOf(a, [1, 1, 1]);
    expect(Math.log(low)).toBeCloseTo(0.2 - (4.303 * 0.1) / Math.sqrt(3), 6);
    expect(Math.log(high)).toBeCloseTo(0.2 + (4.303 * 0.1) / Math.sqrt(3), 6);
  });
});
