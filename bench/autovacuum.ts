/**
 * Autovacuum by default, by a scale factor of 0.01 everywhere, and by our advice, under the same churn: an hour of it
 * compressed, a minute a second, so that autovacuum_naptime is one second and the cost limit fifty times the stock one
 * (its most) for all of them. Our advice comes from a window at the
 * beginning of its own run, and is applied by the rendered statements. Dead rows and sizes are sampled once a step;
 * vacuum's pages come from pg_stat_io of autovacuum's workers, catalogs included.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { loadRules } from '../src/advise/index.ts';
import { renderChange } from '../src/apply/index.ts';
import { collectSnapshot } from '../src/collect/index.ts';
import type { RecommendationDraft, RuleContext } from '../src/domain/index.ts';
import { startEmbedded } from '../src/embedded/index.ts';
import { openTarget } from '../src/target/index.ts';
import { diffSnapshots, workloadFromWindow } from '../src/workload/index.ts';
import { createTables, LOAD, NAMES, sample, vacuumCount } from './autovacuum-load.ts';
import type { BenchmarkOptions, BenchmarkResult } from './benchmark.ts';

type Contender = 'default' | 'aggressive' | 'ours';
const CONTENDERS: Contender[] = ['default', 'aggressive', 'ours'];

interface Run {
  contender: Contender;
  dead_ratio: number;
  dead_ratio_peak: number;
  growth_pct: number;
  vacuum_pages: number;
  vacuum_pages_read: number;
  vacuum_pages_written: number;
  runs: Record<string, number>;
  advice: string[];
  /** Vacuums that the replay foresaw for the measured part, by table. */
  foreseen: Record<string, number>;
}

/** Steps that make the window our advice is from; all contenders run them, unmeasured. */
const WARM_UP = 12;

async function runContender(contender: Contender, steps: number): Promise<Run> {
  const server = await startEmbedded({
    name: `bench-autovacuum-${contender}`,
    settings: {
      autovacuum_naptime: '1s',
      autovacuum_vacuum_cost_limit: '10000',
      shared_buffers: '64MB',
      max_wal_size: '4GB',
      checkpoint_timeout: '1h',
      ...(contender === 'aggressive'
        ? { autovacuum_vacuum_scale_factor: '0.01', autovacuum_vacuum_threshold: '50' }
        : {}),
    },
  });
  const client = new pg.Client({ connectionString: server.dsn('postgres') });
  await client.connect();
  let step = 0;
  const doStep = async () => {
    const started = performance.now();
    for (const table of LOAD) await client.query(table.step(step));
    await client.query('SELECT pg_stat_force_next_flush()');
    step += 1;
    await sleep(Math.max(0, 1000 - (performance.now() - started)));
  };
  const snapshot = async () => {
    const session = await openTarget(server.dsn('postgres'), {
      applicationName: 'pgluthier-bench',
      readOnly: true,
    });
    try {
      return await collectSnapshot(session);
    } finally {
      await session.close();
    }
  };
  try {
    await createTables(client);
    const before = await snapshot();
    while (step < WARM_UP) await doStep();
    const after = await snapshot();
    let advice: RecommendationDraft[] = [];
    if (contender === 'ours') {
      const window = diffSnapshots(before, after);
      const context: RuleContext = {
        snapshot: after,
        window,
        workload: await workloadFromWindow(window, after),
        what_if: null,
        index_budget_bytes: null,
        progress: () => {},
        deadline: Date.now() + 60_000,
      };
      const rules = (await loadRules()).filter(({ id }) =>
        ['autovacuum/scale-factor', 'autovacuum/stale-override'].includes(id),
      );
      for (const rule of rules) advice = advice.concat((await rule.evaluate(context)).recommendations);
      for (const { change } of advice) {
        for (const statement of renderChange(change).statements) await client.query(statement);
      }
    }
    const start = await sample(client);
    const counted = await vacuumCount(client);
    const began = performance.now();
    const samples: number[] = [];
    for (let n = 0; n < steps; n += 1) {
      await doStep();
      const { live, dead } = await sample(client);
      samples.push(dead / (live + dead));
    }
    const seconds = (performance.now() - began) / 1000;
    const end = await sample(client);
    const now = await vacuumCount(client);
    const foreseen = advice.flatMap(({ change, evidence }) => {
      const runs = evidence.find(({ name }) => name === 'vacuums a day after')?.value;
      return change.kind === 'table.reloptions' && typeof runs === 'number'
        ? [[change.table, Math.round((runs * seconds) / 86_400)] as const]
        : [];
    });
    return {
      contender,
      dead_ratio: samples.reduce((sum, one) => sum + one, 0) / samples.length,
      dead_ratio_peak: Math.max(...samples),
      growth_pct: 100 * (end.pages / start.pages - 1),
      vacuum_pages: now.accesses - counted.accesses,
      vacuum_pages_read: now.reads - counted.reads,
      vacuum_pages_written: now.writes - counted.writes,
      runs: Object.fromEntries(
        NAMES.map((name) => [name, (now.runs[name] ?? 0) - (counted.runs[name] ?? 0)]),
      ),
      advice: advice.flatMap(({ change }) => renderChange(change).statements),
      foreseen: Object.fromEntries(foreseen),
    };
  } finally {
    await client.end();
    await server.stop('immediate');
  }
}

export async function autovacuumBenchmark({ quick }: BenchmarkOptions): Promise<BenchmarkResult> {
  // Sixty steps are the hour; a quick run has a third of it, beside the warm-up.
  const steps = quick ? 20 : 60;
  // At the same time: whatever else the machine does it does to all of them.
  const results = await Promise.all(CONTENDERS.map((contender) => runContender(contender, steps)));
  console.table(
    results.map((run) => ({
      contender: run.contender,
      'dead rows, mean %': (100 * run.dead_ratio).toFixed(1),
      'dead rows, peak %': (100 * run.dead_ratio_peak).toFixed(1),
      'files grew by %': run.growth_pct.toFixed(1),
      'pages vacuum visited': run.vacuum_pages,
      'of them read': run.vacuum_pages_read,
      written: run.vacuum_pages_written,
      ...run.runs,
    })),
  );
  const of = (contender: Contender) => results.find((run) => run.contender === contender);
  const ours = of('ours');
  console.log(ours?.advice.join('\n'));
  console.log('vacuums of the measured part, foreseen by the replay:', ours?.foreseen, 'seen:', ours?.runs);
  const ratio = (a: number | undefined, b: number | undefined) =>
    a === undefined || !b ? null : Number((a / b).toFixed(3));
  const figure = (value: number | null, unit: string, aim: number | null) => ({
    value,
    unit,
    aim,
    better: 'lower' as const,
  });
  return {
    rows: results.map((run) => ({ ...run })),
    figures: {
      dead_ratio_default: figure(Number((of('default')?.dead_ratio ?? 0).toFixed(4)), 'share', null),
      dead_ratio_aggressive: figure(Number((of('aggressive')?.dead_ratio ?? 0).toFixed(4)), 'share', null),
      dead_ratio_ours: figure(
        Number((ours?.dead_ratio ?? 0).toFixed(4)),
        'share',
        Number(((of('default')?.dead_ratio ?? 0) / 2).toFixed(4)),
      ),
      io_ratio_vs_aggressive: figure(ratio(ours?.vacuum_pages, of('aggressive')?.vacuum_pages), 'ratio', 0.7),
      io_ratio_vs_default: figure(ratio(ours?.vacuum_pages, of('default')?.vacuum_pages), 'ratio', null),
    },
  };
}
