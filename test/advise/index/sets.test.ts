/** Sets as a whole: what leaves for what comes, one index for two statements, conditions, budgets, little time. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adviseIndexes } from '../../../src/advise/index-advisor/advise.ts';
import { savedAloneInTime } from '../../../src/advise/index-advisor/alone.ts';
import { PlanBook } from '../../../src/advise/index-advisor/search/plan-book.ts';
import { rule as bloated } from '../../../src/advise/rules/index/bloated.ts';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { RuleContext, RuleResult, Snapshot, StatementRow, WhatIf } from '../../../src/domain/index.ts';
import { workloadFromSnapshot } from '../../../src/workload/index.ts';
import { statementRow } from '../../support/rows.ts';
import {
  contextOf,
  created,
  dropped,
  type PlannedDatabase,
  plannedDatabase,
} from '../rules/index/context.ts';

let planned: PlannedDatabase;
let snapshot: Snapshot;
let whatIf: WhatIf;

beforeAll(async () => {
  planned = await plannedDatabase(`
    CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, placed int NOT NULL, shop int NOT NULL, code int NOT NULL,
      region int NOT NULL, pad text);
    INSERT INTO orders SELECT g, g * 7919 % 3000, g::int8 * 104729 % 90001, g * 20011 % 500, g, g * 31 % 90, repeat('o', 80)
      FROM generate_series(1, 90000) g;
    CREATE INDEX orders_customer ON orders (customer);
    CREATE UNIQUE INDEX orders_code ON orders (code);
    CREATE INDEX orders_region ON orders (region DESC);
    CREATE TABLE lines (id int, shipped date NOT NULL, due date NOT NULL, received date NOT NULL, part int NOT NULL, flag text NOT NULL,
      mode text NOT NULL, pad text);
    INSERT INTO lines SELECT g, date '2020-01-01' + g * 7919 % 900, date '2020-01-01' + (g::int8 * 104729 % 900)::int,
      date '2020-01-01' + g * 20011 % 900, g * 31 % 9000, (ARRAY['A','N','R','X'])[1 + g * 17 % 4],
      'mode' || g * 13 % 7, repeat('l', 80) FROM generate_series(1, 90000) g;
    CREATE TABLE wide (customer int NOT NULL, kind int NOT NULL, pad text);
    INSERT INTO wide SELECT g * 7919 % 9000, g * 31 % 40, repeat('w', 800) FROM generate_series(1, 30000) g;
    CREATE TABLE documents (id int PRIMARY KEY, body jsonb NOT NULL, title text NOT NULL, pad text);
    INSERT INTO documents SELECT g, jsonb_build_object('ip', '10.0.0.' || g % 250, 'request', md5(g::text)), md5(g::text), repeat('d', 80)
      FROM generate_series(1, 40000) g;
  `);
  ({ snapshot, whatIf } = planned);
});

afterAll(() => planned?.close());

const advise = async (sql: string, parts: Partial<RuleContext> = {}): Promise<RuleResult> =>
  rule.evaluate(await contextOf(snapshot, { what_if: whatIf, sql, ...parts }));

describe('a statement that has nearly all of the cost', () => {
  const title = "-- calls: 40\nSELECT * FROM documents WHERE title = md5('77');";
  const ON_TITLE = expect.stringMatching(/^public\.documents USING (btree|hash) \(title\)$/);
  test('hides no others once it is served', async () => {
    const { recommendations } = await advise(
      `-- calls: 3000\nSELECT * FROM lines WHERE part = 77;\n${title}`,
    );
    expect(created(recommendations).toSorted()).toEqual([ON_TITLE, 'public.lines USING btree (part)']);
  });
  test('is what an index is measured by where none serves it', async () => {
    const { recommendations } = await advise(`-- calls: 3000\nSELECT sum(length(pad)) FROM lines;\n${title}`);
    expect(created(recommendations)).toEqual([]);
  });
});

describe('existing indexes', () => {
  const latest = '-- calls: 1000\nSELECT * FROM orders WHERE customer = 17 ORDER BY placed DESC LIMIT 3;';
  test('one leaves where a new one does all that it does', async () => {
    const { recommendations } = await advise(latest);
    expect(created(recommendations)).toEqual(['public.orders USING btree (customer, placed DESC)']);
    expect(dropped(recommendations)).toEqual(['public.orders_customer']);
    const drop = recommendations.find(({ change }) => change.kind === 'index.drop');
    expect(drop?.change).toMatchObject({
      replaced_by: [{ keys: [{ column: 'customer' }, { column: 'placed' }] }],
    });
    expect(drop?.estimate.size_bytes).toBeLessThan(0);
  });
  test('what an alternative would cost in the place of the new one is told as a share that can be', async () => {
    const { rejections, recommendations } = await advise(
      `${latest}\n-- calls: 500\nSELECT id, placed, shop FROM orders WHERE customer = 17 AND placed > 80000;`,
    );
    expect(dropped(recommendations)).toEqual(['public.orders_customer']);
    const instead = rejections.filter(({ code }) => code === 'alternative_of_chosen');
    expect(instead.length).toBeGreaterThan(0);
    for (const { nearness, reason } of instead) {
      // Nothing in the place of another can cost more than all statements without any index did, and its disk.
      if (nearness) expect(nearness.short_by).toBeLessThan(2);
      else expect(reason).toContain('could get dearer than it may');
    }
  });
  test('one that is bloated is rebuilt, and its waste speaks for no other', async () => {
    const sql = [
      '-- calls: 1\nSELECT customer, placed FROM orders WHERE customer = 77;',
      '-- calls: 3000\nSELECT sum(length(pad)) FROM lines;',
    ].join('\n');
    // As the catalog shows it after most rows went: 300 MB for 90,000 entries.
    const indexes = snapshot.indexes.map((index) =>
      index.name === 'orders_customer'
        ? { ...index, size_bytes: 300 * 2 ** 20, main_pages: 38_400, relpages: 38_400 }
        : index,
    );
    const context = await contextOf({ ...snapshot, indexes }, { what_if: whatIf, sql });
    expect((await bloated.evaluate(context)).recommendations.map(({ key }) => key)).toEqual([
      'index.reindex public.orders_customer',
    ]);
    const { recommendations } = await rule.evaluate(context);
    expect(dropped(recommendations)).toEqual([]);
    expect(created(recommendations)).toEqual([]);
  });
  test('a unique one stays, and so does one of another column', async () => {
    const { recommendations } = await advise(
      '-- calls: 1000\nSELECT code, shop FROM orders WHERE shop = 4 AND code BETWEEN 5 AND 50000 ORDER BY code;',
    );
    expect(created(recommendations).length).toBeGreaterThan(0);
    expect(dropped(recommendations)).toEqual([]);
  });
  test('one that is read backwards is superseded by a key in the other direction', async () => {
    const { recommendations } = await advise(
      '-- calls: 1000\nSELECT id FROM orders WHERE region = 4 ORDER BY placed DESC LIMIT 3;',
    );
    expect(created(recommendations)).toEqual(['public.orders USING btree (region, placed DESC)']);
    expect(dropped(recommendations)).toEqual(['public.orders_region']);
  });
  test('a table that has as many indexes as it may gets another only in the place of one', async () => {
    const more = `${latest}\n-- calls: 1000\nSELECT id FROM orders WHERE shop = 17 ORDER BY placed DESC LIMIT 3;`;
    const free = await advise(more);
    expect(created(free.recommendations)).toHaveLength(2);
    // Four are there; (customer, placed) takes the place of (customer).
    const limited = await advise(more, { max_indexes_per_table: 4 });
    expect(created(limited.recommendations)).toEqual([
      expect.stringMatching(/^public\.orders USING btree \(customer, placed DESC/),
    ]);
    expect(dropped(limited.recommendations)).toEqual(['public.orders_customer']);
  });
});

test('two statements share an index that neither asked for', async () => {
  const sql = `-- calls: 500\nSELECT pad FROM wide WHERE customer = 77;
    -- calls: 100\nSELECT kind, count(*) FROM wide GROUP BY kind;`;
  // Where the table may have one only, the second statement reads the first one's instead of the table.
  const { recommendations } = await advise(sql, { max_indexes_per_table: 1 });
  // From 18 on an index that leads with the few kinds serves the customers, too (skip scan).
  expect(created(recommendations)).toEqual([
    expect.stringMatching(/^public\.wide USING btree \((customer, kind|kind, customer)\)$/),
  ]);
  expect(recommendations[0]?.affects).toHaveLength(2);
});

describe('conditions', () => {
  const late = `SELECT id FROM lines WHERE shipped < due AND due < received AND mode = 'mode3' AND received > '2022-06-10'`;
  test('columns that are compared stand together in the index’s condition, however they are written', async () => {
    const { recommendations } = await advise(`-- calls: 100\n${late};
      -- calls: 100\nSELECT max(part) FROM lines WHERE received > due AND shipped < due AND received > '2022-06-15';`);
    const [index] = created(recommendations);
    expect(index).toContain('WHERE (due < received) AND (shipped < due)');
    const size = recommendations[0]?.estimate.size_bytes ?? 0;
    await planned.database.query(`${recommendations[0] && createdSql(recommendations[0].change)}`);
    const { rows } = (await planned.database.query(
      "SELECT pg_relation_size(indexrelid)::int AS bytes FROM pg_index WHERE indrelid = 'lines'::regclass",
    )) as { rows: { bytes: number }[] };
    await planned.database.query('DROP INDEX made_for_test');
    // A sixth of the rows holds. Nothing tells, so it may be taken for more, never for less.
    expect(size / (rows[0]?.bytes ?? 0)).toBeGreaterThan(0.95);
  });
  test('a flag’s constant is one; one of more values that only one call shows is not', async () => {
    const flag = await advise(
      "-- calls: 100\nSELECT id FROM lines WHERE flag = 'R' AND part BETWEEN 5 AND 9;",
    );
    expect(created(flag.recommendations)[0]).toContain("WHERE flag = 'R'");
    expect(flag.recommendations[0]?.risk.notes.join()).toContain(
      "flag = 'R' is a constant of the given text",
    );
    const mode = await advise(
      "-- calls: 100\nSELECT id FROM lines WHERE mode = 'mode3' AND part BETWEEN 5 AND 9;",
    );
    expect(created(mode.recommendations)[0]).not.toContain('WHERE');
  });
});

describe('constants that pg_stat_statements erased', () => {
  const recorded = async (query: string): Promise<RuleResult> => {
    const statements: StatementRow[] = [{ ...ROW, queryid: '1', query }];
    const workload = await workloadFromSnapshot({ ...snapshot, statements });
    return rule.evaluate(await contextOf(snapshot, { what_if: whatIf, workload }));
  };
  test('a guessed key of a document becomes no index, and that is said', async () => {
    const { recommendations, rejections } = await recorded('SELECT id FROM documents WHERE body ->> $1 = $2');
    expect(recommendations).toEqual([]);
    expect(rejections).toContainEqual(
      expect.objectContaining({ code: 'constant_erased', candidate: 'public.documents: body ->> $1' }),
    );
  });
  test('a key that the statement shows does', async () => {
    const { recommendations } = await advise(
      "-- calls: 100\nSELECT id FROM documents WHERE body ->> 'request' = 'x';",
    );
    expect(created(recommendations)[0]).toContain("((body ->> 'request'))");
  });
  test('what is compared with an expression without constants does not matter to it', async () => {
    const { recommendations } = await recorded('SELECT id FROM documents WHERE lower(title) = $1');
    expect(created(recommendations)[0]).toContain('(lower(title))');
  });
});

test('a set comes out of little time, and what was not weighed is said', async () => {
  const columns = ['customer', 'placed', 'shop', 'region'];
  const sql = columns.flatMap((one) =>
    columns.map((other) => `-- calls: 9\nSELECT id, pad FROM orders WHERE ${one} = 5 AND ${other} > 7;`),
  );
  const context = await contextOf(snapshot, { what_if: whatIf, sql: sql.join('\n') });
  const run = (deadline: number) => adviseIndexes({ ...context, deadline }, whatIf, 'x');
  const whole = await run(Date.now() + 600_000);
  expect(whole.selection.cut_short).toBe(false);
  expect(whole.selection.chosen.length).toBeGreaterThan(1);
  // However short: the first batch of candidates is made while there is any time at all.
  let found = 0;
  for (let ms = 40; found === 0 && ms < 100_000; ms *= 2) {
    const { selection, limits } = await run(Date.now() + ms);
    found = selection.chosen.length;
    if (found === 0) expect(limits.map(({ code }) => code)).toContain('deadline_exceeded');
  }
  expect(found).toBeGreaterThan(0);
  const late = await run(Date.now() - 1);
  expect(late.selection.chosen).toEqual([]);
  expect(late.limits.map(({ code }) => code)).toContain('deadline_exceeded');
});

test('what an index saves by itself is asked in time, or not told', async () => {
  const sql = '-- calls: 9\nSELECT id, pad FROM orders WHERE shop = 5;';
  const context = await contextOf(snapshot, { what_if: whatIf, sql });
  const { selection, statements } = await adviseIndexes(context, whatIf, 'x');
  const [chosen] = selection.chosen;
  if (!chosen) throw new Error('an index on shop pays');
  const book = new PlanBook(whatIf);
  for (const statement of statements) book.register(chosen, statement, { informs: false, is_own: true });
  expect(await savedAloneInTime(chosen, statements, book, Date.now() - 1)).toBeNull();
  const saving = await savedAloneInTime(chosen, statements, book, Date.now() + 600_000);
  expect([...(saving?.values() ?? [])]).toEqual([expect.any(Number)]);
  // What is known by then needs no time.
  expect(await savedAloneInTime(chosen, statements, book, Date.now() - 1)).toEqual(saving);
});

/** The change's index under a name of the test's. */
function createdSql(change: RuleResult['recommendations'][number]['change']): string {
  if (change.kind !== 'index.create') throw new Error(change.kind);
  return `CREATE INDEX made_for_test ON ${created([{ change } as never])[0]}`;
}

const ROW = statementRow({
  dbid: 1,
  calls: 100,
  total_exec_time_ms: 1000,
  mean_exec_time_ms: 10,
  stddev_exec_time_ms: 1,
  min_exec_time_ms: 1,
  max_exec_time_ms: 20,
  rows: 100,
});
