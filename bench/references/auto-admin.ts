/**
 * AutoAdmin: Chaudhuri & Narasayya, "An Efficient Cost-Driven Index Selection Tool for Microsoft SQL Server", VLDB
 * 1997. Each statement's own best set gives the candidates; among those the best pair is found by trying all, then the
 * set is grown greedily; the winners are widened by a column, and all is done again up to the width. Its limit is a
 * count of indexes or, as here, storage: what does not fit is passed over.
 */
import {
  addGreedily,
  type ReferenceAlgorithm,
  type SelectionTask,
  singleColumnIndexes,
} from './algorithm.ts';
import type { ColumnIndex } from './column-index.ts';
import type { Configuration, CostEvaluator } from './cost-evaluator.ts';

/** Pairs that are tried at most; where there are more only single ones are (m = 1), or the time would go there. */
const MOST_PAIRS = 2500;

export const autoAdmin: ReferenceAlgorithm = async (task) => {
  const { evaluator, width } = task;
  const singles = singleColumnIndexes(evaluator);
  let potential = singles;
  let best: Configuration = await evaluator.open([]);
  for (let columns = 1; columns <= width; columns += 1) {
    const candidates = new Set<ColumnIndex>();
    for (const statement of evaluator.statements) {
      if (evaluator.isOver) break;
      const own = potential.filter(({ table, columns: [first = ''] }) =>
        statement.columns.get(table)?.includes(first),
      );
      const chosen = await enumerate(evaluator.only(statement), task, own);
      for (const index of chosen.indexes) candidates.add(index);
    }
    const found = await enumerate(evaluator, task, [...candidates]);
    // Candidates of a statement may lose a narrow one to a wide one that does not fit beside the others.
    if (found.cost < best.cost) best = found;
    if (evaluator.isOver) break;
    potential = [...found.indexes, ...widened(evaluator, singles, found.indexes)];
  }
  return [...best.indexes];
};

function widened(
  { pool }: CostEvaluator,
  singles: readonly ColumnIndex[],
  indexes: ReadonlySet<ColumnIndex>,
): ColumnIndex[] {
  return [...indexes].flatMap(({ table, columns }) =>
    singles
      .filter((one) => one.table === table && !columns.includes(one.columns[0] ?? ''))
      .map((one) => pool.of(table, [...columns, ...one.columns])),
  );
}

/** Greedy(m, k): the best set of at most two by trying all, then what helps most, one at a time. */
async function enumerate(
  evaluator: Pick<CostEvaluator, 'open' | 'exchanged'>,
  task: SelectionTask,
  candidates: readonly ColumnIndex[],
): Promise<Configuration> {
  const { budget_bytes } = task;
  const nothing = await evaluator.open([]);
  const fitting = candidates.filter((index) => task.evaluator.bytes([index]) <= budget_bytes);
  let best: { indexes: ColumnIndex[]; cost: number } = { indexes: [], cost: nothing.cost };
  const consider = async (indexes: ColumnIndex[]) => {
    if (task.evaluator.isOver || task.evaluator.bytes(indexes) > budget_bytes) return;
    const cost = await evaluator.exchanged(nothing, [], indexes);
    if (cost < best.cost) best = { indexes, cost };
  };
  for (const index of fitting) await consider([index]);
  if ((fitting.length * (fitting.length - 1)) / 2 <= MOST_PAIRS) {
    for (const [place, first] of fitting.entries()) {
      for (const second of fitting.slice(place + 1)) await consider([first, second]);
    }
  }
  return addGreedily(evaluator, task, await evaluator.open(best.indexes), fitting);
}
