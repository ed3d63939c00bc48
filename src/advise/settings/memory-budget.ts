/** What a set of memory settings may take in the worst case, and how a set is made to fit. */
import { MB, roundMemory } from './units.ts';

export interface MemoryUse {
  shared_buffers: number;
  work_mem: number;
  /** Also what each autovacuum worker takes, unless autovacuum_work_mem says otherwise. */
  maintenance_work_mem: number;
  /** Connections that may be active at once. */
  connections: number;
  autovacuum_workers: number;
}

/** Sorts and hashes that one statement may run at the same time, each with its own work_mem. */
const WORK_MEM_USES = 3;
/** Left to the operating system and to each backend's own memory. */
const USABLE_SHARE = 0.9;
const BACKEND_BYTES = 2 * MB;

/** Bytes: buffers + every active connection at its worst + every autovacuum worker and one manual maintenance. */
export function worstCaseBytes(use: MemoryUse): number {
  return (
    use.shared_buffers +
    use.connections * (WORK_MEM_USES * use.work_mem + BACKEND_BYTES) +
    (use.autovacuum_workers + 1) * use.maintenance_work_mem
  );
}

/** PostgreSQL's own minima and sensible floors: below them a set is not proposed smaller. */
const FLOOR = { shared_buffers: 16 * MB, work_mem: 64 * 1024, maintenance_work_mem: 4 * MB };

/** Shrinks work_mem first, then maintenance_work_mem, then shared_buffers, until the worst case fits into RAM. */
export function fitMemory(wanted: MemoryUse, ram: number): MemoryUse {
  const use = { ...wanted };
  const limit = ram * USABLE_SHARE;
  for (const name of ['work_mem', 'maintenance_work_mem', 'shared_buffers'] as const) {
    const rest = worstCaseBytes({ ...use, [name]: 0 });
    const share =
      name === 'work_mem'
        ? use.connections * WORK_MEM_USES
        : name === 'maintenance_work_mem'
          ? use.autovacuum_workers + 1
          : 1;
    if (rest + share * use[name] <= limit) return use;
    use[name] = Math.max(FLOOR[name], roundMemory(Math.max(0, limit - rest) / share));
  }
  return use;
}
