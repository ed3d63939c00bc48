/**
 * The static baseline: what hardware alone says of a server. Formulas after PostgreSQL's documentation and pgtune
 * (shared_buffers a quarter of RAM, effective_cache_size three quarters, …), the set as a whole fitted into memory.
 * Pure: hardware in, values with their formulas out.
 */
import type { DiskType } from '../../domain/index.ts';
import { parallelBaseline } from './baseline-parallel.ts';
import { budgetBytes, fitMemory, type MemoryUse, USABLE_SHARE, worstCaseBytes } from './memory-budget.ts';
import { formatMemory, GB, KB, MB, roundMemory } from './units.ts';

/** What a server is mostly for. web: many short reads. oltp: many short writes. dw: few large reads. */
export type WorkloadType = 'web' | 'oltp' | 'dw' | 'desktop' | 'mixed';

export interface BaselineInput {
  /** Memory that the server may use: the host's, or its cgroup's limit. */
  ram_bytes: number;
  /** Null: not known; parallelism is then left out. */
  cpu_count: number | null;
  /** Null: not known; what depends on it is then left out. */
  disk_type: DiskType | null;
  /** PostgreSQL major version. */
  major: number;
  workload_type: WorkloadType;
  /** max_connections; absent: PostgreSQL's default, 100. */
  connections?: number;
  /** autovacuum_max_workers; absent: PostgreSQL's default, 3. */
  autovacuum_workers?: number;
  /** Parallel workers that may run together; absent: 8, PostgreSQL's default, or one a CPU where there are more. */
  parallel_workers?: number;
}

/** One proposed value and how it was come by. */
export interface BaselineValue {
  /** Memory in bytes, others as they are. */
  value: number;
  /** As ALTER SYSTEM takes it. */
  text: string;
  /** The formula with its inputs. */
  formula: string;
}

export interface Baseline {
  /** By the setting's name. */
  values: Record<string, BaselineValue>;
  worst_case_bytes: number;
  /** What the worst case has to fit into: a share of RAM. */
  budget_bytes: number;
}

const memory = (value: number, formula: string): BaselineValue => ({
  value,
  text: formatMemory(value),
  formula,
});
const plain = (value: number, formula: string): BaselineValue => ({ value, text: String(value), formula });

/** Up to 16 vacuum used no more than this of its memory (MaxAllocSize of its array of row ids). */
const VACUUM_CAP_UNTIL_16 = 1 * GB;
const DEFAULT_CONNECTIONS = 100;
const DEFAULT_AUTOVACUUM_WORKERS = 3;
const DEFAULT_WORKERS = 8;

/** The memory settings alone, and the set that they were fitted with. */
export function memoryBaseline(input: BaselineInput): {
  values: Record<MemoryValueName, BaselineValue>;
  use: MemoryUse;
} {
  const { ram_bytes: ram, workload_type: type, major } = input;
  const size = formatMemory(ram);
  const desktop = type === 'desktop';
  const buffersShare = desktop ? 16 : ram < 2 * GB ? 5 : 4;
  const cacheShare = desktop ? 0.25 : 0.75;
  const maintenanceShare = type === 'dw' ? 8 : 16;
  const maintenanceCap = major <= 16 ? VACUUM_CAP_UNTIL_16 : 2 * GB;
  const workers = input.autovacuum_workers ?? DEFAULT_AUTOVACUUM_WORKERS;
  const connections = input.connections ?? DEFAULT_CONNECTIONS;
  const parallel = input.parallel_workers ?? Math.max(DEFAULT_WORKERS, input.cpu_count ?? 0);
  const maintenance = Math.min(roundMemory(ram / maintenanceShare), maintenanceCap);
  const buffers = roundMemory(ram / buffersShare);
  const use = fitMemory(
    {
      shared_buffers: buffers,
      // wal_buffers −1 is 1/32 of shared_buffers, at most one WAL segment (16MB unless initdb was told otherwise).
      wal_buffers: Math.max(64 * KB, Math.min(16 * MB, buffers / 32)),
      work_mem: desktop ? 64 * MB : ram,
      maintenance_work_mem: maintenance,
      autovacuum_work_mem: Math.min(maintenance, roundMemory((ram * 0.1) / workers)),
      max_connections: connections,
      parallel_workers: parallel,
      autovacuum_max_workers: workers,
    },
    ram,
  );
  const fitted = 'fitted into the budget of the whole set';
  const values = {
    shared_buffers: memory(use.shared_buffers, `RAM ${size} / ${buffersShare}, ${fitted}`),
    effective_cache_size: memory(
      Math.max(roundMemory(ram * cacheShare), use.shared_buffers),
      `RAM ${size} × ${cacheShare}`,
    ),
    work_mem: memory(
      use.work_mem,
      `(RAM ${size} × ${USABLE_SHARE} − everything else in the budget) / (3 × (${connections} connections + ${parallel} parallel workers))${desktop ? ', at most 64MB' : ', at most 1GB'}`,
    ),
    maintenance_work_mem: memory(
      use.maintenance_work_mem,
      `RAM ${size} / ${maintenanceShare}, at most ${formatMemory(maintenanceCap)}, ${fitted}`,
    ),
    autovacuum_work_mem: memory(
      use.autovacuum_work_mem,
      `min(maintenance_work_mem, RAM ${size} × 10 % / ${workers} autovacuum workers), ${fitted}`,
    ),
  };
  return { values, use };
}

type MemoryValueName =
  | 'shared_buffers'
  | 'effective_cache_size'
  | 'work_mem'
  | 'maintenance_work_mem'
  | 'autovacuum_work_mem';

/** A random page against the next one: 4 where a head must move, otherwise little more than 1 (no benchmark: the field's practice). */
const RANDOM_PAGE_COST: Record<DiskType, number> = { hdd: 4, ssd: 1.1, nvme: 1.1, san: 1.1 };
/** Reads ahead at once: pgtune's; NVMe kept at 256, since 1000 was never shown to give more. */
const IO_CONCURRENCY: Record<DiskType, number> = { hdd: 2, ssd: 200, nvme: 256, san: 300 };

/** What depends on the disks. From 18 on effective_io_concurrency is left at its default of 16. */
export function diskBaseline(disk: DiskType, major: number): Record<string, BaselineValue> {
  const values: Record<string, BaselineValue> = {
    random_page_cost: plain(RANDOM_PAGE_COST[disk], `by disk type: ${disk}`),
  };
  if (major < 18) values.effective_io_concurrency = plain(IO_CONCURRENCY[disk], `by disk type: ${disk}`);
  return values;
}

/** min_wal_size and max_wal_size, GB; pgtune's. */
const WAL_SIZE: Record<WorkloadType, readonly [min: number, max: number]> = {
  web: [1, 4],
  oltp: [2, 8],
  dw: [4, 16],
  desktop: [0.125, 2],
  mixed: [1, 4],
};

/** max_wal_size, bytes, for a workload of this type. */
export function maxWalSizeOf(type: WorkloadType): number {
  return WAL_SIZE[type][1] * GB;
}

/** The whole set for a host. */
export function staticBaseline(input: BaselineInput): Baseline {
  const { values, use } = memoryBaseline(input);
  const [minWal, maxWal] = WAL_SIZE[input.workload_type];
  return {
    values: {
      ...values,
      ...(input.disk_type === null ? {} : diskBaseline(input.disk_type, input.major)),
      min_wal_size: memory(minWal * GB, `by workload type: ${input.workload_type}`),
      max_wal_size: memory(maxWal * GB, `by workload type: ${input.workload_type}`),
      checkpoint_completion_target: plain(
        0.9,
        "PostgreSQL's default since 14: writes spread over the interval",
      ),
      wal_buffers: memory(roundMemory(use.wal_buffers), 'shared_buffers / 32, at most 16MB'),
      ...(input.cpu_count === null ? {} : parallelBaseline(input.cpu_count, input.workload_type)),
    },
    worst_case_bytes: worstCaseBytes(use),
    budget_bytes: budgetBytes(input.ram_bytes),
  };
}
