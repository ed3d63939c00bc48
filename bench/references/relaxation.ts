/**
 * Relaxation: Bruno & Chaudhuri, "Automatic Physical Database Tuning: A Relaxation-based Approach", SIGMOD 2005. From
 * all indexes that the statements' best plans use, the set is made smaller until it fits: an index is shortened or
 * removed, two are merged or split, whichever costs least for the bytes that it saves.
 */
import { type ReferenceAlgorithm, type SelectionTask, usedIndexes } from './algorithm.ts';
import type { ColumnIndex } from './column-index.ts';
import type { Configuration } from './cost-evaluator.ts';

interface Transformation {
  leaving: ColumnIndex[];
  joining: ColumnIndex[];
}

export const relaxation: ReferenceAlgorithm = async (task) => {
  const { evaluator, budget_bytes } = task;
  let current = await evaluator.open((await usedIndexes(task)).used);
  while (current.bytes > budget_bytes) {
    const over = current.bytes - budget_bytes;
    let best: (Transformation & { penalty: number }) | null = null;
    for (const { leaving, joining } of transformations(task, current)) {
      const fresh = joining.filter((index) => !current.indexes.has(index));
      const saved = evaluator.bytes(leaving) - evaluator.bytes(fresh);
      if (saved <= 0) continue;
      if (evaluator.isOver) break;
      const cost = await evaluator.exchanged(current, leaving, fresh);
      // What is saved beyond the need is worth nothing.
      const penalty = (cost - current.cost) / Math.min(saved, over);
      if (best === null || penalty < best.penalty) best = { leaving, joining: fresh, penalty };
    }
    if (evaluator.isOver || best === null) return firstThatFit(task, current);
    const { leaving, joining } = best;
    const staying = [...current.indexes].filter((index) => !leaving.includes(index));
    current = await evaluator.open([...staying, ...joining]);
  }
  return [...current.indexes];
};

function* transformations(
  { evaluator: { pool }, width }: SelectionTask,
  { indexes }: Configuration,
): Generator<Transformation> {
  for (const index of indexes) {
    yield { leaving: [index], joining: [] };
    for (const prefix of pool.prefixes(index)) yield { leaving: [index], joining: [prefix] };
  }
  for (const first of indexes) {
    for (const second of indexes) {
      if (first === second || first.table !== second.table) continue;
      yield exchange([first, second], [pool.merged(first, second, width)]);
      const parts = pool.split(first, second);
      if (parts) yield exchange([first, second], parts);
    }
  }
}

/** What is on both sides stays. */
function exchange(before: readonly ColumnIndex[], after: readonly ColumnIndex[]): Transformation {
  return {
    leaving: before.filter((index) => !after.includes(index)),
    joining: after.filter((index) => !before.includes(index)),
  };
}

/** The time ended it: the set is no answer yet, so members stay as long as they fit, smallest first. */
function firstThatFit({ evaluator, budget_bytes }: SelectionTask, { indexes }: Configuration): ColumnIndex[] {
  const kept: ColumnIndex[] = [];
  for (const index of [...indexes].sort((a, b) => evaluator.bytes([a]) - evaluator.bytes([b]))) {
    if (evaluator.bytes([...kept, index]) <= budget_bytes) kept.push(index);
  }
  return kept;
}
