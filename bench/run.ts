/**
 * Room rule. bench/ measures against something, side by side in one run; each benchmark prints a table and writes
 * bench/results/<name>.json. `npm run bench -- <name> [--quick] [--data <dir>] [--only <workload,…>]`. Nothing here is a test, and nothing
 * in src/ imports it.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../src/package-root.ts';
import { applyBenchmark } from './apply.ts';
import { autovacuumBenchmark } from './autovacuum.ts';
import type { Benchmark, BenchmarkOptions } from './benchmark.ts';
import { bloatBenchmark } from './bloat.ts';
import { collectBenchmark } from './collect.ts';
import { collectScaleBenchmark } from './collect-scale.ts';
import { indexBoundBenchmark } from './index-bound-figures.ts';
import { indexReferencesBenchmark } from './index-references.ts';
import { indexScaleBenchmark } from './index-scale.ts';
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
  collect: collectBenchmark,
  'collect-scale': collectScaleBenchmark,
  indexes: indexesBenchmark,
  'index-bound': indexBoundBenchmark,
  'index-references': indexReferencesBenchmark,
  'indexes-built': indexesBuiltBenchmark,
  'indexes-oltp': indexesOltpBenchmark,
  'index-scale': indexScaleBenchmark,
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
  const data = rest.indexOf('--data');
  const only = rest.indexOf('--only');
  return {
    name,
    options: {
      quick: rest.includes('--quick'),
      data: data === -1 ? null : (rest[data + 1] ?? null),
      only: only === -1 ? null : (rest[only + 1]?.split(',') ?? null),
    },
  };
}

const { name, options } = parseArguments(process.argv.slice(2));
const benchmark = name === undefined ? undefined : benchmarks[name];
if (!name || !benchmark) {
  console.error(
    `usage: npm run bench -- <name> [--quick] [--data <dir>] [--only <workload,…>]; there is: ${Object.keys(benchmarks).join(', ')}`,
  );
  process.exitCode = 2;
} else {
  const result = await benchmark(options);
  const directory = join(packageRoot, 'bench', 'results');
  await mkdir(directory, { recursive: true });
  const machine = `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, node ${process.version}`;
  const file = join(directory, `${[name, ...(options.only ?? [])].join('-')}.json`);
  await writeFile(
    file,
    `${JSON.stringify({ name, at: new Date().toISOString(), machine, ...result }, null, 2)}\n`,
  );
  console.log(`written to ${file}`);
}
