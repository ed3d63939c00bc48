/** What a benchmark takes and gives. */
export interface BenchmarkOptions {
  /** Under a minute on two cores. */
  quick: boolean;
  /** Folder with TPC-H's catalog, queries and peers' results; null: not given. */
  data: string | null;
  /** Names of the workloads to run, where a benchmark has several; null: all. */
  only: readonly string[] | null;
  /** Workload of the caller's own, where a benchmark takes one: in place of all others. */
  own: OwnWorkload | null;
}

/** What the caller wants measured. */
export interface OwnWorkload {
  /** File of `pgluthier export`. */
  snapshot: string;
  /** Folder of .sql files. */
  workload: string;
  /** Bytes; null: the benchmark's choice. */
  budgets: readonly number[] | null;
}

export interface Figure {
  value: number | null;
  unit: string;
  aim: number | null;
  better: 'lower' | 'higher';
}

export interface BenchmarkResult {
  figures: Record<string, Figure>;
  rows: Record<string, unknown>[];
}

export type Benchmark = (options: BenchmarkOptions) => Promise<BenchmarkResult>;
