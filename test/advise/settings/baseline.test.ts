import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Baseline, type BaselineInput, staticBaseline } from '../../../src/advise/settings/baseline.ts';
import { parallelBaseline } from '../../../src/advise/settings/baseline-parallel.ts';
import { GB, MB } from '../../support/snapshot-builder.ts';
import { matrix } from './matrix.ts';

const value = (baseline: Baseline, name: string): number => {
  const found = baseline.values[name];
  if (!found) throw new Error(`no ${name}`);
  return found.value;
};

/** An independent count, of what the set itself sets: buffers, three sorts in every process there may be, every autovacuum worker. */
function bytesAtWorst(baseline: Baseline, input: BaselineInput): number {
  const processes = value(baseline, 'max_connections') + (baseline.values.max_parallel_workers?.value ?? 8);
  return (
    value(baseline, 'shared_buffers') +
    3 * value(baseline, 'work_mem') * processes +
    (input.autovacuum_workers ?? 3) * value(baseline, 'autovacuum_work_mem') +
    value(baseline, 'maintenance_work_mem')
  );
}

describe.each(matrix)('$name', ({ input }) => {
  const baseline = staticBaseline(input);

  test('the whole set fits into memory', () => {
    expect(baseline.worst_case_bytes).toBeLessThanOrEqual(baseline.budget_bytes);
    expect(baseline.budget_bytes).toBeLessThan(input.ram_bytes);
    expect(bytesAtWorst(baseline, input)).toBeLessThanOrEqual(input.ram_bytes);
  });

  test('no value is illegal or useless', () => {
    expect(value(baseline, 'work_mem')).toBeGreaterThanOrEqual(512 * 1024);
    expect(value(baseline, 'work_mem')).toBeLessThanOrEqual(GB);
    const least = input.workload_type === 'desktop' ? 1 / 17 : 0.15;
    expect(value(baseline, 'shared_buffers')).toBeGreaterThanOrEqual(least * input.ram_bytes);
    expect(value(baseline, 'max_connections')).toBe(input.connections ?? value(baseline, 'max_connections'));
    // Nobody gave a number: connections give way before sorts do.
    if (input.connections === undefined)
      expect(value(baseline, 'work_mem')).toBeGreaterThanOrEqual(
        (input.workload_type === 'dw' ? 16 : 4) * MB,
      );
    expect(value(baseline, 'shared_buffers')).toBeLessThanOrEqual(input.ram_bytes / 4);
    expect(value(baseline, 'effective_cache_size')).toBeGreaterThanOrEqual(value(baseline, 'shared_buffers'));
    expect(value(baseline, 'maintenance_work_mem')).toBeGreaterThanOrEqual(16 * MB);
    expect(value(baseline, 'min_wal_size')).toBeLessThan(value(baseline, 'max_wal_size'));
    for (const [name, item] of Object.entries(baseline.values)) {
      expect(item.text, name).toMatch(/^\d+(\.\d+)?(kB|MB|GB)?$/);
      expect(item.formula.length, name).toBeGreaterThan(5);
    }
  });

  test('says nothing of what is not known', () => {
    const names = Object.keys(staticBaseline({ ...input, cpu_count: null, disk_type: null }).values);
    expect(names).not.toContain('random_page_cost');
    expect(names).not.toContain('max_worker_processes');
  });
});

describe('small hosts', () => {
  const host = (megabytes: number, more: Partial<BaselineInput> = {}) =>
    staticBaseline({
      ram_bytes: megabytes * MB,
      cpu_count: 2,
      disk_type: 'ssd',
      major: 18,
      workload_type: 'oltp',
      ...more,
    });
  test.each([
    [256, 20, 1],
    [512, 20, 3],
    [1024, 30, 4],
    [2048, 65, 4],
    [8192, 100, 4],
  ])('%d MB: %d connections before buffers and sorts starve', (megabytes, connections, work_mem) => {
    const baseline = host(megabytes);
    expect(value(baseline, 'max_connections')).toBe(connections);
    expect(value(baseline, 'shared_buffers')).toBeGreaterThanOrEqual(0.15 * megabytes * MB);
    expect(value(baseline, 'work_mem')).toBeGreaterThanOrEqual(work_mem * MB);
    expect(baseline.worst_case_bytes).toBeLessThanOrEqual(baseline.budget_bytes);
    expect(baseline.values.max_connections?.formula).toContain('pooler');
  });
  test('a number that was given stays, the set fits, and what it costs is said', () => {
    const baseline = host(1024, { connections: 100 });
    expect(value(baseline, 'max_connections')).toBe(100);
    expect(value(baseline, 'shared_buffers')).toBeGreaterThanOrEqual(0.15 * GB);
    expect(baseline.worst_case_bytes).toBeLessThanOrEqual(baseline.budget_bytes);
    expect(baseline.values.max_connections?.formula).toMatch(
      /shared_buffers 256MB \(25 % of RAM\) and work_mem 1MB: 30 would .*pooler/,
    );
  });
  test('where not even the processes fit it says so', () => {
    const baseline = host(256, { connections: 200 });
    expect(baseline.worst_case_bytes).toBeGreaterThan(baseline.budget_bytes);
    expect(baseline.values.max_connections?.formula).toContain('the worst case does not fit even so');
  });
  test('a set for few CPUs counts the parallel workers that it allows, unknown ones as 8', () => {
    expect(value(host(1024), 'max_parallel_workers')).toBe(4);
    // Two statements at once; otherwise one a CPU, and never more than there are processes for.
    for (const [cpus, workers] of [
      [1, 1],
      [2, 4],
      [3, 4],
      [4, 4],
      [5, 5],
      [9, 9],
    ] as const) {
      for (const type of ['oltp', 'dw'] as const) {
        const set = parallelBaseline(cpus, type);
        expect(set.max_parallel_workers?.value).toBe(workers);
        expect(set.max_worker_processes?.value).toBeGreaterThanOrEqual(workers);
      }
    }
    expect(value(host(1024, { cpu_count: null }), 'max_connections')).toBeLessThan(30);
  });
});

test('any host: the set fits, unless work_mem is at its minimum already', () => {
  fc.assert(
    fc.property(
      fc.record({
        ram_bytes: fc.integer({ min: 256, max: 1024 * 1024 }).map((mb) => mb * MB),
        cpu_count: fc.integer({ min: 1, max: 256 }),
        connections: fc.option(fc.integer({ min: 1, max: 5000 }), { nil: undefined }),
        autovacuum_workers: fc.integer({ min: 1, max: 20 }),
        major: fc.integer({ min: 14, max: 18 }),
        disk_type: fc.constantFrom('hdd' as const, 'ssd' as const, 'nvme' as const, 'san' as const),
        workload_type: fc.constantFrom(
          'web' as const,
          'oltp' as const,
          'dw' as const,
          'desktop' as const,
          'mixed' as const,
        ),
      }),
      ({ connections, ...host }) => {
        const baseline = staticBaseline({ ...host, ...(connections === undefined ? {} : { connections }) });
        if (connections === undefined && host.cpu_count <= 16) {
          expect(baseline.worst_case_bytes).toBeLessThanOrEqual(baseline.budget_bytes);
          return;
        }
        if (value(baseline, 'work_mem') === 64 * 1024) return;
        expect(baseline.worst_case_bytes).toBeLessThanOrEqual(baseline.budget_bytes);
      },
    ),
  );
});

test('18 keeps its own effective_io_concurrency, vacuum up to 16 gets no more than it can use', () => {
  const input = { ...(matrix[3] as (typeof matrix)[number]).input };
  expect(staticBaseline({ ...input, major: 18 }).values.effective_io_concurrency).toBeUndefined();
  expect(staticBaseline({ ...input, major: 17 }).values.effective_io_concurrency?.text).toBe('256');
  expect(staticBaseline({ ...input, major: 16 }).values.maintenance_work_mem?.text).toBe('1GB');
  expect(staticBaseline({ ...input, major: 17 }).values.maintenance_work_mem?.text).toBe('2GB');
});
