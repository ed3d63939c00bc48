/** A limit on time is kept by the evidence, too; the clock is moved by the questions, a real planner answers them. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Pace } from '../../../src/advise/index-advisor/search/pace.ts';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { RuleResult } from '../../../src/domain/index.ts';
import { contextOf, type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';
import { watched } from './watched.ts';

/** What a question takes by the clock of these tests, in ms. */
const EACH = 100;
/** Questions between two looks at the clock, at least. */
const LOOK = 8;
/** Samples of one statement, which are asked about together, at most. */
const SAMPLES = 4;

let planned: PlannedDatabase;

beforeAll(async () => {
  planned = await plannedDatabase(`
    CREATE TABLE days (id int PRIMARY KEY, year int NOT NULL, month int NOT NULL);
    INSERT INTO days SELECT g, 2000 + g / 365, g / 30 % 12 FROM generate_series(1, 2000) g;
    CREATE TABLE items (id int PRIMARY KEY, brand int NOT NULL, color int NOT NULL, pad text);
    INSERT INTO items SELECT g, g * 7919 % 300, g * 31 % 90, repeat('i', 60) FROM generate_series(1, 9000) g;
    CREATE TABLE people (id int PRIMARY KEY, city int NOT NULL, born int NOT NULL, pad text);
    INSERT INTO people SELECT g, g * 7919 % 500, 1930 + g * 31 % 70, repeat('p', 60) FROM generate_series(1, 20000) g;
    CREATE TABLE sales (day int NOT NULL, item int NOT NULL, person int NOT NULL, amount int NOT NULL, pad text);
    INSERT INTO sales SELECT g % 2000 + 1, g * 7919 % 9000 + 1, g::int8 * 104729 % 20000 + 1, g * 31 % 700, repeat('s', 50)
      FROM generate_series(1, 120000) g;
  `);
});
afterAll(() => planned?.close());
afterEach(() => {
  vi.restoreAllMocks();
});

const STATEMENTS = Array.from({ length: 12 }, (_, place) => {
  const filters = [
    `items.brand = ${place}`,
    `items.color = ${place} AND people.born = ${1940 + place}`,
    `people.city = ${place} AND days.year = 2001`,
    `sales.amount = ${place}`,
  ];
  const groups = ['days.month', 'items.brand', 'people.city'];
  return `SELECT ${groups[place % 3]}, sum(amount) FROM sales, days, items, people
    WHERE sales.day = days.id AND sales.item = items.id AND sales.person = people.id AND ${filters[place % 4]}
    AND sales.amount > ${place % 3 === 0 ? 600 : 10 * place} GROUP BY ${groups[place % 3]} ${place % 2 ? 'LIMIT 10' : ''};`;
});

interface TimedRun {
  result: RuleResult;
  /** ms by which it was longer than the limit; below 0: shorter. */
  over: number;
  asked: number;
}

/**
 * A run with a clock that stands still but for the questions.
 * @param spentAt the beginning of the line of progress at which all of the time is gone.
 */
async function runWithin(limit: number, spentAt: string | null = null): Promise<TimedRun> {
  let now = Date.now();
  let asked = 0;
  const timed = watched(planned.whatIf, (_, { length }) => {
    asked += length;
    now += EACH * length;
  });
  const clock = vi.spyOn(Date, 'now').mockImplementation(() => now);
  try {
    const deadline = now + limit;
    const context = await contextOf(planned.snapshot, {
      what_if: timed,
      sql: STATEMENTS.join('\n'),
      index_budget_bytes: 6 * 2 ** 20,
      deadline,
      progress: (line) => {
        if (spentAt !== null && line.startsWith(spentAt)) now = deadline + 1;
      },
    });
    const result = await rule.evaluate(context);
    return { result, over: now - deadline, asked };
  } finally {
    clock.mockRestore();
  }
}

/** Whether a recommendation tells that some cost was not asked. */
const saysSo = ({ recommendations }: RuleResult) =>
  recommendations.some(({ evidence }) =>
    evidence.some(({ name }) => name === 'statements with a cost that there was no time to ask'),
  );
const codesOf = ({ limits }: RuleResult) => limits.map(({ code }) => code);

describe('a time limit', () => {
  test('is kept by all that is asked, however long it is', async () => {
    const whole = await runWithin(3_600_000);
    expect(codesOf(whole.result)).not.toContain('deadline_exceeded');
    expect(codesOf(whole.result)).not.toContain('cost_not_asked');
    expect(whole.result.recommendations.length).toBeGreaterThan(2);
    const limited = new Set<string>();
    // Below that it is the costs of today alone, which are asked in any case, and the rows of conditions.
    for (const share of [0.25, 0.3, 0.4, 0.5, 0.65, 0.8]) {
      const { result, over } = await runWithin(share * whole.asked * EACH);
      // One look's questions may have begun just before it, the last of them with all samples of a statement.
      expect(over).toBeLessThanOrEqual((LOOK - 1 + SAMPLES) * EACH + EACH);
      for (const code of codesOf(result)) limited.add(code);
      expect(result.recommendations.length).toBeGreaterThan(0);
      expect(codesOf(result).includes('cost_not_asked')).toBe(saysSo(result));
    }
    expect([...limited]).toEqual(expect.arrayContaining(['deadline_exceeded']));
  });

  test('where the search has none left, the set is told with what was not asked of it', async () => {
    const { result } = await runWithin(3_600_000, 'choosing among');
    expect(codesOf(result)).toEqual(expect.arrayContaining(['deadline_exceeded', 'cost_not_asked']));
    expect(saysSo(result)).toBe(true);
    expect(result.recommendations.length).toBeGreaterThan(0);
  });
});

describe('how many questions between two looks at the clock', () => {
  test('many where they are quick, few where they are slow or the end is near', () => {
    const now = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(now);
    const pace = new Pace();
    expect(pace.atOnce(Number.POSITIVE_INFINITY)).toBe(96);
    expect(pace.atOnce(now + 60_000)).toBe(96);
    expect(pace.atOnce(now + 3000)).toBe(10);
    pace.note(LOOK, LOOK);
    expect(pace.atOnce(now + 60_000)).toBe(96);
    expect(pace.atOnce(now + 40)).toBe(20);
    for (let count = 0; count < 20; count += 1) pace.note(LOOK, LOOK * 100);
    expect(pace.atOnce(now + 60_000)).toBe(96);
    expect(pace.atOnce(now + 4000)).toBeLessThanOrEqual(20);
    expect(pace.atOnce(now - 1)).toBe(LOOK);
    pace.forget();
    expect(pace.atOnce(now + 3000)).toBe(10);
  });
});
