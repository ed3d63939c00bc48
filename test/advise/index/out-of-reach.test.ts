/** What a bound may leave out: plain numbers in the place of plans, for which sets fit is a matter of arithmetic. */
import { expect, test } from 'vitest';
import type { Made } from '../../../src/advise/index-advisor/make-candidates.ts';
import { outOfReach } from '../../../src/advise/index-advisor/out-of-reach.ts';
import type { PlanBook } from '../../../src/advise/index-advisor/search/plan-book.ts';
import type { AdvisorStatement } from '../../../src/advise/index-advisor/statement.ts';

/** A statement of one call that costs 1,000 now, and that much less with an index. */
interface Told {
  saves: number;
  with: string;
}

const statementOf = (name: string) =>
  ({ query: { query_id: name, calls: 1 } }) as unknown as AdvisorStatement;

function out(told: Record<string, Told>, own: Record<string, string[]>, bytes: number, budget_bytes: number) {
  const statements = new Map(Object.keys(told).map((name) => [name, statementOf(name)]));
  const of = ({ query }: AdvisorStatement) => told[query.query_id] as Told;
  const cost = (statement: AdvisorStatement, set: ReadonlySet<string>) => {
    const charged = 1_000 - (set.has(of(statement).with) ? of(statement).saves : 0);
    return { cost: charged, charged };
  };
  const book = {
    present: new Set<string>(),
    known: cost,
    most: cost,
    relevant: () => new Set(Object.keys(own)),
    lower: (statement: AdvisorStatement) => 1_000 - of(statement).saves,
    plans: (statement: AdvisorStatement) => [{ plans: [{ needs: [of(statement).with] }] }],
  };
  const made = Object.entries(own).map(([handle, by]) => ({
    contender: { handle, reserved_bytes: bytes, write: { cost: 0 } },
    by: by.map((name) => statements.get(name)),
  }));
  return [
    ...outOfReach({
      made: made as unknown as Made[],
      promising: statements.values(),
      book: book as unknown as PlanBook,
      budget_bytes,
    }),
  ];
}

test('what saves less than what it keeps out is out of reach, as long as both do not fit', () => {
  const told = { one: { saves: 100, with: 'a' }, other: { saves: 5, with: 'b' } };
  const own = { a: ['one'], b: ['other'] };
  expect(out(told, own, 10, 19)).toEqual([['b', { most: 5, reached: 100 }]]);
  expect(out(told, own, 10, 20)).toEqual([]);
});

test('what serves a statement that it was not made for is not out of reach by that', () => {
  const told = {
    one: { saves: 100, with: 'a' },
    other: { saves: 5, with: 'b' },
    // None was made for it.
    third: { saves: 200, with: 'b' },
  };
  expect(out(told, { a: ['one'], b: ['other'] }, 10, 10)).toEqual([]);
});
