/**
 * The advisor against index selection as the research published it (bench/references/), in one run: the same planner,
 * samples, sizes and budgets, one judge. Each algorithm may use up to one, two and three
 * columns, and the best counts.
 */
import type { BenchmarkOptions, BenchmarkResult, Figure } from './benchmark.ts';
import { demoWorkload } from './index-workloads/demo.ts';
import { workloadOfFiles } from './index-workloads/from-files.ts';
import { generate, type IndexWorkload } from './index-workloads/index-workload.ts';
import { oltp } from './index-workloads/oltp.ts';
import { shopWorkload } from './index-workloads/shop.ts';
import { skewed } from './index-workloads/skewed.ts';
import { templates } from './index-workloads/templates.ts';
import { tpchWorkload } from './index-workloads/tpch.ts';
import { type Comparison, compare, type Run } from './references/compare.ts';

/** A set that costs so much more, by its share, is not worse: estimates are no better than that. */
const TOLERANCE = 0.001;
/** Statements that are shown of a cell that was lost. */
const SHOWN_STATEMENTS = 4;
const MANY_STATEMENTS = 100;

const costOf = (run: Pick<Run, 'reads' | 'writes'>) => run.reads + run.writes;
/** With what is feared of LIMITs, which the planner does not see: what the advisor makes small. */
const chargedOf = (run: Pick<Run, 'reads' | 'writes' | 'feared'>) => costOf(run) + run.feared;
const keysOf = ({ members }: Run) => members.map(({ candidate }) => candidate.key);
const round = (value: number, digits: number) => Number(value.toFixed(digits));

/** Each reference beside ours at its budget. */
function cellsOf({ runs }: Comparison): { ours: Run; reference: Run }[] {
  return runs
    .filter(({ algorithm }) => algorithm !== 'ours')
    .map((reference) => {
      const ours = runs.find(
        ({ algorithm, budget_bytes }) => algorithm === 'ours' && budget_bytes === reference.budget_bytes,
      );
      if (!ours) throw new Error('ours runs at each budget');
      return { ours, reference };
    });
}

const isLost = ({ ours, reference }: { ours: Run; reference: Run }) =>
  costOf(ours) > costOf(reference) * (1 + TOLERANCE);

function tableOf({ nothing, runs }: Comparison): Record<string, unknown>[] {
  return runs.map((run) => {
    const ours = runs.find((one) => one.algorithm === 'ours' && one.budget_bytes === run.budget_bytes);
    return {
      budget_mb: round(run.budget_bytes / 2 ** 20, 2),
      algorithm: run.width === null ? run.algorithm : `${run.algorithm} (${run.width})`,
      used_mb: round(run.bytes / 2 ** 20, 2),
      cost: Math.round(costOf(run)),
      of_none: `${round((100 * costOf(run)) / costOf(nothing), 2)} %`,
      reads: Math.round(run.reads),
      to_ours: round(costOf(run) / (ours ? costOf(ours) : 1), 4),
      reads_to_ours: round(run.reads / (ours?.reads ?? 1), 4),
      charged_to_ours: round(chargedOf(run) / (ours ? chargedOf(ours) : 1), 4),
      questions: run.questions,
      ours_matched_after: ours && run !== ours ? questionsToMatch({ ours, reference: run }) : null,
      seconds: `${round(run.seconds, 2)}${run.was_stopped ? ' (limit)' : ''}`,
    };
  });
}

/**
 * Questions after which ours was, and stayed, at least as good as the reference's set in the end; null: at no time.
 * Those that its own end took count only where no round before was good enough.
 */
function questionsToMatch({ ours, reference }: { ours: Run; reference: Run }): number | null {
  const enough = costOf(reference) * (1 + TOLERANCE);
  if (costOf(ours) > enough) return null;
  const last = ours.path.findLastIndex(({ cost }) => cost > enough);
  return ours.path[last + 1]?.questions ?? ours.questions;
}

/** Both sets of a cell that ours lost, and the statements that make the difference. */
function loss({ name, statements }: Comparison, { ours, reference }: { ours: Run; reference: Run }) {
  const differences = statements
    .map(({ query }, place) => ({
      query: query.query.replace(/\s+/g, ' '),
      calls: query.calls,
      ours: Math.round(ours.statements[place] ?? 0),
      reference: Math.round(reference.statements[place] ?? 0),
    }))
    .sort((a, b) => b.ours - b.reference - (a.ours - a.reference));
  return {
    workload: name,
    budget_bytes: ours.budget_bytes,
    reference: reference.algorithm,
    ratio: costOf(ours) / costOf(reference),
    ours: {
      reads: ours.reads,
      writes: ours.writes,
      feared: ours.feared,
      bytes: ours.bytes,
      indexes: keysOf(ours),
      dropped: ours.dropped.map(({ handle }) => handle),
    },
    theirs: {
      reads: reference.reads,
      writes: reference.writes,
      feared: reference.feared,
      bytes: reference.bytes,
      indexes: keysOf(reference),
    },
    dearer: differences.slice(0, SHOWN_STATEMENTS).filter((one) => one.ours > one.reference),
    cheaper: differences.slice(-SHOWN_STATEMENTS).filter((one) => one.ours < one.reference),
  };
}

/** Ours against what it could have been with what was chosen anywhere. */
function missedOf({ name, runs }: Comparison, back: Comparison['hindsight'][number]) {
  const ours = runs.find((run) => run.algorithm === 'ours' && run.budget_bytes === back.budget_bytes);
  if (!ours) throw new Error('ours runs at each budget');
  const charged = chargedOf(ours);
  return { workload: name, ...back, ours: charged, ratio: charged / back.cost, had: keysOf(ours) };
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  if (upper === undefined) return null;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** Geometric mean over the budgets of ours to the best reference. */
function toBest(comparison: Comparison): number {
  const ours = comparison.runs.filter(({ algorithm }) => algorithm === 'ours');
  const logarithms = ours.map((run) => {
    const others = comparison.runs.filter((one) => one.budget_bytes === run.budget_bytes && one !== run);
    return Math.log(costOf(run) / Math.min(...others.map(costOf)));
  });
  return Math.exp(logarithms.reduce((sum, one) => sum + one, 0) / logarithms.length);
}

/** Makes the workloads one after the other, for their servers would take each other's memory. */
function workloadsOf({ quick, data, only, own }: BenchmarkOptions): (() => Promise<IndexWorkload>)[] {
  if (own) return [() => workloadOfFiles(own.snapshot, own.workload, own.budgets)];
  const makers = new Map<string, () => Promise<IndexWorkload>>();
  if (data === null) console.log('TPC-H is left out: give --data <folder with catalog.json and queries/>.');
  else makers.set('tpch', () => tpchWorkload(data));
  if (!quick) makers.set('demo', demoWorkload).set('shop', shopWorkload);
  for (const one of quick ? [skewed] : [oltp, skewed, templates]) makers.set(one.name, () => generate(one));
  const names = only ?? [...makers.keys()];
  return names.map((name) => {
    const make = makers.get(name);
    if (!make) throw new Error(`no workload ${name}; there is: ${[...makers.keys()].join(', ')}`);
    return make;
  });
}

/**
 * Columns of the references' candidates at most, and budgets as shares of the bytes that ours takes without one; fewer of
 * both where each run takes minutes.
 */
function effortOf({ workload }: IndexWorkload, quick: boolean): { widths: number[]; shares: number[] } {
  if (quick) return { widths: [2], shares: [0.25] };
  return workload.queries.length > MANY_STATEMENTS
    ? { widths: [2], shares: [0.1, 0.25, 1] }
    : { widths: [1, 2, 3], shares: [0.05, 0.1, 0.25, 0.5, 1] };
}

/** Runs all workloads; prints a table each and the cells that ours lost. */
export async function indexReferencesBenchmark(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const comparisons: Comparison[] = [];
  const rows: Record<string, unknown>[] = [];
  for (const make of workloadsOf(options)) {
    const workload = await make();
    const comparison = await compare(workload, {
      ...effortOf(workload, options.quick),
      hindsight: !options.quick,
      limit_seconds: options.quick ? 8 : 60,
      most_budgets: options.quick ? 1 : Number.POSITIVE_INFINITY,
      show: (line) => console.log(line),
    });
    comparisons.push(comparison);
    const table = tableOf(comparison);
    console.log(`\n${comparison.name}: ${comparison.statements.length} statements`);
    console.table(table);
    const lost = cellsOf(comparison).filter(isLost);
    for (const cell of lost) console.log('lost:', JSON.stringify(loss(comparison, cell), null, 1));
    const missed = comparison.hindsight.map((back) => missedOf(comparison, back));
    for (const one of missed.filter(({ ratio }) => ratio > 1 + TOLERANCE)) {
      console.log('missed:', JSON.stringify(one, null, 1));
    }
    rows.push(...missed.map((one) => ({ missed: one })));
    rows.push(...table.map((row) => ({ workload: comparison.name, ...row })));
    rows.push(...lost.map((cell) => ({ lost: loss(comparison, cell) })));
  }
  const cells = comparisons.flatMap(cellsOf);
  const extended = cells.filter(({ reference }) => reference.algorithm === 'extend');
  const figures: Record<string, Figure> = {
    wins_over_references_share: {
      value: round(1 - cells.filter(isLost).length / cells.length, 4),
      unit: 'share',
      aim: 1,
      better: 'higher',
    },
    questions_ratio_vs_extend: {
      value: median(extended.map(({ ours, reference }) => ours.questions / reference.questions)),
      unit: 'ratio',
      aim: 1,
      better: 'lower',
    },
  };
  const matched = extended.map(
    (cell) => (questionsToMatch(cell) ?? Number.POSITIVE_INFINITY) / cell.reference.questions,
  );
  figures.questions_to_match_extend = { value: median(matched), unit: 'ratio', aim: 1, better: 'lower' };
  figures.matched_extend_with_fewer_questions_share = {
    value: round(matched.filter((ratio) => ratio < 1).length / matched.length, 4),
    unit: 'share',
    aim: 1,
    better: 'higher',
  };
  for (const comparison of comparisons) {
    figures[`ratio_to_best_reference_${comparison.name}`] = {
      value: round(toBest(comparison), 4),
      unit: 'ratio',
      aim: 1,
      better: 'lower',
    };
  }
  return { figures, rows };
}
