/** Functions: those that the planner puts into a query or calls, and those of which it knows properties alone. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlannableStatement, WhatIf } from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { testMajors } from '../support/servers.ts';
import { openSource, type PlanNode, type Source, shapeOf } from './source.ts';

const majors = availableMajors().includes(14) && !testMajors.includes(14) ? [14, ...testMajors] : testMajors;
const asIs = { created: [], hidden: [] };

describe.each(majors)('functions in the twin of PostgreSQL %i', (major) => {
  const role = `functions_${Math.random().toString(36).slice(2, 8)}`;
  let source: Source;
  let twin: WhatIf;
  beforeAll(async () => {
    source = await openSource(major, [
      `CREATE TABLE item (id int PRIMARY KEY, v int, t text);
       INSERT INTO item SELECT i, i % 5000, 'text ' || i % 700 FROM generate_series(1, 20000) AS i;
       CREATE INDEX item_v ON item (v); CREATE INDEX item_t ON item (t);
       CREATE SCHEMA "Odd Schema";
       CREATE FUNCTION "Odd Schema"."in""lined"(a int, b int DEFAULT 7) RETURNS int LANGUAGE sql STABLE AS $$ SELECT a + b $$;
       CREATE FUNCTION at_planning(a text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$ BEGIN RETURN 'text ' || a; END $$;
       CREATE FUNCTION dear(a int) RETURNS boolean LANGUAGE plpgsql STABLE COST 5000 PARALLEL SAFE
         SET search_path = public AS $$ BEGIN RETURN a > 5; END $$;
       CREATE FUNCTION rows_of(a int) RETURNS SETOF item LANGUAGE plpgsql STABLE ROWS 37 AS $$ BEGIN RETURN QUERY SELECT * FROM item WHERE v = a; END $$;
       CREATE FUNCTION table_of(a int) RETURNS SETOF item LANGUAGE sql STABLE AS $$ SELECT * FROM item WHERE v = a $$;
       CREATE FUNCTION unsteady(a int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN a; /* a body that planning needs not */ END $$;
       CREATE FUNCTION native(int, int) RETURNS int LANGUAGE internal IMMUTABLE STRICT COST 3 AS 'int4pl';
       CREATE FUNCTION sealed(a int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE LEAKPROOF AS $$ BEGIN RETURN a > 3; END $$;
       CREATE FUNCTION open_(a int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN a > 3; END $$;
       CREATE FUNCTION on_item() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
       CREATE TYPE word AS RANGE (SUBTYPE = text);
       CREATE FUNCTION add_dear(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE COST 70 PARALLEL SAFE AS $$ SELECT CASE WHEN a > b THEN a ELSE b END $$;
       CREATE AGGREGATE "Odd Schema"."dear ""sum"(int) (SFUNC = add_dear, STYPE = int, COMBINEFUNC = add_dear, INITCOND = '0', PARALLEL = SAFE);
       CREATE AGGREGATE counted(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0');
       CREATE FUNCTION near(a int, b int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN abs(a - b) < 2; END $$;
       CREATE OPERATOR "Odd Schema".~=~ (FUNCTION = near, LEFTARG = int, RIGHTARG = int, COMMUTATOR = OPERATOR("Odd Schema".~=~), RESTRICT = eqsel, JOIN = eqjoinsel);
       CREATE TYPE mood AS ENUM ('sad', 'fine');
       CREATE FUNCTION to_mood(a int) RETURNS mood LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN a > 3 THEN 'fine'::mood ELSE 'sad'::mood END $$;
       CREATE CAST (int AS mood) WITH FUNCTION to_mood(int) AS IMPLICIT;
       CREATE FUNCTION visible(a int) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT a < 300 $$;
       CREATE POLICY few ON item USING (visible(v));
       CREATE VIEW seen AS SELECT * FROM item WHERE at_planning('5') = t AND dear(v);
       CREATE ROLE ${role}; GRANT ALL ON item, seen TO ${role}; GRANT USAGE ON SCHEMA "Odd Schema" TO ${role};
       ALTER TABLE item ENABLE ROW LEVEL SECURITY`,
      'CREATE FUNCTION standard(a int) RETURNS int STABLE BEGIN ATOMIC SELECT a + 4; END',
      'CREATE FUNCTION of_item(a int) RETURNS bigint STABLE BEGIN ATOMIC SELECT count(*) FROM item WHERE v = a; END',
      'VACUUM ANALYZE',
    ]);
    twin = await openTwin(source.snapshot);
  }, 120_000);
  afterAll(async () => {
    await twin?.close();
    await source?.client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await source?.close();
  });

  const ask = async (sql: string, asked: string | null = null) => {
    const statement: PlannableStatement = { id: sql, query_id: sql, sql, weight: 1, role: asked };
    const [answer] = await twin.costs(asIs, [statement]);
    const [planned] = answer?.error ? [] : ((await twin.explain(asIs, statement)) as { Plan: PlanNode }[]);
    return { error: answer?.error, cost: answer?.cost, shape: planned ? shapeOf(planned.Plan) : null };
  };
  const real = async (sql: string, asked: string | null = null) => {
    await source.client.query(asked === null ? 'RESET ROLE' : `SET ROLE ${asked}`);
    const plan = await source.plan(sql);
    await source.client.query('RESET ROLE');
    return { error: null, cost: plan['Total Cost'], shape: shapeOf(plan) };
  };

  it.each([
    'SELECT * FROM item WHERE v = "Odd Schema"."in""lined"(5)',
    "SELECT * FROM item WHERE t = at_planning('7')",
    'SELECT * FROM item WHERE dear(v)',
    'SELECT * FROM item WHERE v = 3 AND dear(id)',
    'SELECT * FROM rows_of(3)',
    'SELECT * FROM table_of(3) WHERE id < 100',
    'SELECT unsteady(v) FROM item WHERE unsteady(4) = id',
    'SELECT native(v, 3) FROM item WHERE native(v, id) = 5',
    'SELECT * FROM seen',
    'SELECT * FROM item WHERE v = standard(3)',
    'SELECT of_item(v) FROM item WHERE id < 10',
    'SELECT v, "Odd Schema"."dear ""sum"(id), counted(*) FROM item GROUP BY v',
    'SELECT * FROM item WHERE v OPERATOR("Odd Schema".~=~) 5',
    'SELECT * FROM item AS a JOIN item AS b ON a.v OPERATOR("Odd Schema".~=~) b.v WHERE a.id < 50',
    "SELECT * FROM item WHERE v::mood = 'fine'",
  ])('plans as the real server does: %s', async (sql) => {
    expect(await ask(sql)).toEqual(await real(sql));
  });

  it('knows of a function that it leaks nothing', async () => {
    for (const sql of ['SELECT * FROM item WHERE sealed(v)', 'SELECT * FROM item WHERE open_(v)']) {
      expect([sql, await ask(sql, role)]).toEqual([sql, await real(sql, role)]);
    }
  });

  it('keeps bodies only where planning needs them', () => {
    const bodies = source.snapshot.schema.functions.map((item) => [
      item.name,
      !item.definition.endsWith("\nAS ''"),
    ]);
    expect(Object.fromEntries(bodies)).toEqual({
      'in"lined': true,
      at_planning: true,
      dear: true,
      rows_of: true,
      table_of: true,
      unsteady: false,
      native: false,
      sealed: true,
      open_: true,
      visible: true,
      standard: true,
      of_item: true,
      add_dear: true,
      near: true,
      to_mood: true,
    });
  });

  it('says what it does not run, and a statement that needs it is refused', async () => {
    expect(twin.limits).toMatchObject([
      { code: 'function_stubbed', message: expect.stringContaining('1 functions in internal') },
    ]);
    expect((await ask('SELECT * FROM item WHERE v = native(1, 2)')).error).toContain(
      'function public.native is in internal',
    );
  });
});

it('names the first of many that could not be rebuilt, and counts the others', async () => {
  const source = await openSource(Math.max(...testMajors), ['CREATE TABLE item (id int PRIMARY KEY)']);
  const { snapshot } = source;
  const broken = Array.from({ length: 250 }, (_, at) => ({
    schema: 'public',
    name: `broken_${at}`,
    language: 'sql',
    volatility: 'i',
    definition: `CREATE FUNCTION public.broken_${at}(a no_such_type) RETURNS int\n LANGUAGE sql\nAS $$ SELECT 1 $$`,
  }));
  const sound = {
    ...broken[0],
    name: 'sound',
    definition: 'CREATE FUNCTION public.sound() RETURNS int\n LANGUAGE sql\nAS $$ SELECT 1 $$',
  };
  const twin = await openTwin({
    ...snapshot,
    schema: { ...snapshot.schema, functions: [...broken, sound as (typeof broken)[0]] },
  });
  expect(twin.limits).toHaveLength(21);
  expect(twin.limits.at(-1)?.message).toContain('230 more of kind function');
  const sql = 'SELECT sound() FROM item';
  expect((await twin.costs(asIs, [{ id: sql, query_id: sql, sql, weight: 1 }]))[0]?.error).toBeNull();
  await twin.close();
  await source.close();
});
