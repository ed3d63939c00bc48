/** What the planner need not be asked, for it can only say what is known: on real servers, next to what it must be asked. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CandidateSizes } from '../../../src/advise/index-advisor/candidate-size.ts';
import { advisorCatalog } from '../../../src/advise/index-advisor/catalog.ts';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { IndexDefinition } from '../../../src/domain/index.ts';
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
  async function advised(sql: string): Promise<{ indexes: string[]; asked: { text: string; on: number }[] }> {
    const { whatIf, snapshot } = planned;
    const asked: { text: string; on: number }[] = [];
    const noted = watched(whatIf, ({ created }, statements) => {
      asked.push(...statements.map((one) => ({ text: one.sql, on: created.length })));
    });
    const { recommendations } = await rule.evaluate(await contextOf(snapshot, { what_if: noted, sql }));
    return { indexes: created(recommendations), asked };
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
