/** A planner that knows each statement's ways to be planned, for the search among sets: no server could be told them. */
import { PlanBook } from '../../../src/advise/index-advisor/search/plan-book.ts';
import type { AdvisorStatement } from '../../../src/advise/index-advisor/statement.ts';
import type { WhatIf } from '../../../src/domain/index.ts';

export const HANDLES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

/** A statement's ways to be planned: what each needs and costs. The last needs nothing. */
export interface Way {
  needs: string[];
  cost: number;
  early_end_risk?: number;
}

/** A planner that always finds the cheapest way: what the book takes for granted. */
export function planner(ways: Map<string, Way[]>): WhatIf & { asked: number } {
  return {
    engine: 'twin',
    server_version: '18',
    limits: [],
    questions: 0,
    asked: 0,
    addIndex: () => Promise.reject(new Error('not here')),
    addIndexes: () => Promise.reject(new Error('not here')),
    explain: () => Promise.reject(new Error('not here')),
    close: () => Promise.resolve(),
    costsOfEach(questions) {
      return Promise.all(
        questions.map(({ configuration, statements }) => this.costs(configuration, statements)),
      );
    },
    costs(configuration, statements) {
      this.asked += statements.length;
      const on = new Set(configuration.created);
      return Promise.resolve(
        statements.map((statement) => {
          const possible = (ways.get(statement.id) ?? []).filter((way) =>
            way.needs.every((handle) => on.has(handle)),
          );
          const best = possible.reduce((a, b) => (b.cost < a.cost ? b : a));
          return {
            statement_id: statement.id,
            cost: best.cost,
            planner_cost: best.cost,
            rows: 1,
            indexes: best.needs,
            early_end_risk: best.early_end_risk ?? 0,
            early_end_rest: best.early_end_risk ?? 0,
            error: null,
          };
        }),
      );
    },
  };
}

export function statement(id: string, calls: number): AdvisorStatement {
  return {
    query: { query_id: id, calls } as AdvisorStatement['query'],
    samples: [{ id, query_id: id, sql: id, weight: 1 }],
    parameters: [],
    usages: [],
    erased: [],
    tables: new Set([1]),
  };
}

/** Statements that cost 1,000 in no particular way. */
export function build(statements: { calls: number; ways: { needs: string[]; saves: number }[] }[]) {
  const ways = new Map<string, Way[]>(
    statements.map(({ ways: some }, position) => [
      `s${position}`,
      [...some.map(({ needs, saves }) => ({ needs, cost: 1000 - saves })), { needs: [], cost: 1000 }],
    ]),
  );
  const engine = planner(ways);
  const book = new PlanBook(engine);
  const all = statements.map(({ calls }, position) => statement(`s${position}`, calls));
  for (const one of all) {
    for (const handle of HANDLES)
      book.register({ handle, table_oid: 1 }, one, { informs: false, is_own: true });
  }
  return { ways, engine, book, all };
}
