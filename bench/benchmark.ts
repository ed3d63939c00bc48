/** What a benchmark takes and gives. */
export interface BenchmarkOptions {
  /** Under a minute on two cores. */
  quick: boolean;
  /** Folder with TPC-H's catalog, queries and peers' results; null: not given. */
  data: string | null;
  /** Names of the workloads to run, where a benchmark has several; null: all. */
  only: readonly string[] | null;
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
