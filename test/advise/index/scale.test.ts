/** What a statement takes does not grow with the number of the others: counted in questions to the planner, not in time. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import { contextOf, created, type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';

const TABLES = 24;
let planned: PlannedDatabase;

beforeAll(async () => {
  planned = await plannedDatabase(`
    DO $$ BEGIN
      FOR n IN 1..${TABLES} LOOP
        EXECUTE format('CREATE TABLE t%s AS SELECT g AS id, g * 7919 %% 3000 AS a, g * 31 %% 500 AS b, g * 20011 %% 7000 AS c,
          repeat(''t'', 60) AS pad FROM generate_series(1, 8000) g', n);
        EXECUTE format('CREATE INDEX ON t%s (c)', n);
      END LOOP;
    END $$;
  `);
});

afterAll(() => planned?.close());

/** The statements of the first so many tables, advised: questions, and what the run says on its way. */
async function run(tables: number): Promise<{ questions: number; indexes: number; said: string[] }> {
  const sql = Array.from({ length: tables }, (_, position) => {
    const table = `t${position + 1}`;
    return `SELECT pad FROM ${table} WHERE a = 5; SELECT id FROM ${table} WHERE b = 7 ORDER BY a LIMIT 3;
      -- calls: 2\nUPDATE ${table} SET pad = 'x' WHERE a = 9 AND b > 5; SELECT b FROM ${table} WHERE c BETWEEN 5 AND 90;`;
  });
  const said: string[] = [];
  const before = planned.whatIf.questions;
  const { recommendations } = await rule.evaluate(
    await contextOf(planned.snapshot, {
      what_if: planned.whatIf,
      sql: sql.join('\n'),
      progress: (message) => said.push(message),
    }),
  );
  return {
    questions: planned.whatIf.questions - before,
    indexes: created(recommendations).length,
    said,
  };
}

test('four times the statements take four times the questions, and progress is told', async () => {
  const few = await run(TABLES / 4);
  const all = await run(TABLES);
  expect(few.indexes).toBeGreaterThan(TABLES / 4);
  expect(all.indexes).toBeGreaterThanOrEqual(4 * few.indexes);
  expect(all.questions / few.questions).toBeLessThan(5);
  for (const words of ['reading statements', 'asking about each candidate']) {
    expect(all.said.some((message) => message.startsWith(words))).toBe(true);
  }
});
