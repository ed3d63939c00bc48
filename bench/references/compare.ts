/** One workload: the advisor and each published algorithm at each budget, before one judge. */
import { adviseIndexes, heldBack } from '../../src/advise/index-advisor/advise.ts';
import { advisorCatalog } from '../../src/advise/index-advisor/catalog.ts';
import { columnsSet, markLateRows } from '../../src/advise/index-advisor/late-rows.ts';
import { bytesOf } from '../../src/advise/index-advisor/size-model.ts';
import { type AdvisorStatement, prepareStatement } from '../../src/advise/index-advisor/statement.ts';
import type { WhatIf } from '../../src/domain/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { usageCatalog } from '../../src/workload/index.ts';
import type { IndexWorkload } from '../index-workloads/index-workload.ts';
import type { ReferenceAlgorithm } from './algorithm.ts';
import { autoAdmin } from './auto-admin.ts';
import { CostEvaluator } from './cost-evaluator.ts';
import { db2Advis } from './db2-advis.ts';
import { dtaAnytime } from './dta-anytime.ts';
import { extend } from './extend.ts';
import { Hindsight, type PoolIndex } from './hindsight.ts';
import { Judge, type Verdict } from './judge.ts';
import { relaxation } from './relaxation.ts';
import { type SizedIndex, TwinPlanner } from './twin-planner.ts';

export const ALGORITHMS: Readonly<Record<string, ReferenceAlgorithm>> = {
  extend,
  dta: dtaAnytime,
  autoadmin: autoAdmin,
  relaxation,
  db2advis: db2Advis,
};

/** What one algorithm did at one budget. */
export interface Run extends Verdict {
  algorithm: string;
  budget_bytes: number;
  /** Columns of its candidates at most; null: ours, which has no such limit. */
  width: number | null;
  members: readonly SizedIndex[];
  /** Existing indexes that the set takes the place of. */
  dropped: readonly { handle: string; write_cost: number }[];
  questions: number;
  seconds: number;
  /** The time limit ended it. */
  was_stopped: boolean;
  /** Of ours: the best set of each round, with the questions that had been asked by then; of others nothing. */
  path: { cost: number; questions: number }[];
}

export interface Comparison {
  name: string;
  statements: readonly AdvisorStatement[];
  nothing: Verdict;
  /** Ours first, then the algorithms, a budget after the other. */
  runs: Run[];
  /** Of each budget: what ours could have been with what was chosen anywhere; empty: not looked for. */
  hindsight: { budget_bytes: number; cost: number; joined: string[]; left: string[] }[];
}

export interface CompareOptions {
  widths: readonly number[];
  /** Seconds that a run may take. */
  limit_seconds: number;
  /** Of what ours takes without a budget, where the workload has none of its own. */
  shares: readonly number[];
  /** Budgets of the workload's own that are taken at most. */
  most_budgets: number;
  /** Whether to look for what ours has missed. */
  hindsight: boolean;
  show: (line: string) => void;
}

/** Runs all of it; each algorithm is given the better of the widths, by the judge. */
export async function compare(workload: IndexWorkload, options: CompareOptions): Promise<Comparison> {
  const twin = await openTwin(workload.snapshot);
  try {
    const statements = await plannable(workload, twin);
    const catalog = advisorCatalog(workload.snapshot);
    const judge = new Judge(twin, workload, catalog, statements);
    const planner = new TwinPlanner(twin, workload.snapshot, catalog, statements);
    const nothing = await judge.verdict([]);
    const runs: Run[] = [];
    for (const budget_bytes of await budgetsOf(workload, options)) {
      runs.push(await ours(workload, budget_bytes, judge, options));
      for (const [algorithm, choose] of Object.entries(ALGORITHMS)) {
        let best: Run | null = null;
        for (const width of options.widths) {
          const evaluator = new CostEvaluator(planner, options.limit_seconds);
          const chosen = await choose({ evaluator, budget_bytes, width });
          const { seconds, questions } = evaluator;
          const sized = chosen.map((index) => planner.sized(index));
          const verdict = await judge.verdict(sized);
          if (verdict.bytes > budget_bytes) throw new Error(`${algorithm} took more than its budget`);
          const run: Run = {
            ...verdict,
            algorithm,
            budget_bytes,
            width,
            members: sized,
            dropped: [],
            questions,
            seconds,
            was_stopped: evaluator.wasStopped,
            path: [],
          };
          if (best === null || run.reads + run.writes < best.reads + best.writes) best = run;
        }
        if (best) runs.push(best);
      }
      options.show(`${workload.name}, ${(budget_bytes / 2 ** 20).toFixed(1)} MB done`);
    }
    const hindsight = options.hindsight ? await lookBack(twin, judge, runs) : [];
    return { name: workload.name, statements, nothing, runs, hindsight };
  } finally {
    await twin.close();
  }
}

/** Ours at each budget, improved by whatever any run chose at any budget. */
async function lookBack(twin: WhatIf, judge: Judge, runs: readonly Run[]): Promise<Comparison['hindsight']> {
  const members = new Map(runs.flatMap((run) => run.members.map((one) => [one.candidate.key, one])));
  const handles = await twin.addIndexes(
    [...members.values()].map(({ candidate, size }) => ({ definition: candidate.definition, size })),
  );
  const pool = [...members.values()].map((one, place): PoolIndex => {
    const handle = handles[place];
    if (typeof handle !== 'string') throw handle ?? new Error(`nothing came of ${one.candidate.key}`);
    const { key, table } = one.candidate;
    return {
      key,
      handle,
      table_oid: table.row.oid,
      bytes: bytesOf(one.size),
      write_cost: judge.writesOf(one),
    };
  });
  const found: Comparison['hindsight'] = [];
  for (const run of runs.filter(({ algorithm }) => algorithm === 'ours')) {
    const hidden = run.dropped.map(({ handle }) => handle);
    const keys = new Set(run.members.map(({ candidate }) => candidate.key));
    const start = pool.filter(({ key }) => keys.has(key));
    const back = new Hindsight(twin, judge.statements, hidden);
    const { set, cost } = await back.improve(
      start,
      pool,
      heldBack(run.budget_bytes) ?? Number.POSITIVE_INFINITY,
    );
    found.push({
      budget_bytes: run.budget_bytes,
      cost: cost - run.dropped.reduce((sum, { write_cost }) => sum + write_cost, 0),
      joined: set.filter((one) => !keys.has(one.key)).map(({ key }) => key),
      left: start.filter((one) => !set.includes(one)).map(({ key }) => key),
    });
  }
  return found;
}

/** Statements with samples that the planner takes without any index. */
async function plannable({ snapshot, workload }: IndexWorkload, whatIf: WhatIf): Promise<AdvisorStatement[]> {
  const catalog = await usageCatalog(snapshot);
  const { tables } = advisorCatalog(snapshot);
  const isSet = await columnsSet(workload, catalog);
  const statements: AdvisorStatement[] = [];
  for (const query of workload.queries) {
    const prepared = await prepareStatement(query, snapshot, catalog);
    if ('reason' in prepared) continue;
    await markLateRows(prepared, isSet, { catalog, tables });
    const costs = await whatIf.costs({ created: [], hidden: [] }, prepared.samples);
    if (costs.some(({ cost }) => cost !== null)) statements.push(prepared);
  }
  return statements;
}

/** The advisor with a planner of its own, so that its questions are counted by themselves. */
async function ours(
  workload: IndexWorkload,
  budgetBytes: number | null,
  judge: Judge,
  { limit_seconds }: CompareOptions,
): Promise<Run> {
  const twin = await openTwin(workload.snapshot);
  try {
    const started = performance.now();
    const { selection } = await adviseIndexes(
      {
        ...workload,
        window: null,
        what_if: twin,
        index_budget_bytes: budgetBytes,
        progress: () => {},
        deadline: Date.now() + limit_seconds * 1000,
      },
      twin,
      'index/missing',
    );
    const seconds = (performance.now() - started) / 1000;
    const costOfWrites = ({ handle, write }: (typeof selection.dropped)[number]) => ({
      handle,
      write_cost: write.cost,
    });
    const dropped = selection.dropped.map(costOfWrites);
    const path: Run['path'] = [];
    for (const step of selection.path) {
      const { reads, writes } = await judge.verdict(step.chosen, step.dropped.map(costOfWrites));
      path.push({ cost: reads + writes, questions: step.questions });
    }
    return {
      ...(await judge.verdict(selection.chosen, dropped)),
      algorithm: 'ours',
      budget_bytes: budgetBytes ?? Number.POSITIVE_INFINITY,
      width: null,
      members: selection.chosen,
      dropped,
      questions: twin.questions,
      seconds,
      was_stopped: selection.cut_short,
      path,
    };
  } finally {
    await twin.close();
  }
}

/** The workload's own, or shares of the B-trees that ours takes when it may. */
async function budgetsOf(workload: IndexWorkload, options: CompareOptions): Promise<number[]> {
  if (workload.budgets) return workload.budgets.slice(0, options.most_budgets);
  const twin = await openTwin(workload.snapshot);
  try {
    const statements = await plannable(workload, twin);
    const judge = new Judge(twin, workload, advisorCatalog(workload.snapshot), statements);
    const { members } = await ours(workload, null, judge, options);
    const trees = members.filter(({ candidate }) => candidate.definition.method === 'btree');
    const { bytes } = await judge.verdict(trees);
    return options.shares.map((share) => Math.round(share * bytes));
  } finally {
    await twin.close();
  }
}
