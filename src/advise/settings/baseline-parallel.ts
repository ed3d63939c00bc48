/** Workers for a number of CPUs, after pgtune, but never fewer than PostgreSQL's own defaults allow. */
import type { BaselineValue, WorkloadType } from './baseline.ts';

/** PostgreSQL's default of max_worker_processes: extensions and logical replication live off it too. */
const DEFAULT_WORKERS = 8;

/** The settings of parallel query for a host of so many CPUs. */
export function parallelBaseline(cpus: number, type: WorkloadType): Record<string, BaselineValue> {
  const number = (value: number, formula: string): BaselineValue => ({ value, text: String(value), formula });
  const half = Math.ceil(cpus / 2);
  const perGather = type === 'dw' ? half : Math.min(half, 4);
  return {
    max_worker_processes: number(Math.max(DEFAULT_WORKERS, cpus), `max(8, ${cpus} CPUs)`),
    max_parallel_workers: number(Math.max(1, cpus), `${cpus} CPUs`),
    max_parallel_workers_per_gather: number(
      cpus === 1 ? 0 : perGather,
      type === 'dw' ? `${cpus} CPUs / 2` : `min(${cpus} CPUs / 2, 4); none on a single CPU`,
    ),
    max_parallel_maintenance_workers: number(Math.min(half, 4), `min(${cpus} CPUs / 2, 4)`),
  };
}
