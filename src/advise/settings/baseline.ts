/**
 * The static baseline: what hardware alone says. Formulas after PostgreSQL's documentation (shared_buffers a quarter of
 * RAM, effective_cache_size what is left for caching) and common practice of the field; the whole set is fitted into
 * the memory that there is.
 */
import type { DiskType } from '../../domain/index.ts';
import { fitMemory, type MemoryUse, worstCaseBytes } from './memory-budget.ts';
import { GB, MB, roundMemory } from './units.ts';

export interface BaselineInput {
  ram_bytes: number;
  cpu_count: number;
  disk_type: DiskType;
  /** Connections that may be active at once. */
  connections: number;
  autovacuum_workers: number;
}

export interface BaselineValue {
  value: number;
  formula: string;
}

/** One value a setting; memory in bytes, costs and counts as they are. */
export interface Baseline {
  shared_buffers: BaselineValue;
  effective_cache_size: BaselineValue;
  work_mem: BaselineValue;
  maintenance_work_mem: BaselineValue;
  random_page_cost: BaselineValue;
  effective_io_concurrency: BaselineValue;
  max_wal_size: BaselineValue;
  /** Worst case of the set, bytes: what memory-budget.ts counts. */
  worst_case_bytes: number;
}

const randomPageCost: Record<DiskType, number> = { hdd: 4, ssd: 1.1, nvme: 1.1, san: 1.1 };
const ioConcurrency: Record<DiskType, number> = { hdd: 2, ssd: 200, nvme: 256, san: 300 };

/** The baseline for a host. */
export function staticBaseline(input: BaselineInput): Baseline {
  const { ram_bytes: ram, disk_type: disk } = input;
  const wanted: MemoryUse = {
    shared_buffers: roundMemory(ram / 4),
    // Each active connection may use it several times over in one plan; half of what buffers leave is shared among them.
    work_mem: Math.min(roundMemory((ram - ram / 4) / 2 / (3 * input.connections)), 256 * MB),
    maintenance_work_mem: Math.min(roundMemory(ram / 16), 2 * GB),
    connections: input.connections,
    autovacuum_workers: input.autovacuum_workers,
  };
  const memory = fitMemory(wanted, ram);
  return {
    shared_buffers: {
      value: memory.shared_buffers,
      formula: 'RAM / 4, fitted into the budget of the whole set',
    },
    effective_cache_size: { value: roundMemory(ram * 0.75), formula: 'RAM × 3/4' },
    work_mem: {
      value: memory.work_mem,
      formula: '(RAM − RAM/4) / 2 / (3 × active connections), at most 256MB, fitted into the budget',
    },
    maintenance_work_mem: {
      value: memory.maintenance_work_mem,
      formula: 'RAM / 16, at most 2GB, fitted into the budget with every autovacuum worker',
    },
    random_page_cost: { value: randomPageCost[disk], formula: `by disk type: ${disk}` },
    effective_io_concurrency: { value: ioConcurrency[disk], formula: `by disk type: ${disk}` },
    max_wal_size: {
      value: Math.min(Math.max(GB, roundMemory(ram / 4)), 16 * GB),
      formula: 'RAM / 4, between 1GB and 16GB',
    },
    worst_case_bytes: worstCaseBytes(memory),
  };
}
