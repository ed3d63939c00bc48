/** What a published algorithm takes and gives, and the parts that several of them have in common. */
import type { ColumnIndex } from './column-index.ts';
import type { Configuration, CostEvaluator } from './cost-evaluator.ts';

export interface SelectionTask {
  evaluator: CostEvaluator;
  /** Bytes of all indexes together at most. */
  budget_bytes: number;
  /** Columns of an index at most. */
  width: number;
}

/** Chooses a set within the budget. */
export type ReferenceAlgorithm = (task: SelectionTask) => Promise<ColumnIndex[]>;

/** Each statement's candidates: all orders of up to `width` columns that it mentions of a table. */
export function candidatesPerStatement({ evaluator, width }: SelectionTask): ColumnIndex[][] {
  return evaluator.statements.map(({ columns }) =>
    [...columns].flatMap(([table, names]) => evaluator.pool.permutations(table, names, width)),
  );
}

/** An index on each column that a statement mentions. */
export function singleColumnIndexes(evaluator: CostEvaluator): ColumnIndex[] {
  const found = new Set<ColumnIndex>();
  for (const { columns } of evaluator.statements) {
    for (const [table, names] of columns) {
      for (const name of names) found.add(evaluator.pool.of(table, [name]));
    }
  }
  return [...found];
}

export interface UsedIndexes {
  /** Indexes that some statement's plan uses when all of its candidates are there. */
  used: ColumnIndex[];
  statements: { used: readonly ColumnIndex[]; saved: number }[];
}

/** One question a statement with all of its candidates: what the planner itself would like to have. */
export async function usedIndexes(task: SelectionTask): Promise<UsedIndexes> {
  const { evaluator } = task;
  const candidates = candidatesPerStatement(task);
  const all = new Set<ColumnIndex>();
  const statements: UsedIndexes['statements'] = [];
  for (const statement of evaluator.statements) {
    if (evaluator.isOver) break;
    const without = await evaluator.plan(statement, []);
    const withAll = await evaluator.plan(statement, candidates[statement.position] ?? []);
    for (const index of withAll.used) all.add(index);
    const saved = statement.calls * (without.cost - withAll.cost);
    statements.push({ used: withAll.used, saved });
  }
  return { used: [...all].sort((a, b) => a.id - b.id), statements };
}

/**
 * Adds to a set what makes it cheapest, one at a time, while anything that fits does (Greedy(m, k) of Chaudhuri &
 * Narasayya 1997, its second part).
 */
export async function addGreedily(
  evaluator: Pick<CostEvaluator, 'open' | 'exchanged'>,
  task: SelectionTask,
  start: Configuration,
  candidates: readonly ColumnIndex[],
): Promise<Configuration> {
  let current = start;
  for (;;) {
    let best: { index: ColumnIndex; cost: number } | null = null;
    for (const index of candidates) {
      if (current.indexes.has(index)) continue;
      if (current.bytes + task.evaluator.bytes([index]) > task.budget_bytes) continue;
      if (task.evaluator.isOver) return current;
      const cost = await evaluator.exchanged(current, [], [index]);
      if (best === null || cost < best.cost) best = { index, cost };
    }
    if (best === null || best.cost >= current.cost) return current;
    current = await evaluator.open([...current.indexes, best.index]);
  }
}
