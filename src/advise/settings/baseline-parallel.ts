/** Workers for a number of CPUs, after pgtune, but never fewer than PostgreSQL's own defaults allow. */
import type { BaselineValue, WorkloadType } from './baseline.ts';

/** PostgreSQL's default of max_worker_processes: extensions and logical replication live off it too. */
const DEFAULT_WORKERS = 8;
/** PostgreSQL's default for a statement: on two CPUs one worker fewer was measured to gain nothing (docs/settings-benchmark.md). */
const DEFAULT_WORKERS_A_STATEMENT = 2;

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
  // Two statements at once: from a pool that the first one takes whole, the other gets none and takes longer. On two CPUs
  // and two sessions of analytic statements the slowest pass took 1.20 (1.15 to 1.26) of what it takes with a larger pool.
  const forTwo = cpus === 1 ? 1 : 2 * perGather;
  const pool =
    forTwo > cpus
      ? number(forTwo, `two statements at once, each ${perGather}: more than one for each CPU (${all})`)
      : number(Math.max(1, cpus), `one for each CPU: ${all}`);
  const halfOf = `${all} / 2, at least ${DEFAULT_WORKERS_A_STATEMENT}`;
  return {
    max_worker_processes: number(Math.max(DEFAULT_WORKERS, cpus), `max(8, ${all})`),
    max_parallel_workers: pool,
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
