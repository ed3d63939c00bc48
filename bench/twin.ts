/**
 * The twin's fidelity: plan costs and shapes against real servers with real data, before any change and after real
 * indexes; sizes of indexes against built ones. On each major at hand; TPC-H's catalog and the demo's database beside.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PlannableStatement } from '../src/domain/index.ts';
import { availableMajors } from '../src/embedded/index.ts';
import { sqlPath } from '../src/package-root.ts';
import { openTwin } from '../src/whatif/index.ts';
import type { BenchmarkOptions, BenchmarkResult, Figure } from './benchmark.ts';
import { tpchSnapshot } from './tpch.ts';
import { type BuiltRow, compareBuilt, compareUnchanged, type UnchangedRow } from './twin-fidelity.ts';
import { zooIndexes } from './twin-indexes.ts';
import { zooSchema } from './twin-schema.ts';
import { openRealSource } from './twin-source.ts';
import { demoStatements, zooStatements } from './twin-statements.ts';

interface MajorResult {
  major: number;
  limits: string[];
  boot_ms: number;
  us_per_question: number;
  unchanged: UnchangedRow[];
  built: BuiltRow[];
}

/** Runs all majors and prints a table each. */
export async function twinBenchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const asked = process.env.BENCH_MAJORS?.split(',').map(Number);
  const majors = availableMajors()
    .filter((major) => major >= 14 && (asked?.includes(major) ?? true))
    .toSorted((a, b) => a - b);
  const results: MajorResult[] = [];
  for (const major of options.quick ? majors.slice(-1) : majors) {
    results.push(await compareMajor(major, options.quick ? 0.3 : 1));
  }
  const demo = options.quick || asked !== undefined ? [] : await compareDemo();
  console.table(results.map(summary));
  for (const result of results) printMisses(result);
  const unchanged = [...results.flatMap((result) => result.unchanged), ...demo];
  const built = results.flatMap((result) => result.built);
  const figures = figuresOf(unchanged, built, results);
  if (options.data !== null) figures.tpch_no_index_cost = await tpchTotal(options.data);
  return {
    figures,
    rows: results.flatMap(({ major, unchanged: before, built: after }) => [
      ...before.map((row) => ({ major, ...row })),
      ...after.map((row) => ({ major, ...row })),
    ]),
  };
}

/** The demo's database with its 2.6 million rows, on its own major. */
async function compareDemo(): Promise<UnchangedRow[]> {
  const script = (name: string) => readFile(sqlPath('demo', name), 'utf8');
  const source = await openRealSource(18, [
    await script('schema.sql'),
    await script('data.sql'),
    'VACUUM ANALYZE',
  ]);
  try {
    const twin = await openTwin(source.snapshot);
    try {
      const rows = await compareUnchanged(source, twin, demoStatements);
      const off = rows.filter((row) => !row.same_shape || row.error_pct > 0.1);
      console.log(
        `demo: same shape ${rows.filter((row) => row.same_shape).length}/${rows.length}, worst ${round(Math.max(...rows.map((row) => row.error_pct)))} %`,
      );
      for (const row of off)
        console.log(`demo ${row.name}: real ${row.real} twin ${row.twin} ${row.reason ?? ''}`);
      return rows;
    } finally {
      await twin.close();
    }
  } finally {
    await source.stop();
  }
}

async function compareMajor(major: number, scale: number): Promise<MajorResult> {
  const source = await openRealSource(major, zooSchema(major, scale));
  try {
    const started = performance.now();
    const twin = await openTwin(source.snapshot);
    const boot_ms = performance.now() - started;
    try {
      const unchanged = await compareUnchanged(source, twin, zooStatements);
      const statements = Object.values(zooStatements).map(
        (sql): PlannableStatement => ({ id: sql, query_id: sql, sql, weight: 1 }),
      );
      const asked = performance.now();
      for (let round = 0; round < 5; round += 1) await twin.costs({ created: [], hidden: [] }, statements);
      const us_per_question = ((performance.now() - asked) * 1000) / (5 * statements.length);
      const built = await compareBuilt(source, twin, zooIndexes);
      const limits = twin.limits.map((limit) => `${limit.code}: ${limit.message}`);
      return { major, limits, boot_ms, us_per_question, unchanged, built };
    } finally {
      await twin.close();
    }
  } finally {
    await source.stop();
  }
}

const quantile = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;
const round = (value: number, digits = 3) => Number(value.toFixed(digits));
const errors = (rows: readonly BuiltRow[]) =>
  rows.flatMap((row) => (row.error_pct === null ? [] : [row.error_pct]));
const share = (count: number, of: number) => (of === 0 ? 1 : count / of);
const btrees = (rows: readonly BuiltRow[]) => rows.filter((row) => row.method === 'btree');
const within = (rows: readonly BuiltRow[], by: number) =>
  rows.filter((row) => Math.abs(row.pages_ratio - 1) <= by).length;
const rightHeights = (rows: readonly BuiltRow[]) =>
  rows.filter((row) => row.height_predicted === row.height_real).length;

function summary({ major, limits, boot_ms, us_per_question, unchanged, built }: MajorResult) {
  const others = built.filter((row) => row.method !== 'btree');
  return {
    major,
    limits: limits.length,
    boot_ms: Math.round(boot_ms),
    us_per_question: Math.round(us_per_question),
    same_shape: `${unchanged.filter((row) => row.same_shape).length}/${unchanged.length}`,
    unchanged_max_pct: round(Math.max(...unchanged.map((row) => row.error_pct))),
    unchanged_over_0_1_pct: unchanged.filter((row) => row.error_pct > 0.1).length,
    built_median_pct: round(quantile(errors(built), 0.5)),
    built_max_pct: round(Math.max(...errors(built)), 1),
    btree_10pct: `${within(btrees(built), 0.1)}/${btrees(built).length}`,
    heights: `${rightHeights(btrees(built))}/${btrees(built).length}`,
    others_25pct: `${within(others, 0.25)}/${others.length}`,
  };
}

function printMisses({ major, limits, unchanged, built }: MajorResult): void {
  for (const limit of limits) console.log(`${major} limit: ${limit}`);
  for (const row of unchanged.filter((each) => !each.same_shape || each.error_pct > 0.1)) {
    const shape = row.same_shape ? '' : ' OTHER PLAN';
    console.log(
      `${major} ${row.name}: real ${row.real} twin ${row.twin} (${round(row.error_pct)} %)${shape} ${row.reason ?? ''}`,
    );
  }
  for (const row of built) {
    const off = Math.abs(row.pages_ratio - 1) > (row.method === 'btree' ? 0.1 : 0.25);
    const missed =
      off ||
      row.height_predicted !== row.height_real ||
      (row.error_pct ?? 0) > 1 ||
      row.used !== row.used_real;
    if (!missed) continue;
    console.log(
      `${major} ${row.index}: pages ${row.pages_predicted}/${row.pages_real} (${round(row.pages_ratio, 2)}) height ${row.height_predicted}/${row.height_real} ` +
        `cost ${row.predicted}/${row.real} (${row.error_pct === null ? '-' : round(row.error_pct, 2)} %) used ${row.used}/${row.used_real} ${row.refused ?? ''}`,
    );
  }
}

function figuresOf(
  unchanged: readonly UnchangedRow[],
  built: readonly BuiltRow[],
  results: readonly MajorResult[],
): Record<string, Figure> {
  const figure = (
    value: number | null,
    unit: string,
    aim: number | null,
    better: Figure['better'],
  ): Figure => ({ value, unit, aim, better });
  const trees = btrees(built);
  return {
    cost_error_max_unchanged_pct: figure(
      round(Math.max(...unchanged.map((row) => row.error_pct))),
      '%',
      0.1,
      'lower',
    ),
    plan_shape_same_pct: figure(
      round(100 * share(unchanged.filter((row) => row.same_shape).length, unchanged.length), 1),
      '%',
      100,
      'higher',
    ),
    cost_error_median_built_pct: figure(round(quantile(errors(built), 0.5)), '%', 1, 'lower'),
    cost_error_max_built_pct: figure(round(Math.max(...errors(built)), 1), '%', 10, 'lower'),
    btree_size_within_10pct_share: figure(
      round(share(within(trees, 0.1), trees.length)),
      'share',
      0.9,
      'higher',
    ),
    height_right_share: figure(round(share(rightHeights(trees), trees.length)), 'share', 1, 'higher'),
    us_per_question: figure(
      Math.round(
        quantile(
          results.map((result) => result.us_per_question),
          0.5,
        ),
      ),
      'µs',
      null,
      'lower',
    ),
  };
}

/** The 18 judged statements without further indexes; the real server's total is in the data's README. */
async function tpchTotal(directory: string): Promise<Figure> {
  const left = new Set(['02.sql', '15.sql', '17.sql', '20.sql']);
  const names = (await readdir(join(directory, 'queries'))).filter((name) => !left.has(name));
  const twin = await openTwin(await tpchSnapshot(directory));
  try {
    const statements = await Promise.all(
      names.map(async (name) => ({
        id: name,
        query_id: name,
        weight: 1,
        sql: (await readFile(join(directory, 'queries', name), 'utf8')).trim().replace(/;$/, ''),
      })),
    );
    const costs = await twin.costs({ created: [], hidden: [] }, statements);
    const total = costs.reduce((sum, cost) => sum + (cost.cost ?? 0), 0);
    console.log(`TPC-H without further indexes: ${round(total, 0)}, real server 3972580`);
    return { value: round(total, 0), unit: 'cost', aim: 3_972_580, better: 'lower' };
  } finally {
    await twin.close();
  }
}
