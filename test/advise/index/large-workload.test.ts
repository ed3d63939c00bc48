/** Workloads of many statements times candidates: whose candidates a statement is asked about with, and what comes of it. */
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { adviseIndexes, type IndexAdvice } from '../../../src/advise/index-advisor/advise.ts';
import { contextOf, type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';
import { watched } from './watched.ts';

let planned: PlannedDatabase;

beforeAll(async () => {
  planned = await plannedDatabase(`
    CREATE TABLE days (id int PRIMARY KEY, year int NOT NULL, month int NOT NULL);
    INSERT INTO days SELECT g, 2000 + g / 365, g / 30 % 12 FROM generate_series(1, 2000) g;
    CREATE TABLE people (id int PRIMARY KEY, city int NOT NULL, born int NOT NULL, pad text);
    INSERT INTO people SELECT g, g * 7919 % 500, 1930 + g * 31 % 70, repeat('p', 60) FROM generate_series(1, 20000) g;
    CREATE TABLE sales (day int NOT NULL, person int NOT NULL, amount int NOT NULL, shop int NOT NULL, kind int NOT NULL,
      state int NOT NULL, pad text);
    INSERT INTO sales SELECT g % 2000 + 1, g::int8 * 104729 % 20000 + 1, g * 31 % 700, g * 7919 % 300, g * 13 % 90,
      g * 17 % 40, repeat('s', 50) FROM generate_series(1, 120000) g;
  `);
});
afterAll(() => planned?.close());
afterEach(() => {
  vi.restoreAllMocks();
});

/** What a question takes by the clock of these tests, in ms for each index that is there. */
const SLOW = 2;
const QUICK = 0.2;
/** Of a run, in ms. */
const LIMIT = 600_000;

const COLUMNS = ['amount', 'shop', 'kind', 'state'];

/** Joins with two filters on the largest table and one beside, each of another shape. */
function statements(count: number): string {
  return Array.from({ length: count }, (_, place) => {
    const [first, second] = [COLUMNS[place % 4], COLUMNS[(place + 1 + (Math.floor(place / 4) % 3)) % 4]];
    const person = ['city', 'born'][place % 2];
    const day = ['year', 'month'][Math.floor(place / 2) % 2];
    const operator = ['=', '<', '>='][Math.floor(place / 12) % 3];
    return `SELECT people.${person}, days.${day}, count(*), ${place < 36 ? 'sum' : 'max'}(sales.${COLUMNS[(place + 3) % 4]}) FROM sales, people, days
      WHERE sales.person = people.id AND sales.day = days.id AND sales.${first} = ${place % 30} AND sales.${second} ${operator} ${place % 9}
      AND people.${person} = ${(place * 7) % 500} AND days.${day} ${operator} ${place % 12} GROUP BY 1, 2 ORDER BY ${1 + (place % 2)};`;
  }).join('\n');
}

/**
 * A run whose time is gone where the search begins, so that the set rests on what was asked before.
 * @returns the advice, and of each question by then how many candidates were there.
 */
async function runOf(
  count: number,
  budget: number,
  each = SLOW,
): Promise<{ advice: IndexAdvice; there: number[] }> {
  const there: number[] = [];
  let now = Date.now();
  let isSearching = false;
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now);
  const { whatIf, snapshot } = planned;
  const noted = watched(whatIf, ({ created }, { length }) => {
    now += each * (10 + created.length) * length;
    if (!isSearching) there.push(...Array.from({ length }, () => created.length));
  });
  const context = await contextOf(snapshot, {
    what_if: noted,
    sql: statements(count),
    index_budget_bytes: budget,
    deadline: now + LIMIT,
    progress: (line: string) => {
      if (!line.startsWith('choosing')) return;
      isSearching = true;
      now += LIMIT;
    },
  });
  const advice = await adviseIndexes(context, noted, 'x').finally(() => clock.mockRestore());
  return { advice, there };
}

test('a statement of a large workload is not asked about with what others want of its tables', async () => {
  const small = await runOf(8, 12 * 2 ** 20);
  const large = await runOf(72, 12 * 2 ** 20);
  // More than five times as many statements want more of the same three tables; with all of it those are asked about
  // that show how long it takes, and no others.
  expect(large.advice.statements.length).toBeGreaterThan(5 * small.advice.statements.length);
  const most = Math.max(...small.there);
  expect(large.there.filter((candidates) => candidates > most).length).toBeLessThanOrEqual(12);
  const { costs, base, floor, selection } = large.advice;
  const after = large.advice.statements.reduce(
    (sum, { query }) => sum + (costs.get(query.query_id)?.after ?? 0) * query.calls,
    0,
  );
  expect(selection.chosen.length).toBeGreaterThan(1);
  expect(after).toBeLessThan(0.6 * base);
  expect(floor).toBeLessThanOrEqual(after);
  expect(large.advice.floor_is_estimate).toBe(true);
  expect(large.advice.limits.map(({ code }) => code)).toContain('floor_estimated');
  const bytes = selection.chosen.reduce((sum, { size_bytes }) => sum + size_bytes, 0);
  expect(bytes).toBeLessThanOrEqual(12 * 2 ** 20);
});

test('where planning is quick all are there', async () => {
  const { advice, there } = await runOf(72, 12 * 2 ** 20, QUICK);
  const most = Math.max(...there);
  const wide = there.filter((candidates) => candidates > most / 2);
  expect(wide.length).toBeGreaterThanOrEqual(advice.statements.length);
});
