/**
 * Room rule. bench/ measures against something, side by side in one run; each benchmark prints a table and writes
 * bench/results/<name>.json. `npm run bench -- <name> [--quick] [--data <dir>] [--only <workload,…>]
 * [--snapshot <file> --workload <dir> [--budgets <MB,…>]]`. Nothing here is a test, and nothing in src/ imports it.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import { packageRoot } from '../src/package-root.ts';
import { applyBenchmark } from './apply.ts';
import { autovacuumBenchmark } from './autovacuum.ts';
import type { Benchmark, BenchmarkOptions } from './benchmark.ts';
import { bloatBenchmark } from './bloat.ts';
import { buildTimesBenchmark } from './build-times.ts';
import { collectBenchmark } from './collect.ts';
import { collectScaleBenchmark } from './collect-scale.ts';
import { indexBoundBenchmark } from './index-bound-figures.ts';
import { indexReferencesBenchmark } from './index-references.ts';
import { indexScaleBenchmark } from './index-scale.ts';
import { indexSizesBenchmark } from './index-sizes.ts';
import { indexesBenchmark } from './indexes.ts';
import { indexesBuiltBenchmark } from './indexes-built.ts';
import { indexesOltpBenchmark } from './indexes-oltp.ts';
import { parametersBenchmark } from './parameters.ts';
import { settingsBenchmark } from './settings.ts';
import { spillsBenchmark } from './spills.ts';
import { twinBenchmark } from './twin.ts';
import { verificationBenchmark } from './verification.ts';
import { whatIfBenchmark } from './what-if.ts';
import { writeCostBenchmark } from './write-cost.ts';

const benchmarks: Record<string, Benchmark> = {
  apply: applyBenchmark,
  autovacuum: autovacuumBenchmark,
  bloat: bloatBenchmark,
  'build-times': buildTimesBenchmark,
  collect: collectBenchmark,
  'collect-scale': collectScaleBenchmark,
  indexes: indexesBenchmark,
  'index-bound': indexBoundBenchmark,
  'index-references': indexReferencesBenchmark,
  'indexes-built': indexesBuiltBenchmark,
  'indexes-oltp': indexesOltpBenchmark,
  'index-scale': indexScaleBenchmark,
  'index-sizes': indexSizesBenchmark,
  settings: settingsBenchmark,
  spills: spillsBenchmark,
  twin: twinBenchmark,
  verification: verificationBenchmark,
  'what-if': whatIfBenchmark,
  'write-cost': writeCostBenchmark,
  parameters: parametersBenchmark,
};

function parseArguments(argv: string[]): { name: string | undefined; options: BenchmarkOptions } {
  const [name, ...rest] = argv;
  const after = (flag: string) => {
    const at = rest.indexOf(flag);
    return at === -1 ? null : (rest[at + 1] ?? null);
  };
  return {
    name,
    options: {
      quick: rest.includes('--quick'),
      data: after('--data'),
      only: after('--only')?.split(',') ?? null,
      own: ownWorkload(after('--snapshot'), after('--workload'), after('--budgets')),
    },
  };
}

/** Budgets are given in MB. */
function ownWorkload(snapshot: string | null, workload: string | null, budgets: string | null) {
  if (snapshot === null && workload === null && budgets === null) return null;
  if (snapshot === null || workload === null) throw new Error('--snapshot and --workload go together');
  const bytes = budgets?.split(',').map((text) => Math.round(Number(text) * 2 ** 20)) ?? null;
  if (bytes?.some((value) => !(value > 0))) throw new Error(`--budgets takes numbers of MB, not ${budgets}`);
  return { snapshot, workload, budgets: bytes };
}

const { name, options } = parseArguments(process.argv.slice(2));
const benchmark = name === undefined ? undefined : benchmarks[name];
if (!name || !benchmark) {
  console.error(
    `usage: npm run bench -- <name> [--quick] [--data <dir>] [--only <workload,…>] [--snapshot <file> --workload <dir> [--budgets <MB,…>]]; there is: ${Object.keys(benchmarks).join(', ')}`,
  );
  process.exitCode = 2;
} else {
  const result = await benchmark(options);
  const directory = join(packageRoot, 'bench', 'results');
  await mkdir(directory, { recursive: true });
  const machine = `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, node ${process.version}`;
  const file = join(
    directory,
    `${[name, ...(options.own ? [basename(options.own.workload)] : (options.only ?? []))].join('-')}.json`,
  );
  await writeFile(
    file,
    `${JSON.stringify({ name, at: new Date().toISOString(), machine, ...result }, null, 2)}\n`,
  );
  console.log(`written to ${file}`);
}
