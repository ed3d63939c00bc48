/** Many configurations in one round trip answer what each answers by itself, and nothing that is planned can switch. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Configuration,
  indexDefinitionSchema,
  type PlannableStatement,
  type WhatIf,
} from '../../src/domain/index.ts';
import type { EmbeddedServer } from '../../src/embedded/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { connectTwin, PLANNER_ROLE } from '../../src/whatif/twin/session.ts';
import { openSource, type Source } from './source.ts';

const statement = (sql: string, role: string | null = null): PlannableStatement => ({
  id: sql,
  query_id: sql,
  sql,
  role,
  weight: 1,
});
const STATEMENTS = [
  statement('SELECT * FROM item WHERE a = 3'),
  statement('SELECT * FROM item WHERE b = 4 AND a < 3'),
  statement('SELECT i.a, o.n FROM item i JOIN other o ON o.item = i.id WHERE i.b = 5', 'reporter'),
  statement('SELECT * FROM other ORDER BY n LIMIT 5', 'reporter'),
];

describe.each([15, 18])('questions under many configurations, PostgreSQL %i', (major) => {
  let source: Source;
  let server: EmbeddedServer;
  let twin: WhatIf;
  let handles: string[];
  beforeAll(async () => {
    source = await openSource(major, [
      `CREATE TABLE item (id int PRIMARY KEY, a int, b int);
       CREATE TABLE other (item int, n int);
       CREATE INDEX other_item ON other (item);
       CREATE INDEX item_b ON item (b);
       INSERT INTO item SELECT g, g % 500, g % 700 FROM generate_series(1, 20000) g;
       INSERT INTO other SELECT g, g % 900 FROM generate_series(1, 20000) g;
       CREATE FUNCTION public.meddle() RETURNS int IMMUTABLE LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_catalog.pgluthier_switch('{}', ARRAY['public.item_b'::regclass::oid]); RETURN 1; END $$;
       CREATE FUNCTION public.unlock() RETURNS int IMMUTABLE LANGUAGE plpgsql AS
         $$ BEGIN PERFORM set_config('transaction_read_only', 'off', true); RETURN public.meddle(); END $$`,
      'ANALYZE',
    ]);
    twin = await openTwin(source.snapshot, {
      inspect: (opened) => {
        server = opened;
        return Promise.resolve();
      },
    });
    handles = [];
    for (const [table, column] of [
      ['item', 'a'],
      ['item', 'b'],
      ['other', 'n'],
    ] as const) {
      const definition = indexDefinitionSchema.parse({
        schema: 'public',
        table,
        name: `new_${table}_${column}`,
        keys: [{ column, expression: null }],
      });
      handles.push(await twin.addIndex(definition, { pages: 60, tuples: 20_000, tree_height: 1 }));
    }
    await twin.costs({ created: [], hidden: [] }, STATEMENTS);
  }, 120_000);
  afterAll(async () => {
    await twin?.close();
    await source?.close();
  });

  const configurations = (): Configuration[] => [
    { created: [], hidden: [] },
    { created: handles, hidden: [] },
    { created: handles.slice(0, 1), hidden: ['public.item_b'] },
    { created: handles.slice(1), hidden: ['public.item_b', 'public.other_item'] },
    { created: handles, hidden: ['public.other_item'] },
    { created: [], hidden: [] },
  ];

  it('answers each as by itself, in the order of the questions', async () => {
    const single: unknown[] = [];
    for (const configuration of configurations()) single.push(await twin.costs(configuration, STATEMENTS));
    const before = twin.questions;
    const together = await twin.costsOfEach(
      configurations().map((configuration) => ({ configuration, statements: STATEMENTS })),
    );
    expect(together).toEqual(single);
    expect(twin.questions - before).toBe(configurations().length * STATEMENTS.length);
    expect(new Set(together.map((costs) => JSON.stringify(costs))).size).toBeGreaterThan(3);
    // What is in force afterwards is known: the next question by itself is answered alike.
    const last = await twin.costs({ created: handles, hidden: [] }, STATEMENTS);
    expect(last).toEqual(single[1]);
  });

  it('answers the others where one fails, and knows what is in force', async () => {
    const [fine] = STATEMENTS;
    if (!fine) throw new Error('no statement');
    const wrong = statement('SELECT nothing FROM item');
    const questions = configurations().map((configuration) => ({ configuration, statements: [fine, wrong] }));
    const answers = await twin.costsOfEach(questions);
    for (const [place, { configuration }] of questions.entries()) {
      const [cost, error] = answers[place] ?? [];
      expect(cost).toEqual((await twin.costs(configuration, [fine]))[0]);
      expect(error).toMatchObject({ cost: null, error: 'column "nothing" does not exist' });
    }
  });

  it('refuses names that it does not know', async () => {
    const questions = [{ configuration: { created: ['nobody'], hidden: [] }, statements: STATEMENTS }];
    await expect(twin.costsOfEach(questions)).rejects.toMatchObject({ code: 'candidate_unknown' });
    expect(
      (await twin.costs({ created: [], hidden: [] }, STATEMENTS)).every(({ error }) => error === null),
    ).toBe(true);
  });

  it.each(['meddle', 'unlock'])('lets no function that planning calls switch an index: %s', async (name) => {
    const sql = `SELECT * FROM item WHERE a = public.${name}()`;
    const isValid = async () => {
      const admin = await connectTwin(server, null);
      const { rows } = await admin.query(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'public.item_b'::regclass",
      );
      await admin.end();
      return rows[0]?.indisvalid;
    };
    const [answer] = await twin.costs({ created: [], hidden: [] }, [statement(sql)]);
    expect(answer?.error).toMatch(/read-only transaction|read-write mode/);
    // Within many questions it is the same: the session that may switch plans with its hands tied.
    const session = await connectTwin(server, PLANNER_ROLE);
    await session.query('BEGIN READ WRITE');
    const steps = JSON.stringify([{ statements: [sql] }]);
    await expect(session.query('SELECT pg_catalog.pgluthier_plans_of_each($1)', [steps])).rejects.toThrow(
      /read-only transaction|read-write mode/,
    );
    await session.end();
    expect(await isValid()).toBe(true);
  });
});
