/**
 * The static baseline: what hardware alone says of a server. Formulas after PostgreSQL's documentation and pgtune
 * (shared_buffers a quarter of RAM, effective_cache_size three quarters, …), the set as a whole fitted into memory.
 * Pure: hardware in, values with their formulas out.
 */
import type { DiskType } from '../../domain/index.ts';
import { autovacuumWorkers, ioWorkers, parallelBaseline } from './baseline-parallel.ts';
import {
  budgetBytes,
  connectionsThatFit,
  fitMemory,
  LEAST_BUFFERS_SHARE,
  type MemoryUse,
  USABLE_SHARE,
  worstCaseBytes,
} from './memory-budget.ts';
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
  /** max_connections; absent: PostgreSQL's default, 100 (dw: 40), or as many as leave room for the rest of the set. */
  connections?: number;
  /** autovacuum_max_workers; absent: PostgreSQL's default of 3, 4 from 16 and 5 from 32 CPUs on. */
  autovacuum_workers?: number;
  /** Share of RAM for shared_buffers where what was observed asks for more than the formula; absent: the formula's. */
  buffers_share?: number;
  /** Parallel workers that may run together; absent: those of the baseline, or 8, PostgreSQL's default, where the CPUs are not known. */
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

/** Up to 16 vacuum used no more than 1 GB of its memory (MaxAllocSize of its array of row ids). */
export function vacuumCap(major: number): number {
  return major <= 16 ? 1 * GB : Number.POSITIVE_INFINITY;
}
/** PostgreSQL's default; of a warehouse pgtune's, where few large statements share the memory. */
const connectionsOf = (type: WorkloadType) => (type === 'dw' ? 40 : 100);
/** Fewer connections than this serve nobody. */
export const LEAST_CONNECTIONS = 20;
const DEFAULT_WORKERS = 8;

/** work_mem that connections are not to take away: PostgreSQL's default; a warehouse's sorts and hashes are larger. */
const ampleWorkMem = (type: WorkloadType) => (type === 'dw' ? 16 : 4) * MB;

/** Before the budget: each setting by its own formula. work_mem gets what is left. */
function wantedMemory(input: BaselineInput, connections: number) {
  const { ram_bytes: ram, workload_type: type, major } = input;
  // "With 1GB or more of RAM, a reasonable starting value for shared_buffers is 25 %" (PostgreSQL documentation, 19.4.1).
  const buffersShare = type === 'desktop' ? 16 : ram < 1 * GB ? 5 : 4;
  const maintenanceShare = type === 'dw' ? 8 : 16;
  const maintenanceCap = Math.min(2 * GB, vacuumCap(major));
  const workers = input.autovacuum_workers ?? autovacuumWorkers(input.cpu_count);
  const maintenance = Math.min(roundMemory(ram / maintenanceShare), maintenanceCap);
  const share = input.buffers_share ?? 1 / buffersShare;
  const buffers = roundMemory(ram * share);
  const cpus = input.cpu_count;
  const use: MemoryUse = {
    shared_buffers: buffers,
    // wal_buffers −1 is 1/32 of shared_buffers, at most one WAL segment (16MB unless initdb was told otherwise).
    wal_buffers: Math.max(64 * KB, Math.min(16 * MB, buffers / 32)),
    work_mem: type === 'desktop' ? 64 * MB : ram,
    maintenance_work_mem: maintenance,
    autovacuum_work_mem: Math.min(maintenance, roundMemory((ram * 0.1) / workers)),
    max_connections: connections,
    parallel_workers:
      input.parallel_workers ??
      (cpus === null ? DEFAULT_WORKERS : (parallelBaseline(cpus, type).max_parallel_workers?.value ?? cpus)),
    autovacuum_max_workers: workers,
  };
  const buffersFormula =
    input.buffers_share === undefined
      ? `/ ${buffersShare}`
      : `× ${input.buffers_share} (a quarter was too little)`;
  return { use, buffersFormula, maintenanceShare, maintenanceCap };
}

/**
 * Connections that leave every other setting at its own formula and work_mem at 4 MB (dw: 16 MB); 20 at least, where
 * work_mem then gets what they leave.
 */
function ampleConnections(input: BaselineInput, wanted: number): number {
  const { use } = wantedMemory(input, wanted);
  const ample = { ...use, work_mem: ampleWorkMem(input.workload_type) };
  return connectionsThatFit(ample, input.ram_bytes, LEAST_CONNECTIONS);
}

/** max_connections and why: as given, or by memory, with what a pooler would do. */
function connectionsValue(input: BaselineInput, use: MemoryUse): BaselineValue {
  const { workload_type: type, ram_bytes: ram, connections: given } = input;
  const most = given ?? connectionsOf(type);
  const ample = ampleConnections(input, most);
  const pooler = 'put a pooler (PgBouncer, transaction mode) before them';
  const sorts = `3 × ${formatMemory(ampleWorkMem(type))} work_mem + 2MB`;
  if (given !== undefined) {
    const share = `${((100 * use.shared_buffers) / ram).toFixed(0)} % of RAM`;
    const beyond = worstCaseBytes(use) > budgetBytes(ram) ? ', and the worst case does not fit even so' : '';
    const costs =
      ample < given
        ? `; at this number the budget leaves shared_buffers ${formatMemory(use.shared_buffers)} (${share}) and work_mem ${formatMemory(use.work_mem)}${beyond}: ${ample} would leave ${sorts} for each; ${pooler}`
        : '';
    return plain(given, `as given${costs}`);
  }
  const whose = type === 'dw' ? 'few large statements' : "PostgreSQL's default";
  return ample < most
    ? plain(
        ample,
        `RAM ${formatMemory(ram)} has room for so many at ${sorts} each without taking it from shared_buffers, in fives, at least ${LEAST_CONNECTIONS} (${most} would starve it); more clients than that wait in a pooler: ${pooler}`,
      )
    : plain(most, `${whose}; more connections than cores wait for each other: ${pooler}`);
}

/** Whether the number of connections alone keeps the set below its own formulas: fewer than 15 % of RAM for buffers, or too little work_mem. */
export function connectionsStarve(input: BaselineInput, use: MemoryUse): boolean {
  return (
    input.workload_type !== 'desktop' &&
    (use.work_mem < ampleWorkMem(input.workload_type) ||
      use.shared_buffers < LEAST_BUFFERS_SHARE * input.ram_bytes)
  );
}

/** The memory settings alone, and the set that they were fitted with. */
export function memoryBaseline(input: BaselineInput): {
  values: Record<MemoryValueName, BaselineValue>;
  use: MemoryUse;
} {
  const { ram_bytes: ram, workload_type: type } = input;
  const connections = input.connections ?? ampleConnections(input, connectionsOf(type));
  const wanted = wantedMemory(input, connections);
  const { buffersFormula, maintenanceShare, maintenanceCap } = wanted;
  const size = formatMemory(ram);
  const desktop = type === 'desktop';
  const cacheShare = desktop ? 0.25 : 0.75;
  const use = fitMemory(wanted.use, ram);
  const { parallel_workers: parallel, autovacuum_max_workers: workers } = use;
  const fitted = 'fitted into the budget of the whole set';
  const values = {
    max_connections: connectionsValue(input, use),
    shared_buffers: memory(use.shared_buffers, `RAM ${size} ${buffersFormula}, ${fitted}`),
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
  | 'max_connections'
  | 'shared_buffers'
  | 'effective_cache_size'
  | 'work_mem'
  | 'maintenance_work_mem'
  | 'autovacuum_work_mem';

/** A random page against the next one: 4 where a head must move, otherwise little more than 1 (no benchmark: the field's practice). */
const RANDOM_PAGE_COST: Record<DiskType, number> = { hdd: 4, ssd: 1.1, nvme: 1.1, san: 1.1 };
/** Reads ahead at once: pgtune's; NVMe kept at 256, since 1000 was never shown to give more. */
const IO_CONCURRENCY: Record<DiskType, number> = { hdd: 2, ssd: 200, nvme: 256, san: 300 };

/** maintenance_io_concurrency came with it. */
const MAINTENANCE_IO_FROM = 13;

/** What depends on the disks. From 18 on effective_io_concurrency is left at its default of 16. */
export function diskBaseline(disk: DiskType, major: number): Record<string, BaselineValue> {
  const values: Record<string, BaselineValue> = {
    random_page_cost: plain(RANDOM_PAGE_COST[disk], `by disk type: ${disk}`),
  };
  if (major < 18) {
    const ahead = plain(IO_CONCURRENCY[disk], `by disk type: ${disk}`);
    values.effective_io_concurrency = ahead;
    // For ANALYZE and recovery; its default of 10 is enough for a head that moves.
    if (major >= MAINTENANCE_IO_FROM && disk !== 'hdd') values.maintenance_io_concurrency = ahead;
  }
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

/** Background processes, by the CPUs: PostgreSQL's defaults are left out. */
function processes({ workload_type, major }: BaselineInput, cpus: number): Record<string, BaselineValue> {
  const values = parallelBaseline(cpus, workload_type);
  const [vacuums, reads] = [autovacuumWorkers(cpus), ioWorkers(cpus)];
  if (vacuums > 3) values.autovacuum_max_workers = plain(vacuums, '4 from 16 CPUs, 5 from 32 on');
  if (major === 18 && reads > 3) values.io_workers = plain(reads, `${cpus} CPUs / 4, at most 32`);
  return values;
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
      ...(input.cpu_count === null ? {} : processes(input, input.cpu_count)),
    },
    worst_case_bytes: worstCaseBytes(use),
    budget_bytes: budgetBytes(input.ram_bytes),
  };
}
