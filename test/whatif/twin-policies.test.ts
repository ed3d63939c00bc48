/** Row-level security: what a role's statements are planned as in the twin and on the server that it was taken of. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PlannableStatement, quoteIdentifier as q, type WhatIf } from '../../src/domain/index.ts';
import { availableMajors } from '../../src/embedded/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { testMajors } from '../support/servers.ts';
import { openSource, type PlanNode, type Source, shapeOf } from './source.ts';

const majors = availableMajors().includes(14) && !testMajors.includes(14) ? [14, ...testMajors] : testMajors;
const asIs = { created: [], hidden: [] };

describe.each(majors)('policies in the twin of PostgreSQL %i', (major) => {
  const run = Math.random().toString(36).slice(2, 8);
  const name = (role: string) => `rls ${role} ${run}`;
  const names = ['owner', 'clerk', 'lead', 'group', 'unbound', 'bypass', 'reader'];
  const [owner, clerk, lead, group, , bypass, reader] = names.map((role) => q(name(role)));
  let source: Source;
  let twin: WhatIf;
  beforeAll(async () => {
    source = await openSource(major, [
      names.map((role) => `CREATE ROLE ${q(name(role))}`).join(';'),
      `ALTER ROLE ${bypass} BYPASSRLS; GRANT ${group} TO ${lead};
       CREATE TABLE account (id int PRIMARY KEY, clerk text, region int, amount int);
       INSERT INTO account SELECT i, 'clerk ' || i % 500, i % 40, 20000 - i FROM generate_series(1, 20000) AS i;
       CREATE INDEX account_clerk ON account (clerk); CREATE INDEX account_region ON account (region);
       CREATE INDEX account_amount ON account (amount);
       CREATE TABLE membership (role text, region int);
       INSERT INTO membership SELECT '${name('clerk')}', i FROM generate_series(1, 5) AS i;
       INSERT INTO membership SELECT 'somebody ' || i, i % 40 FROM generate_series(1, 3000) AS i;
       CREATE INDEX membership_role ON membership (role);
       CREATE POLICY of_clerk ON account TO ${clerk} USING (clerk = 'clerk 7');
       CREATE POLICY of_group ON account FOR SELECT TO ${group} USING (region = 3);
       CREATE POLICY more_of_group ON account FOR UPDATE TO ${group} USING (amount < 100) WITH CHECK (amount < 200);
       CREATE POLICY never_all ON account AS RESTRICTIVE USING (amount <> 5);
       CREATE POLICY of_reader ON account FOR SELECT TO ${reader}
         USING (region IN (SELECT m.region FROM membership AS m WHERE m.role = current_user));
       ALTER TABLE account ENABLE ROW LEVEL SECURITY; ALTER TABLE account OWNER TO ${owner};
       CREATE TABLE forced (id int PRIMARY KEY, v int); INSERT INTO forced SELECT i, i % 50 FROM generate_series(1, 5000) AS i;
       CREATE POLICY of_all ON forced USING (v = 3); ALTER TABLE forced ENABLE ROW LEVEL SECURITY;
       ALTER TABLE forced FORCE ROW LEVEL SECURITY; ALTER TABLE forced OWNER TO ${owner};
       CREATE TABLE named (id int PRIMARY KEY, whose name);
       INSERT INTO named SELECT i, CASE WHEN i % 3 = 0 THEN '${name('clerk')}' ELSE 'other ' || i END FROM generate_series(1, 5000) AS i;
       CREATE INDEX named_whose ON named (whose);
       CREATE POLICY mine ON named USING (whose = current_user); ALTER TABLE named ENABLE ROW LEVEL SECURITY;
       CREATE VIEW as_owner AS SELECT * FROM account WHERE amount < 9000; ALTER VIEW as_owner OWNER TO ${owner};
       CREATE VIEW as_clerk AS SELECT * FROM account WHERE amount < 9000; ALTER VIEW as_clerk OWNER TO ${clerk};
       CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM account WHERE amount % 7 = 1; ALTER VIEW barrier OWNER TO ${clerk};
       ${major >= 15 ? 'CREATE VIEW as_caller WITH (security_invoker) AS SELECT * FROM account WHERE amount < 9000;' : ''}
       GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC`,
      'VACUUM ANALYZE',
    ]);
    twin = await openTwin(source.snapshot);
  }, 120_000);
  afterAll(async () => {
    await twin?.close();
    await source?.client.query(
      ['DROP OWNED BY', 'DROP ROLE']
        .map(
          (what) =>
            `${what} ${names.map((role) => q(name(role))).join(', ')}${what === 'DROP ROLE' ? '' : ' CASCADE'}`,
        )
        .join(';'),
    );
    await source?.close();
  });

  const both = async (role: string | null, sql: string) => {
    const statement: PlannableStatement = { id: sql, query_id: sql, sql, weight: 1, role };
    const [answer] = await twin.costs(asIs, [statement]);
    const [planned] = answer?.error ? [] : ((await twin.explain(asIs, statement)) as { Plan: PlanNode }[]);
    await source.client.query(role === null ? 'RESET ROLE' : `SET ROLE ${q(role)}`);
    const real = await source.plan(sql);
    await source.client.query('RESET ROLE');
    return {
      twin: { error: answer?.error, cost: answer?.cost, shape: planned ? shapeOf(planned.Plan) : null },
      real: { error: null, cost: real['Total Cost'], shape: shapeOf(real) },
    };
  };

  it('has no limits', () => expect(twin.limits).toEqual([]));

  const statements = [
    'SELECT * FROM account WHERE amount = 77',
    'SELECT count(*) FROM account',
    "SELECT * FROM account WHERE clerk = 'clerk 7' AND region < 4",
    'UPDATE account SET amount = 150 WHERE region = 4',
    "INSERT INTO account VALUES (0, 'clerk 7', 3, 4)",
    'DELETE FROM account WHERE id = 5',
    'SELECT * FROM forced WHERE id < 100',
    'SELECT * FROM named',
    'SELECT * FROM as_owner WHERE region = 3',
    'SELECT * FROM as_clerk WHERE region = 3',
    'SELECT * FROM barrier WHERE length(clerk) = 3 AND region = 3',
    ...(major >= 15 ? ['SELECT * FROM as_caller WHERE region = 3'] : []),
    'SELECT * FROM account AS a JOIN named AS n USING (id) WHERE a.amount BETWEEN 300 AND 500',
  ];
  it.each(names)('plans as the real server does for the role %s', async (role) => {
    for (const sql of statements) {
      const { twin: planned, real } = await both(name(role), sql);
      expect([sql, planned]).toEqual([sql, real]);
    }
  });

  it('binds each role as it is bound, and nobody whose role is not known', async () => {
    const sql = 'SELECT count(*) FROM account';
    const costs = new Map<string | null, unknown>();
    for (const role of names) costs.set(role, (await both(name(role), sql)).twin.cost);
    expect(costs.get('bypass')).toBe(costs.get('owner'));
    expect(new Set(costs.values()).size).toBe(5);
    // As the superuser: policies pass it by.
    const { twin: planned, real } = await both(null, sql);
    expect((await both('postgres', sql)).twin).toEqual(real);
    expect(planned).toEqual(real);
    const [unknown] = await twin.costs(asIs, [
      { id: sql, query_id: sql, sql, weight: 1, role: 'no such role' },
    ]);
    expect(unknown?.cost).toBe(real.cost);
  });

  it('asks for statements of many roles at once, and for candidates', async () => {
    const handle = await twin.addIndex(
      {
        schema: 'public',
        table: 'account',
        name: 'both',
        method: 'btree',
        unique: false,
        keys: ['clerk', 'amount'].map((column) => ({
          column,
          expression: null,
          opclass: null,
          collation: null,
          direction: 'asc',
          nulls: 'last',
        })),
        include: [],
        where: null,
        options: {},
      },
      { pages: 90, tuples: 20_000, tree_height: 1 },
    );
    const sql = 'SELECT * FROM account WHERE amount = 77';
    const asked = names.map((role) => ({ id: role, query_id: sql, sql, weight: 1, role: name(role) }));
    const before = await twin.costs(asIs, asked);
    const after = await twin.costs({ created: [handle], hidden: [] }, asked);
    for (const [position, role] of names.entries()) {
      const uses = after[position]?.indexes.includes(handle);
      expect([role, uses]).toEqual([role, role === 'clerk']);
      if (!uses) expect(after[position]).toEqual(before[position]);
    }
  });

  it.skipIf(major !== majors.at(-1))('says where it cannot bind anybody', async () => {
    const sql = 'SELECT count(*) FROM account';
    const { schema, ...rest } = source.snapshot;
    const { policies = [], ...older } = schema;
    const ofClerk = { id: sql, query_id: sql, sql, weight: 1, role: name('clerk') };
    const free = (await both(null, sql)).real.cost;
    const before = await openTwin({ ...rest, schema: older });
    expect(before.limits).toMatchObject([{ code: 'policies_not_simulated' }]);
    expect((await before.costs(asIs, [ofClerk]))[0]?.cost).toBe(free);
    await before.close();
    const broken = policies.map((policy) =>
      policy.name === 'of_clerk' ? { ...policy, using_expression: 'no_such_function(clerk)' } : policy,
    );
    const partly = await openTwin({ ...rest, schema: { ...older, policies: broken } });
    expect(partly.limits.map((limit) => [limit.code, limit.message])).toEqual([
      ['object_not_rebuilt', expect.stringContaining('of_clerk of public.account')],
      ['policy_not_rebuilt', expect.stringContaining('public.account ')],
    ]);
    expect((await partly.costs(asIs, [ofClerk]))[0]?.cost).toBe(free);
    const forced = 'SELECT * FROM forced WHERE id < 100';
    expect((await partly.costs(asIs, [{ ...ofClerk, sql: forced }]))[0]?.cost).toBe(
      (await both(name('clerk'), forced)).real.cost,
    );
    await partly.close();
  });
});
