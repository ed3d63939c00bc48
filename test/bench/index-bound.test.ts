import fc from 'fast-check';
import { expect, it } from 'vitest';
import { provenLeast } from '../../bench/index-bound.ts';
import { PlanBook } from '../../src/advise/index-advisor/search/plan-book.ts';
import type { AdvisorStatement } from '../../src/advise/index-advisor/statement.ts';
import type { WhatIf } from '../../src/domain/index.ts';

const HANDLES = ['a', 'b', 'c', 'd', 'e', 'f'];

interface Way {
  needs: string[];
  cost: number;
}

/** A planner that always finds the cheapest way, of one statement. */
function planner(ways: readonly Way[]): WhatIf {
  return {
    engine: 'twin',
    server_version: '18',
    limits: [],
    questions: 0,
    addIndex: () => Promise.reject(new Error('not here')),
    addIndexes: () => Promise.reject(new Error('not here')),
    explain: () => Promise.reject(new Error('not here')),
    close: () => Promise.resolve(),
    costsOfEach: () => Promise.reject(new Error('not here')),
    costs: ({ created }) => {
      const possible = ways.filter(({ needs }) => needs.every((one) => created.includes(one)));
      const { cost, needs } = possible.reduce((a, b) => (b.cost < a.cost ? b : a));
      const answer = {
        statement_id: 's',
        cost,
        planner_cost: cost,
        rows: 1,
        indexes: needs,
        early_end_risk: 0,
        early_end_rest: 0,
        error: null,
      };
      return Promise.resolve([answer]);
    },
  };
}

const statement: AdvisorStatement = {
  query: { query_id: 's', calls: 1 } as AdvisorStatement['query'],
  samples: [{ id: 's', query_id: 's', sql: 's', weight: 1 }],
  parameters: [],
  usages: [],
  erased: [],
  tables: new Set([1]),
};

it('proves the least of plan cost and prices over all sets, whatever plans are known before', async () => {
  const ways = fc.array(
    fc.record({
      needs: fc.subarray(HANDLES, { minLength: 1, maxLength: 3 }),
      cost: fc.integer({ min: 1, max: 999 }),
    }),
    { maxLength: 12 },
  );
  const prices = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 6, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(ways, prices, fc.subarray(HANDLES), async (some, given, asked) => {
      const all = [...some, { needs: [], cost: 1000 }];
      const book = new PlanBook(planner(all));
      for (const handle of HANDLES)
        book.register({ handle, table_oid: 1 }, statement, { informs: false, is_own: true });
      await book.ask([statement], []);
      await book.ask([statement], asked);
      const priceOf = new Map(HANDLES.map((handle, place) => [handle, given[place] ?? 0]));
      const expected = Math.min(
        ...all.map(({ needs, cost }) => needs.reduce((sum, one) => sum + (priceOf.get(one) ?? 0), cost)),
      );
      expect(await provenLeast(book, statement, priceOf)).toBe(expected);
    }),
    { numRuns: 200 },
  );
});
