/**
 * DTA's anytime algorithm: Chaudhuri & Narasayya, "Anytime Algorithm of Database Tuning Advisor for Microsoft SQL
 * Server", 2020, as hyrise's index_selection_evaluation has it. Candidates are what the planner uses of each
 * statement's permutations, and their pairwise merges; from each single one as a seed a set is grown greedily, until
 * all seeds or the time are used up. Seeds go by their own cost, no seed first, so that a short time is used well.
 */
import { addGreedily, type ReferenceAlgorithm, usedIndexes } from './algorithm.ts';
import type { ColumnIndex } from './column-index.ts';
import type { Configuration } from './cost-evaluator.ts';

export const dtaAnytime: ReferenceAlgorithm = async (task) => {
  const { evaluator, budget_bytes, width } = task;
  const { used } = await usedIndexes(task);
  const all = new Set(used);
  for (const first of used) {
    for (const second of used) {
      if (first === second || first.table !== second.table) continue;
      all.add(evaluator.pool.merged(first, second, width));
    }
  }
  const candidates = [...all].filter((index) => evaluator.bytes([index]) <= budget_bytes);
  const nothing = await evaluator.open([]);
  let best: Configuration = await addGreedily(evaluator, task, nothing, candidates);
  const seeds: { index: ColumnIndex; cost: number }[] = [];
  for (const index of candidates) {
    if (evaluator.isOver) break;
    seeds.push({ index, cost: await evaluator.exchanged(nothing, [], [index]) });
  }
  seeds.sort((a, b) => a.cost - b.cost);
  for (const { index } of seeds) {
    if (evaluator.isOver) break;
    const grown = await addGreedily(evaluator, task, await evaluator.open([index]), candidates);
    if (grown.cost < best.cost) best = grown;
  }
  return [...best.indexes];
};
