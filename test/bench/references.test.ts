import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addGreedily, type ReferenceAlgorithm, usedIndexes } from '../../bench/references/algorithm.ts';
import { autoAdmin } from '../../bench/references/auto-admin.ts';
import { ALGORITHMS } from '../../bench/references/compare.ts';
import { CostEvaluator } from '../../bench/references/cost-evaluator.ts';
import { db2Advis } from '../../bench/references/db2-advis.ts';
import { dtaAnytime } from '../../bench/references/dta-anytime.ts';
import { extend } from '../../bench/references/extend.ts';
import { relaxation } from '../../bench/references/relaxation.ts';
import { type ListedStatement, PlanListPlanner } from './plan-list-planner.ts';

async function choose(
  algorithm: ReferenceAlgorithm,
  planner: PlanListPlanner,
  { budget = 1000, width = 1 }: { budget?: number; width?: number } = {},
) {
  const evaluator = new CostEvaluator(planner);
  const chosen = await algorithm({ evaluator, budget_bytes: budget, width });
  return {
    columns: chosen.map(({ columns }) => columns.join()).sort(),
    cost: planner.cost(chosen),
    bytes: evaluator.bytes(chosen),
    evaluator,
  };
}

/** Each statement has an index of its own that makes it cheaper. */
const separate = (costs: Record<string, [base: number, withIndex: number]>): ListedStatement[] =>
  Object.entries(costs).map(([column, [base, cost]]) => ({
    columns: [column],
    base,
    plans: [{ needs: [column], cost }],
  }));

/** The two together make a join cheap; each alone does nothing. */
const pair: ListedStatement = { columns: ['a', 'b'], base: 100, plans: [{ needs: ['a', 'b'], cost: 10 }] };

describe('Extend', () => {
  test('takes what saves the most for its bytes first', async () => {
    const planner = new PlanListPlanner(separate({ a: [1000, 100], b: [800, 100], c: [700, 400] }), {
      a: 100,
      b: 50,
      c: 10,
    });
    // c saves 30 a byte, b 14, a 9: with 60 bytes c and b.
    expect((await choose(extend, planner, { budget: 60 })).columns).toEqual(['b', 'c']);
    // a alone would be better than b and c with 109, but c was there first and nothing is taken back.
    expect((await choose(extend, planner, { budget: 105 })).columns).toEqual(['b', 'c']);
  });

  test('appends a column to a chosen index, which then takes its place', async () => {
    const planner = new PlanListPlanner([
      {
        columns: ['a', 'b'],
        base: 1000,
        plans: [
          { needs: ['a'], cost: 500 },
          { needs: ['a,b'], cost: 50 },
        ],
      },
    ]);
    expect((await choose(extend, planner, { width: 2 })).columns).toEqual(['a,b']);
    expect((await choose(extend, planner, { width: 1 })).columns).toEqual(['a']);
  });

  test('ends below 0.3 %', async () => {
    const planner = new PlanListPlanner(separate({ a: [1000, 500], b: [1000, 998] }));
    expect((await choose(extend, planner)).columns).toEqual(['a']);
  });

  test('does not see what pays only together', async () => {
    expect((await choose(extend, new PlanListPlanner([pair]))).columns).toEqual([]);
  });
});

describe('AutoAdmin', () => {
  test('sees a pair that pays only together', async () => {
    expect((await choose(autoAdmin, new PlanListPlanner([pair]))).columns).toEqual(['a', 'b']);
  });

  test('widens the winners, and passes over what does not fit', async () => {
    const planner = new PlanListPlanner([
      {
        columns: ['a', 'b'],
        base: 1000,
        plans: [
          { needs: ['a'], cost: 500 },
          { needs: ['a,b'], cost: 50 },
        ],
      },
      { columns: ['c'], base: 300, plans: [{ needs: ['c'], cost: 100 }] },
    ]);
    // Both widths' winners stay: nothing takes the narrow one back once it is a member.
    expect((await choose(autoAdmin, planner, { width: 2 })).cost).toBe(150);
    expect((await choose(autoAdmin, planner, { width: 2, budget: 20 })).columns).toEqual(['a,b']);
    expect((await choose(autoAdmin, planner, { width: 2, budget: 10 })).columns).toEqual(['a']);
  });
});

describe('DTA', () => {
  const planner = () =>
    new PlanListPlanner(separate({ a: [1000, 100], b: [800, 100], c: [800, 100] }), { a: 100, b: 60, c: 60 });

  test('greedy takes the most at once; another seed finds the two that are better', async () => {
    const { columns, cost } = await choose(dtaAnytime, planner(), { budget: 120 });
    expect(columns).toEqual(['b', 'c']);
    expect(cost).toBe(
      planner().optimum(
        ['a', 'b', 'c'].map((name) => planner().index(name)),
        120,
      ),
    );
  });

  test('has merged indexes among its candidates', async () => {
    const merging = new PlanListPlanner(
      [
        { columns: ['a', 'b'], base: 1000, plans: [{ needs: ['a,b'], cost: 10 }] },
        {
          columns: ['a', 'c'],
          base: 1000,
          plans: [
            { needs: ['a,c'], cost: 10 },
            { needs: ['a,b,c'], cost: 20 },
          ],
        },
      ],
      { 'a,b': 20, 'a,c': 20, 'a,b,c': 30 },
    );
    expect((await choose(dtaAnytime, merging, { width: 3, budget: 30 })).columns).toEqual(['a,b,c']);
  });
});

describe('Relaxation', () => {
  test('begins with all that the plans use, and removes what costs the least for its bytes', async () => {
    const planner = new PlanListPlanner(separate({ a: [1000, 100], b: [800, 100], c: [700, 400] }), {
      a: 100,
      b: 50,
      c: 10,
    });
    expect((await choose(relaxation, planner, { budget: 160 })).columns).toEqual(['a', 'b', 'c']);
    // Ten bytes too many: c costs 300 for 10, b 700 and a 900 for the 10 that are needed.
    expect((await choose(relaxation, planner, { budget: 150 })).columns).toEqual(['a', 'b']);
  });

  test('merges, shortens and splits', async () => {
    const merging = new PlanListPlanner([
      { columns: ['a', 'b'], base: 1000, plans: [{ needs: ['a,b'], cost: 10 }] },
      {
        columns: ['a', 'c'],
        base: 1000,
        plans: [
          { needs: ['a,c'], cost: 10 },
          { needs: ['a,b,c'], cost: 20 },
        ],
      },
    ]);
    expect((await choose(relaxation, merging, { width: 3, budget: 30 })).columns).toEqual(['a,b,c']);
    const shortening = new PlanListPlanner([
      {
        columns: ['a', 'b'],
        base: 1000,
        plans: [
          { needs: ['a'], cost: 20 },
          { needs: ['a,b'], cost: 10 },
        ],
      },
    ]);
    expect((await choose(relaxation, shortening, { width: 2, budget: 10 })).columns).toEqual(['a']);
    const splitting = new PlanListPlanner([
      {
        columns: ['a', 'b'],
        base: 1000,
        plans: [
          { needs: ['a', 'b'], cost: 20 },
          { needs: ['a,b'], cost: 10 },
        ],
      },
      {
        columns: ['c', 'b'],
        base: 1000,
        plans: [
          { needs: ['c', 'b'], cost: 20 },
          { needs: ['c,b'], cost: 10 },
        ],
      },
    ]);
    expect((await choose(relaxation, splitting, { width: 2, budget: 30 })).columns).toEqual(['a', 'b', 'c']);
  });
});

describe('DB2Advis', () => {
  test('asks each statement once with all of its candidates, and fills the budget by saving for bytes', async () => {
    const planner = new PlanListPlanner(separate({ a: [1000, 100], b: [800, 100], c: [700, 400] }), {
      a: 100,
      b: 50,
      c: 10,
    });
    expect((await choose(db2Advis, planner, { budget: 60 })).columns).toEqual(['b', 'c']);
    expect(planner.asked.slice(0, 6)).toEqual(['0: ', '0: a', '1: ', '1: b', '2: ', '2: c']);
  });

  test('exchanges members at random: what the knapsack missed is found', async () => {
    const planner = new PlanListPlanner(separate({ a: [1000, 100], c: [700, 400] }), { a: 100, c: 10 });
    // c goes first by its ratio, then a has no room.
    expect((await choose(db2Advis, planner, { budget: 105 })).columns).toEqual(['a']);
  });

  test('folds an index into one of a higher ratio that begins with it', async () => {
    const planner = new PlanListPlanner([
      { columns: ['a', 'b'], base: 2000, plans: [{ needs: ['a,b'], cost: 10 }] },
      { columns: ['a'], base: 100, plans: [{ needs: ['a'], cost: 10 }] },
    ]);
    expect((await choose(db2Advis, planner, { width: 2 })).columns).toEqual(['a,b']);
  });
});

describe('the evaluator', () => {
  test('asks about a statement again only where an index that it mentions differs, and pays by itself', async () => {
    const planner = new PlanListPlanner(separate({ a: [1000, 100], b: [800, 100] }));
    const evaluator = new CostEvaluator(planner);
    const nothing = await evaluator.open([]);
    const [a, b] = [planner.index('a'), planner.index('b')];
    expect(nothing.cost).toBe(1800);
    expect(await evaluator.exchanged(nothing, [], [a])).toBe(900);
    const both = await evaluator.open([a, b]);
    expect(both.cost).toBe(200);
    expect(await evaluator.exchanged(both, [a], [])).toBe(1100);
    expect(planner.asked).toEqual(['0: ', '1: ', '0: a', '1: b']);
    expect(evaluator.questions).toBe(8);
    // Four answers of one second, two indexes of half a second.
    expect(evaluator.seconds).toBeGreaterThanOrEqual(5);
  });

  test('a limit ends every algorithm with a set that fits', async () => {
    for (const algorithm of Object.values(ALGORITHMS)) {
      const planner = new PlanListPlanner(separate({ a: [1000, 100], b: [800, 100], c: [700, 400] }));
      const evaluator = new CostEvaluator(planner, 3);
      const chosen = await algorithm({ evaluator, budget_bytes: 20, width: 2 });
      expect(evaluator.wasStopped).toBe(true);
      expect(evaluator.bytes(chosen)).toBeLessThanOrEqual(20);
    }
  });
});

describe('against all sets of five indexes', () => {
  const columns = ['a', 'b', 'c', 'd', 'e'];
  const statement = fc.record({
    columns: fc.constant(columns),
    base: fc.integer({ min: 500, max: 1000 }),
    plans: fc.array(
      fc.record({
        needs: fc.uniqueArray(fc.constantFrom(...columns), { minLength: 1, maxLength: 2 }),
        cost: fc.integer({ min: 1, max: 499 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  });
  const sizes = fc.record(Object.fromEntries(columns.map((name) => [name, fc.integer({ min: 5, max: 30 })])));

  test('none is over its budget, dearer than nothing, or better than the best', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(statement, { minLength: 1, maxLength: 4 }),
        sizes,
        fc.integer({ min: 10, max: 80 }),
        async (statements, bytes, budget) => {
          const planner = new PlanListPlanner(statements, bytes);
          const optimum = planner.optimum(
            columns.map((name) => planner.index(name)),
            budget,
          );
          for (const algorithm of Object.values(ALGORITHMS)) {
            const found = await choose(algorithm, planner, { budget });
            expect(found.bytes).toBeLessThanOrEqual(budget);
            expect(found.cost).toBeGreaterThanOrEqual(optimum);
            expect(found.cost).toBeLessThanOrEqual(planner.cost([]));
          }
        },
      ),
      { numRuns: 60, seed: 1 },
    );
  });

  test('where savings add up and sizes are alike, all are optimal', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 50, max: 900 }), { minLength: 5, maxLength: 5 }),
        fc.integer({ min: 0, max: 5 }),
        async (savings, count) => {
          const costs = Object.fromEntries(
            columns.map((name, place): [string, [number, number]] => [
              name,
              [1000, 1000 - (savings[place] ?? 0)],
            ]),
          );
          const planner = new PlanListPlanner(separate(costs));
          const optimum = planner.optimum(
            columns.map((name) => planner.index(name)),
            10 * count,
          );
          for (const algorithm of [extend, autoAdmin, dtaAnytime, relaxation, db2Advis]) {
            expect((await choose(algorithm, planner, { budget: 10 * count })).cost).toBe(optimum);
          }
        },
      ),
      { numRuns: 25, seed: 1 },
    );
  });

  test('DTA, which grows from every seed, is never worse than growing from none', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(statement, { minLength: 2, maxLength: 4 }),
        sizes,
        async (statements, bytes) => {
          const planner = new PlanListPlanner(statements, bytes);
          const all = (await choose(dtaAnytime, planner, { budget: 40 })).cost;
          const evaluator = new CostEvaluator(planner);
          const task = { evaluator, budget_bytes: 40, width: 1 };
          const { used } = await usedIndexes(task);
          const greedy = await addGreedily(evaluator, task, await evaluator.open([]), used);
          expect(all).toBeLessThanOrEqual(greedy.cost);
        },
      ),
      { numRuns: 40, seed: 1 },
    );
  });
});
