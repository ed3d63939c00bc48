/** What the advisor's sets on TPC-H cost against the least that any set of its candidates can cost within the budget. */
import { adviseIndexes } from '../src/advise/index-advisor/advise.ts';
import { openTwin } from '../src/whatif/index.ts';
import { workloadFromFiles } from '../src/workload/index.ts';
import type { BenchmarkOptions, BenchmarkResult, Figure } from './benchmark.ts';
import { boundWithin } from './index-bound.ts';
import { tpchSnapshot } from './tpch.ts';
import { judgedQueries } from './tpch-queries.ts';

const MB = 1024 * 1024;
const BUDGETS = [60, 100, 150, 300, 450];
/** The advisor holds back one per cent of a budget: the bound is of what it may spend. */
const SPENT = 0.99;

/** Runs the budgets and prints the table. */
export async function indexBoundBenchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  if (options.data === null) throw new Error('give --data <folder with catalog.json and queries/>');
  const snapshot = await tpchSnapshot(options.data);
  const workload = await workloadFromFiles(await judgedQueries(options.data));
  const figures: Record<string, Figure> = {};
  const rows: Record<string, unknown>[] = [];
  for (const megabytes of options.quick ? BUDGETS.slice(0, 1) : BUDGETS) {
    const twin = await openTwin(snapshot);
    const index_budget_bytes = megabytes * MB;
    const progress = () => {};
    const deadline = Date.now() + 120_000;
    const context = {
      snapshot,
      window: null,
      workload,
      what_if: twin,
      index_budget_bytes,
      progress,
      deadline,
    };
    const advice = await adviseIndexes(context, twin, 'index/missing').finally(() => twin.close());
    const cost = [...advice.costs.values()].reduce((sum, { after }) => sum + after, 0);
    const started = performance.now();
    const bound = await boundWithin({ snapshot, workload }, Math.floor(SPENT * index_budget_bytes), cost);
    const gap = (cost - bound.cost) / cost;
    rows.push({
      budget_mb: megabytes,
      cost: Math.round(cost),
      bound: Math.round(bound.cost),
      gap: `${(100 * gap).toFixed(2)} %`,
      candidates: bound.candidates,
      questions: bound.questions,
      seconds: Number(((performance.now() - started) / 1000).toFixed(1)),
    });
    figures[`tpch_gap_at_${megabytes}mb`] = {
      value: Number(gap.toFixed(4)),
      unit: 'share',
      aim: 0.01,
      better: 'lower',
    };
  }
  console.table(rows);
  return { figures, rows };
}
