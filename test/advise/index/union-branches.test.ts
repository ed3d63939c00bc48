/** Conditions and orders on the columns of UNIONs: what PostgreSQL pushes into each branch, an index of each serves. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { RuleResult } from '../../../src/domain/index.ts';
import { testMajors, testServer } from '../../support/servers.ts';
import { contextOf, created, type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';

const SCHEMA = `
  CREATE TABLE old_events (id int PRIMARY KEY, at timestamptz NOT NULL, customer int NOT NULL, closed date, pad text);
  INSERT INTO old_events SELECT g, timestamptz '2024-01-01' + g::int8 * 104729 % 90001 * interval '5 min', g * 7919 % 300,
    CASE WHEN g % 500 > 0 THEN date '2024-01-01' + g % 400 END, repeat('o', 60) FROM generate_series(1, 90000) g;
  CREATE TABLE new_events (LIKE old_events INCLUDING ALL);
  INSERT INTO new_events SELECT id + 100000, at + interval '320 days', customer, closed, pad FROM old_events;
  CREATE VIEW events AS SELECT 'old' AS source, * FROM old_events UNION ALL SELECT 'new', * FROM new_events;
  CREATE VIEW distinct_events AS SELECT * FROM old_events UNION SELECT * FROM new_events;
`;

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('on PostgreSQL %i', (major) => {
  let planned: PlannedDatabase;
  beforeAll(async () => {
    planned = await plannedDatabase(SCHEMA, await testServer({ major }));
  });
  afterAll(() => planned?.close());

  const advise = async (sql: string): Promise<RuleResult> =>
    rule.evaluate(
      await contextOf(planned.snapshot, { what_if: planned.whatIf, sql: `-- calls: 500\n${sql}` }),
    );
  /** One index of each branch whose keys begin so, read forwards or backwards; columns behind them may differ. */
  const both = (keys: string) =>
    ['new', 'old'].map((table) => expect.stringMatching(`^public.${table}_events USING btree .${keys}\\b`));

  test('the order of a view is that of each of its branches', async () => {
    const { recommendations } = await advise(
      'SELECT source, at, pad FROM events WHERE customer = $1 ORDER BY at DESC LIMIT 10;',
    );
    expect(created(recommendations).toSorted()).toEqual(both('customer, at'));
  });

  test('so is that of a UNION ALL itself', async () => {
    const { recommendations } = await advise(
      `SELECT id, at FROM old_events WHERE customer = 7 UNION ALL SELECT id, at FROM new_events WHERE customer = 7
        ORDER BY at DESC LIMIT 10;`,
    );
    expect(created(recommendations).toSorted()).toEqual(both('customer, at'));
  });

  test('no order is looked for where duplicates are taken out, or a branch has a LIMIT of its own', async () => {
    const orders = [
      'SELECT at, pad FROM distinct_events ORDER BY at DESC LIMIT 10;',
      `SELECT * FROM (SELECT at FROM (SELECT * FROM old_events ORDER BY id LIMIT 50000) o UNION ALL
        SELECT at FROM (SELECT * FROM new_events ORDER BY id LIMIT 50000) n) e ORDER BY at DESC LIMIT 10;`,
    ];
    for (const sql of orders) {
      const indexes = created((await advise(sql)).recommendations);
      expect(indexes.filter((index) => /\((at|customer)/.test(index.split('INCLUDE')[0] ?? ''))).toEqual([]);
    }
  });

  test('bounds and nulls on its columns are conditions on each branch, by values of the first', async () => {
    const range = await advise('SELECT * FROM events WHERE at BETWEEN $1 AND $2;');
    expect(created(range.recommendations).toSorted()).toEqual(both('at'));
    expect(range.limits).toEqual([]);
    const nulls = await advise('SELECT source, id, pad FROM events WHERE closed IS NULL;');
    expect(created(nulls.recommendations).map((each) => each.split(' USING ')[0])).toHaveLength(2);
  });
});
