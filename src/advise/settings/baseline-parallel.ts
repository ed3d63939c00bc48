/** Workers for a number of CPUs, after pgtune, but never fewer than PostgreSQL's own defaults allow. */
import type { BaselineValue, WorkloadType } from './baseline.ts';

/** PostgreSQL's default of max_worker_processes: extensions and logical replication live off it too. */
const DEFAULT_WORKERS = 8;
/** PostgreSQL's default for a statement: on two CPUs one worker fewer was measured to gain nothing (docs/settings-benchmark.md). */
const DEFAULT_WORKERS_A_STATEMENT = 2;
/**
 * Two statements at once: from a smaller pool the first one takes all, the other gets none and takes longer. On two CPUs
 * with two sessions the slowest pass then took 1.20 of pgtune's, which leaves PostgreSQL's 8, and 1.05 with these.
 */
const LEAST_WORKERS = 2 * DEFAULT_WORKERS_A_STATEMENT;

/** autovacuum_max_workers, pgtune's: they share the cost limit, so only many CPUs with many tables have a use for more. */
export function autovacuumWorkers(cpus: number | null): number {
  if (cpus === null || cpus < 16) return 3;
  return cpus < 32 ? 4 : 5;
}

/** io_workers of 18, pgtune's: its default of 3 up to 15 CPUs. 19 starts them by need. */
export function ioWorkers(cpus: number): number {
  return Math.min(32, Math.max(3, Math.floor(cpus / 4)));
}

/** The settings of parallel query for a host of so many CPUs. */
export function parallelBaseline(cpus: number, type: WorkloadType): Record<string, BaselineValue> {
  const number = (value: number, formula: string): BaselineValue => ({ value, text: String(value), formula });
  const half = Math.max(DEFAULT_WORKERS_A_STATEMENT, Math.ceil(cpus / 2));
  const perGather = type === 'dw' ? half : Math.min(half, 4);
  const all = `${cpus} CPU${cpus === 1 ? '' : 's'}`;
  const halfOf = `${all} / 2, at least ${DEFAULT_WORKERS_A_STATEMENT}`;
  return {
    max_worker_processes: number(Math.max(DEFAULT_WORKERS, cpus), `max(8, ${all})`),
    max_parallel_workers:
      cpus === 1
        ? number(1, '1 on a single CPU')
        : number(
            Math.max(LEAST_WORKERS, cpus),
            `one for each CPU: ${all}, at least ${LEAST_WORKERS}: two statements at once`,
          ),
    max_parallel_workers_per_gather: number(
      cpus === 1 ? 0 : perGather,
      cpus === 1 ? 'none on a single CPU' : type === 'dw' ? halfOf : `${halfOf}, at most 4`,
    ),
    max_parallel_maintenance_workers: number(
      cpus === 1 ? 1 : Math.min(half, 4),
      cpus === 1 ? '1 on a single CPU' : `${halfOf}, at most 4`,
    ),
  };
}
