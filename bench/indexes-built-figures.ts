/** Tables and figures of what was built: sizes and costs against the prediction, and against the best peer. */
import type { BenchmarkResult, Figure } from './benchmark.ts';
import type { BuiltIndex } from './built/index.ts';

const MB = 1024 * 1024;

/** One budget's set as it was built and measured. */
export interface BuiltBudget {
  budget_mb: number;
  advise_seconds: number;
  predicted_cost: number;
  /** By statement: plan costs on the real server, milliseconds of its processor. */
  costs: Map<string, number>;
  times: Map<string, number>;
  /** What the advisor said of the statements that it changes. */
  predicted_by_statement: Map<string, number>;
  indexes: (BuiltIndex & {
    /** Plan cost that the set loses without it, as predicted and on the real server. */
    predicted_gain: number;
    real_gain: number;
    /** Scans of it while the statements ran. */
    scans: number;
  })[];
}

/** A peer's set at a budget. */
interface Rival {
  name: string;
  bytes: number;
  cost: number;
  ms: number;
}

interface Bare {
  costs: Map<string, number>;
  times: Map<string, number>;
}

/** Statements and sizes that are listed as wrong: off by more than so much. */
const NOTABLE = { cost: 0.05, slower: 1.25 };
/** Of smaller indexes a page more or less is a large share and matters to nobody. */
const SMALL_BYTES = 256 * 1024;

const total = (values: Map<string, number>) => [...values.values()].reduce((sum, value) => sum + value, 0);
const bytesOf = ({ indexes }: BuiltBudget) => indexes.reduce((sum, { real_bytes }) => sum + real_bytes, 0);
const round = (value: number, digits = 0) => Number(value.toFixed(digits));
const offPct = (predicted: number, real: number) => round(100 * (predicted / real - 1), 1);

function budgetRow(one: BuiltBudget, bare: Bare, rival: Rival | undefined) {
  const cost = total(one.costs);
  return {
    budget_mb: one.budget_mb,
    predicted_mb: round(one.indexes.reduce((sum, index) => sum + index.predicted_bytes, 0) / MB, 1),
    real_mb: round(bytesOf(one) / MB, 1),
    predicted_cost: round(one.predicted_cost),
    real_cost: round(cost),
    best_peer: rival?.name ?? null,
    peer_mb: rival ? round(rival.bytes / MB, 1) : null,
    peer_cost: rival ? round(rival.cost) : null,
    of_peer: rival ? round(cost / rival.cost, 3) : null,
    ms: round(total(one.times)),
    of_no_index: round(total(one.times) / total(bare.times), 3),
    peer_ms: rival ? round(rival.ms) : null,
  };
}

const indexRows = (one: BuiltBudget) =>
  one.indexes.map((index) => ({
    statement: index.statement,
    predicted_mb: round(index.predicted_bytes / MB, 2),
    real_mb: round(index.real_bytes / MB, 2),
    off_pct: offPct(index.predicted_bytes, index.real_bytes),
    predicted_gain: round(index.predicted_gain),
    real_gain: round(index.real_gain),
    scans: index.scans,
    build_s: round(index.seconds, 1),
  }));

/** Every statement with its cost predicted and real, and its time; the remarkable ones are marked. */
function statementRows(one: BuiltBudget, bare: Bare) {
  return [...one.costs].map(([name, real]) => {
    const before = bare.costs.get(name) ?? 0;
    const predicted = one.predicted_by_statement.get(name) ?? before;
    const [ms_before, ms] = [bare.times.get(name) ?? 0, one.times.get(name) ?? 0];
    const marks = [
      Math.abs(predicted / real - 1) > NOTABLE.cost ? 'cost wrong' : '',
      ms > NOTABLE.slower * ms_before && ms - ms_before > 5 ? 'slower' : '',
    ];
    return {
      statement: name,
      cost_before: round(before),
      predicted: round(predicted),
      real: round(real),
      ms_before: round(ms_before),
      ms: round(ms),
      mark: marks.filter(Boolean).join(', '),
    };
  });
}

/** Prints a budget's indexes and statements. */
export function showBudget(one: BuiltBudget, bare: Bare): void {
  console.log(
    `\n${one.budget_mb} MB, chosen in ${round(one.advise_seconds, 1)} s: predicted cost ${round(one.predicted_cost)}, ` +
      `real ${round(total(one.costs))}; real ${round(bytesOf(one) / MB, 1)} MB`,
  );
  for (const { statement, ...numbers } of indexRows(one)) console.log(statement, numbers);
  console.table(statementRows(one, bare));
}

/** Prints the table of all budgets. */
export function builtFigures(
  bare: Bare,
  built: readonly BuiltBudget[],
  rivals: ReadonlyMap<number, Rival>,
): BenchmarkResult {
  const figures: Record<string, Figure> = {};
  const rows: Record<string, unknown>[] = [];
  let [sizeError, overrun] = [0, Number.NEGATIVE_INFINITY];
  for (const one of built) {
    const rival = rivals.get(one.budget_mb);
    const row = budgetRow(one, bare, rival);
    rows.push({ ...row, indexes: indexRows(one), statements: statementRows(one, bare) });
    for (const { predicted_bytes, real_bytes } of one.indexes) {
      if (real_bytes >= SMALL_BYTES)
        sizeError = Math.max(sizeError, Math.abs(offPct(predicted_bytes, real_bytes)));
    }
    overrun = Math.max(overrun, offPct(bytesOf(one), one.budget_mb * MB));
    figures[`tpch_built_cost_at_${one.budget_mb}mb`] = {
      value: row.real_cost,
      unit: 'cost',
      aim: row.peer_cost,
      better: 'lower',
    };
    figures[`measured_time_ratio_at_${one.budget_mb}mb`] = {
      value: row.of_no_index,
      unit: 'ratio',
      aim: rival ? round(rival.ms / total(bare.times), 3) : null,
      better: 'lower',
    };
  }
  console.table(rows.map(({ indexes: _, statements: __, ...row }) => row));
  figures.tpch_built_size_error_max_pct = { value: sizeError, unit: '%', aim: 10, better: 'lower' };
  figures.tpch_budget_overrun_max_pct = { value: overrun, unit: '%', aim: 0, better: 'lower' };
  return { figures, rows };
}
