/**
 * What a set of memory settings may take in the worst case, and how a set is made to fit into the host's memory.
 * The count of three sorts or hashes a process is pgtune's; that parallel workers and every autovacuum worker count
 * as well, and that the whole must fit, is ours.
 */
import { GB, KB, MB, roundMemory } from './units.ts';

/** Bytes and counts of everything that takes memory. */
export interface MemoryUse {
  shared_buffers: number;
  wal_buffers: number;
  work_mem: number;
  maintenance_work_mem: number;
  /** What one autovacuum worker may take: autovacuum_work_mem, or maintenance_work_mem where that is −1. */
  autovacuum_work_mem: number;
  max_connections: number;
  /** Parallel workers that may run at the same time: min(max_parallel_workers, max_worker_processes). */
  parallel_workers: number;
  autovacuum_max_workers: number;
  /** A hash may take so many times work_mem; absent: 2, the default since 15. */
  hash_mem_multiplier?: number;
  /** What roles with more work_mem than the server take beyond it, bytes; absent: nothing. */
  role_work_mem?: number;
}

/** Portions of work_mem that one process may use at the same time: three sorts, or a sort and a hash of two. */
const LEAST_WORK_MEM_USES = 3;
const DEFAULT_HASH_MULTIPLIER = 2;
/** A backend's own memory: catalog caches, plans, the process itself. */
export const BACKEND_BYTES = 2 * MB;
/** What the set may take of the host's memory: the rest is the operating system's. */
export const USABLE_SHARE = 0.9;
/** Below this work_mem spills on next to everything: the other settings give way first. */
const USEFUL_WORK_MEM = 1 * MB;
/** Below this share of RAM shared_buffers gives way only where the budget could not be kept otherwise. */
export const LEAST_BUFFERS_SHARE = 0.15;
/** PostgreSQL's minimum of work_mem. */
const LEAST_WORK_MEM = 64 * KB;
/** More than this for each sort is for a session to ask for. */
const MOST_WORK_MEM = 1 * GB;

export const WORST_CASE_FORMULA =
  'shared_buffers + wal_buffers + (max_connections + parallel workers) × (3 × work_mem, or 1 + hash_mem_multiplier of it, + 2MB) + autovacuum workers × autovacuum_work_mem + maintenance_work_mem + what roles with more work_mem take beyond that';

/** Portions of work_mem in one process: a sort and a hash of hash_mem_multiplier portions, three at least. */
export function workMemUses({ hash_mem_multiplier = DEFAULT_HASH_MULTIPLIER }: MemoryUse): number {
  return Math.max(LEAST_WORK_MEM_USES, 1 + hash_mem_multiplier);
}

/** Bytes in the worst case: every connection and parallel worker with three sorts, every autovacuum worker busy, one CREATE INDEX. */
export function worstCaseBytes(use: MemoryUse): number {
  const processes = use.max_connections + use.parallel_workers;
  return (
    use.shared_buffers +
    use.wal_buffers +
    processes * (workMemUses(use) * use.work_mem + BACKEND_BYTES) +
    use.autovacuum_max_workers * use.autovacuum_work_mem +
    use.maintenance_work_mem +
    (use.role_work_mem ?? 0)
  );
}

/** The formula with its inputs, for evidence. */
export function worstCaseInputs(use: MemoryUse): string {
  const mb = (bytes: number) => `${Number((bytes / MB).toFixed(1))}MB`;
  return (
    `${mb(use.shared_buffers)} shared_buffers + ${mb(use.wal_buffers)} wal_buffers + ` +
    `(${use.max_connections} connections + ${use.parallel_workers} parallel workers) × (${workMemUses(use)} × ${mb(use.work_mem)} work_mem + 2MB) + ` +
    `${use.autovacuum_max_workers} autovacuum workers × ${mb(use.autovacuum_work_mem)} + ${mb(use.maintenance_work_mem)} maintenance_work_mem` +
    (use.role_work_mem ? ` + ${mb(use.role_work_mem)} of roles with more work_mem` : '')
  );
}

/** What the set may take of `ram` bytes. */
export function budgetBytes(ram: number): number {
  return ram * USABLE_SHARE;
}

/** How often one setting counts in the worst case. */
function multiplicity(use: MemoryUse, name: MemoryParameter): number {
  switch (name) {
    case 'work_mem':
      return workMemUses(use) * (use.max_connections + use.parallel_workers);
    case 'autovacuum_work_mem':
      return use.autovacuum_max_workers;
    default:
      return 1;
  }
}

export type MemoryParameter =
  | 'shared_buffers'
  | 'work_mem'
  | 'maintenance_work_mem'
  | 'autovacuum_work_mem'
  | 'wal_buffers';

/** The most that one setting can be, bytes, with all others as they are, within the budget; may be negative. */
export function roomFor(name: MemoryParameter, use: MemoryUse, ram: number): number {
  const rest = worstCaseBytes({ ...use, [name]: 0 });
  return (budgetBytes(ram) - rest) / multiplicity(use, name);
}

/**
 * Sets work_mem to what is left, at most what is wanted. Where that is too little to be of use, maintenance memory and
 * then shared_buffers give way, the latter to 15 % of RAM; then work_mem goes down to a quarter of that, and where even
 * this does not fit shared_buffers to 16 MB, and work_mem as low as PostgreSQL allows.
 */
export function fitMemory(wanted: MemoryUse, ram: number): MemoryUse {
  const use = { ...wanted };
  const buffersFloor = Math.max(16 * MB, roundMemory(ram * LEAST_BUFFERS_SHARE));
  const give: [name: MemoryParameter, floor: number, forWorkMem: number][] = [
    ['autovacuum_work_mem', 16 * MB, USEFUL_WORK_MEM],
    ['maintenance_work_mem', 16 * MB, USEFUL_WORK_MEM],
    ['shared_buffers', Math.min(use.shared_buffers, buffersFloor), USEFUL_WORK_MEM],
    ['shared_buffers', 16 * MB, USEFUL_WORK_MEM / 4],
  ];
  for (const [name, floor, forWorkMem] of give) {
    const enough = Math.min(wanted.work_mem, forWorkMem);
    const room = roomFor(name, { ...use, work_mem: enough }, ram);
    if (room >= use[name]) continue;
    use[name] = Math.min(use[name], Math.max(floor, room > 0 ? roundMemory(room) : 0));
  }
  const left = Math.min(wanted.work_mem, MOST_WORK_MEM, roomFor('work_mem', use, ram));
  use.work_mem = Math.max(LEAST_WORK_MEM, left > 0 ? roundMemory(left) : 0);
  return use;
}

/**
 * The most connections, at most those of `use`, with which the rest of the set fits as it is; whole fives, none below
 * `least` even where the set does not fit then.
 */
export function connectionsThatFit(use: MemoryUse, ram: number, least: number): number {
  const each = workMemUses(use) * use.work_mem + BACKEND_BYTES;
  const room = budgetBytes(ram) - worstCaseBytes({ ...use, max_connections: 0 });
  const fives = Math.floor(room / each / 5) * 5;
  return Math.min(use.max_connections, Math.max(least, fives));
}
