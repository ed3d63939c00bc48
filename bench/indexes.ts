/**
 * Index selection on TPC-H SF1 through the twin, at budgets of bytes by our size model, against what other advisors'
 * sets cost when they were really built (peers.json). Costs here are the twin's, which agree with the real server's.
 */
import { rule } from '../src/advise/rules/index/missing.ts';
import type { PlannableStatement } from '../src/domain/index.ts';
import { openTwin } from '../src/whatif/index.ts';
import { workloadFromFiles } from '../src/workload/index.ts';
import type { BenchmarkOptions, BenchmarkResult, Figure } from './benchmark.ts';
import { tpchSnapshot } from './tpch.ts';
import { judgedQueries } from './tpch-queries.ts';

const MB = 1024 * 1024;
/** Best peer at about this real size, total cost of the 18 statements. */
const PEERS: [megabytes: number, cost: number][] = [
  [60, 3_408_825],
  [100, 3_197_101],
  [150, 3_071_447],
  [300, 2_816_619],
  [450, 2_694_570],
];

/** Runs the budgets and prints the table. */
export async function indexesBenchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  if (options.data === null) throw new Error('give --data <folder with catalog.json and queries/>');
  const snapshot = await tpchSnapshot(options.data);
  const files = await judgedQueries(options.data);
  const workload = await workloadFromFiles(files);
  const statements: PlannableStatement[] = workload.queries.map((query) => ({
    id: query.query_id,
    query_id: query.query_id,
    sql: query.query,
    weight: 1,
  }));
  const figures: Record<string, Figure> = {};
  const rows: Record<string, unknown>[] = [];
  let slowest = 0;
  for (const [megabytes, peer] of options.quick ? PEERS.slice(0, 2) : PEERS) {
    const twin = await openTwin(snapshot);
    try {
      const started = performance.now();
      const result = await rule.evaluate({
        snapshot,
        window: null,
        workload,
        what_if: twin,
        index_budget_bytes: megabytes * MB,
        progress: () => {},
        deadline: Date.now() + 120_000,
      });
      const seconds = (performance.now() - started) / 1000;
      slowest = Math.max(slowest, seconds);
      const handles: string[] = [];
      let size = 0;
      for (const item of result.recommendations) {
        if (item.change.kind !== 'index.create') continue;
        const bytes = item.estimate.size_bytes ?? 0;
        size += bytes;
        const evidence = item.evidence.find((one) => one.name === 'size')?.formula ?? '';
        const entries = /for ([\d,]+) entries/.exec(evidence)?.[1];
        if (entries === undefined) throw new Error(`no number of entries in: ${evidence}`);
        const tuples = Number(entries.replaceAll(',', ''));
        const pages = bytes / 8192;
        const height =
          item.change.index.method === 'btree' ? (pages > 60_000 ? 3 : pages > 280 ? 2 : 1) : null;
        handles.push(await twin.addIndex(item.change.index, { pages, tuples, tree_height: height }));
      }
      const costs = await twin.costs({ created: handles, hidden: [] }, statements);
      const total = costs.reduce((sum, cost) => sum + (cost.cost ?? 0), 0);
      const before = (await twin.costs({ created: [], hidden: [] }, statements)).reduce(
        (sum, cost) => sum + (cost.cost ?? 0),
        0,
      );
      figures[`tpch_cost_at_${megabytes}mb`] = {
        value: Math.round(total),
        unit: 'cost',
        aim: Math.round(peer * 0.92),
        better: 'lower',
      };
      rows.push({
        budget_mb: megabytes,
        used_mb: Number((size / MB).toFixed(1)),
        cost: Math.round(total),
        best_peer: peer,
        ratio: Number((total / peer).toFixed(3)),
        seconds: Number(seconds.toFixed(1)),
        questions: twin.questions,
        no_index: Math.round(before),
        floor: Math.round(result.coverage?.cost_floor ?? 0),
        indexes: result.recommendations.map((item) => item.key.replace('index.create public.', '')),
      });
    } finally {
      await twin.close();
    }
  }
  figures.tpch_seconds_max = { value: Number(slowest.toFixed(2)), unit: 's', aim: 3, better: 'lower' };
  console.table(rows.map(({ indexes: _, ...row }) => row));
  for (const row of rows) console.log(row.budget_mb, row.indexes);
  return { figures, rows };
}
