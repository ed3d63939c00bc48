/** What the planner need not be asked, for it can only say what is known: on real servers, next to what it must be asked. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CandidateSizes } from '../../../src/advise/index-advisor/candidate-size.ts';
import { advisorCatalog } from '../../../src/advise/index-advisor/catalog.ts';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { IndexDefinition, RuleContext } from '../../../src/domain/index.ts';
import { testMajors, testServer } from '../../support/servers.ts';
import { contextOf, created, type PlannedDatabase, plannedDatabase } from '../rules/index/context.ts';
import { watched } from './watched.ts';

const oldestAndNewest = [...new Set([Math.min(...testMajors), Math.max(...testMajors)])];

describe.each(oldestAndNewest)('PostgreSQL %i', (major) => {
  let planned: PlannedDatabase;

  beforeAll(async () => {
    planned = await plannedDatabase(
      `
      CREATE TABLE events (id int, kind int, state text, amount int, pad text);
      INSERT INTO events SELECT g, g % 10, CASE WHEN g % 500 = 0 THEN 'open' ELSE 'closed' END, g * 20011::int8 % 50021,
        repeat('e', 90) FROM generate_series(1, 60000) g;
      CREATE TABLE kept (LIKE events);
      CREATE TABLE secret (LIKE events);
      INSERT INTO secret SELECT * FROM events;
      ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
    `,
      await testServer({ major }),
    );
  }, 120_000);

  afterAll(() => planned?.close());

  /** The workload's advice, and each question with how many indexes were there. */
  async function advised(sql: string, options: Partial<RuleContext> = {}) {
    const { whatIf, snapshot } = planned;
    const asked: { text: string; on: number }[] = [];
    const noted = watched(whatIf, ({ created }, statements) => {
      asked.push(...statements.map((one) => ({ text: one.sql, on: created.length })));
    });
    const context = await contextOf(snapshot, { what_if: noted, sql, ...options });
    const { recommendations, rejections } = await rule.evaluate(context);
    return { indexes: created(recommendations), rejections, asked };
  }

  test('a table that only takes rows, or is written whole, is not asked about; one that they are read from is', async () => {
    const { indexes, asked } = await advised(`
      -- calls: 20
      SELECT id FROM events WHERE amount = 77;
      -- calls: 900
      INSERT INTO events VALUES (1, 2, 'open', 3, '');
      UPDATE events SET pad = '';
      DELETE FROM events;
      INSERT INTO kept SELECT * FROM events WHERE amount = 5;
    `);
    expect(indexes).toEqual([expect.stringMatching(/^public\.events USING \w+ \(amount/)]);
    const beside = (text: RegExp) => asked.filter((one) => one.on > 0 && text.test(one.text));
    expect(beside(/^INSERT INTO events|^UPDATE events|^DELETE FROM events/)).toEqual([]);
    expect(beside(/^INSERT INTO kept/)).not.toEqual([]);
    // Today's cost is asked of all.
    expect(asked.filter(({ text }) => /^(INSERT INTO|UPDATE|DELETE FROM) events/.test(text))).toHaveLength(3);
  });

  test('what a result only shows makes no index useful, but one that holds all that is read', async () => {
    const { indexes, asked } = await advised(`
      -- calls: 20
      SELECT count(*) FROM events WHERE kind = 3 AND amount < 40000;
      SELECT kind, amount, id FROM events WHERE random() < 0.1;
      SELECT kind, amount FROM events;
      SELECT kind FROM events ORDER BY kind LIMIT 5;
      SELECT amount, id FROM secret WHERE random() < 0.1;
      SELECT id FROM secret WHERE amount = 7;
    `);
    expect(indexes.length).toBeGreaterThan(0);
    const beside = (text: string) => asked.filter((one) => one.on > 0 && one.text.startsWith(text));
    expect(beside('SELECT kind, amount, id')).toEqual([]);
    for (const text of ['SELECT kind, amount FROM', 'SELECT kind FROM']) expect(beside(text)).not.toEqual([]);
    // A policy may ask for what the statement only shows.
    expect(beside('SELECT amount, id FROM secret')).not.toEqual([]);
  });

  test('what would keep more out of a budget than it could save is not asked about by itself', async () => {
    const sql = `
      -- calls: 1000
      SELECT id FROM events WHERE amount = 77;
      -- calls: 20
      SELECT pad FROM events WHERE id = 5 AND kind = 3;
    `;
    const within = async (index_budget_bytes: number) => {
      const { indexes, rejections, asked } = await advised(sql, { index_budget_bytes });
      const out = rejections.filter(({ code }) => code === 'out_of_reach');
      const alone = asked.filter(({ text, on }) => text.startsWith('SELECT pad') && on === 1);
      return { indexes, out, alone };
    };
    // One of the first statement's takes nearly all of it; of the other one's, the smallest take a third.
    const small = await within(1.5 * 1024 ** 2);
    expect(small.indexes).toEqual([expect.stringMatching(/^public\.events USING \w+ \(amount/)]);
    expect(small.out.map(({ candidate }) => candidate)).toContainEqual(
      expect.stringMatching(/^public\.events USING btree \(kind\)/),
    );
    expect(small.out[0]?.reason).toMatch(
      /^its \d.* would keep too much out of the budget: .* save \d.* % of the workload's cost at most, others \d.* % at least$/,
    );
    expect(small.alone).toEqual([]);
    const large = await within(4 * 1024 ** 2);
    expect(large.indexes).toHaveLength(2);
    expect(large.out).toEqual([]);
  });

  test('rows of a whole table follow from pg_class, but not under row-level security', async () => {
    const { snapshot, whatIf } = planned;
    const catalog = advisorCatalog(snapshot);
    const rowsOf = async (sql: string) => {
      const statement = { id: sql, query_id: sql, sql, weight: 1 };
      const [answer] = await whatIf.costs({ created: [], hidden: [] }, [statement]);
      return answer?.rows ?? Number.NaN;
    };
    for (const [name, questions] of [
      ['events', 1],
      ['secret', 2],
    ] as const) {
      const table = [...catalog.tables.values()].find(({ row }) => row.name === name);
      if (!table) throw new Error(name);
      const where = "state = 'open'";
      const definition = { schema: 'public', table: name, method: 'btree', keys: [], include: [], where };
      const condition = { sql: where, share: 0.5, is_lasting: true };
      const before = whatIf.questions;
      const share = await new CandidateSizes(catalog, snapshot, whatIf).shareOf({
        definition: definition as unknown as IndexDefinition,
        table,
        conditions: [condition],
      });
      expect(whatIf.questions - before).toBe(questions);
      const [all, kept] = [
        await rowsOf(`SELECT 1 FROM public.${name}`),
        await rowsOf(`SELECT 1 FROM public.${name} WHERE ${where}`),
      ];
      expect(all).toBe(60_000);
      expect(share).toBe(kept / all);
    }
  });
});
