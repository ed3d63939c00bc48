/**
 * Extend: Schlosser, Kossmann, Boissier, "Efficient Scalable Multi-attribute Index Selection Using Recursive
 * Strategies", ICDE 2019. From nothing, each step adds an index on one column or appends a column to a chosen one,
 * whichever saves the most cost for the bytes that it takes more; it ends when nothing that fits saves 0.3 %.
 */
import type { ReferenceAlgorithm } from './algorithm.ts';
import { singleColumnIndexes } from './algorithm.ts';
import type { ColumnIndex } from './column-index.ts';

/** The cost before a step must be more than this many times the cost after it (hyrise's min_cost_improvement). */
const MINIMUM_IMPROVEMENT = 1.003;

export const extend: ReferenceAlgorithm = async ({ evaluator, budget_bytes, width }) => {
  const singles = singleColumnIndexes(evaluator);
  let current = await evaluator.open([]);
  for (;;) {
    let best: { leaving: ColumnIndex[]; joining: ColumnIndex; ratio: number } | null = null;
    const steps: { leaving: ColumnIndex[]; joining: ColumnIndex }[] = singles.map((joining) => ({
      leaving: [],
      joining,
    }));
    for (const chosen of current.indexes) {
      if (chosen.columns.length >= width) continue;
      for (const { table, columns } of singles) {
        if (table !== chosen.table || chosen.columns.includes(columns[0] ?? '')) continue;
        steps.push({ leaving: [chosen], joining: evaluator.pool.of(table, [...chosen.columns, ...columns]) });
      }
    }
    for (const { leaving, joining } of steps) {
      if (current.indexes.has(joining)) continue;
      const more = evaluator.bytes([joining]) - evaluator.bytes(leaving);
      if (current.bytes + more > budget_bytes) continue;
      if (evaluator.isOver) return [...current.indexes];
      const cost = await evaluator.exchanged(current, leaving, [joining]);
      if (cost * MINIMUM_IMPROVEMENT >= current.cost) continue;
      // Where the model says that a longer index is no larger, any gain is for free.
      const ratio = (current.cost - cost) / Math.max(1, more);
      if (best === null || ratio > best.ratio) best = { leaving, joining, ratio };
    }
    if (best === null) return [...current.indexes];
    const { leaving, joining } = best;
    const staying = [...current.indexes].filter((index) => !leaving.includes(index));
    current = await evaluator.open([...staying, joining]);
  }
};
