import { beforeAll, expect, test } from 'vitest';
import { expressionCalls, parseSql } from '../../src/workload/index.ts';

beforeAll(() => parseSql('SELECT 1'));

const read = (expression: string) => {
  const { comparisons, others, functions } = expressionCalls(expression);
  return { comparisons, others, functions: [...functions].sort() };
};

test('conditions that compare are told from what is called', () => {
  expect(read("(state = 'open'::text) AND (deleted_at IS NULL) AND amount > 5")).toEqual({
    comparisons: 3,
    others: 0,
    functions: [],
  });
  expect(read("name ~~ '%abc%'::text")).toMatchObject({ others: 1 });
  expect(read("name LIKE '%abc%' OR state IN ('a', 'b', 'c')")).toMatchObject({ comparisons: 2, others: 0 });
  expect(read("pg_catalog.lower(btrim(name, ' '::text))")).toEqual({
    comparisons: 0,
    others: 2,
    functions: ['btrim', 'lower'],
  });
  expect(read("((doc ->> 'code'::text))::integer")).toMatchObject({ comparisons: 0, others: 2 });
});

test('casts of constants are made once, not for each row', () => {
  expect(read("date_trunc('day'::text, at)")).toEqual({
    comparisons: 0,
    others: 1,
    functions: ['date_trunc'],
  });
  expect(read("at > '2026-01-01'::timestamp::date")).toMatchObject({ comparisons: 1, others: 0 });
});
