/** Policies and views of applications with many tenants: who is asking stands in a setting that only their sessions have. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlannableStatement, WhatIf } from '../../src/domain/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { settingsRead } from '../../src/whatif/twin/application-settings.ts';
import { testMajors } from '../support/servers.ts';
import { openSource, type PlanNode, type Source, shapeOf } from './source.ts';

const asIs = { created: [], hidden: [] };
const uuid = (i: number | string) => `00000000-0000-4000-8000-00000000000${i}`;

describe.each([Math.min(...testMajors), Math.max(...testMajors)])(
  'settings of the application, PostgreSQL %i',
  (major) => {
    const role = `tenant_${Math.random().toString(36).slice(2, 8)}`;
    let source: Source;
    let twin: WhatIf;
    beforeAll(async () => {
      source = await openSource(major, [
        `CREATE TABLE orders (id int PRIMARY KEY, tenant_id int, placed int);
       INSERT INTO orders SELECT i, CASE WHEN i % 10 < 4 THEN 42 ELSE i % 90 END, i FROM generate_series(1, 20000) AS i;
       CREATE INDEX orders_tenant ON orders (tenant_id, placed);
       CREATE POLICY tenant ON orders USING (tenant_id = current_setting('app.tenant')::int);
       CREATE TABLE users (id uuid, place int);
       INSERT INTO users SELECT ('00000000-0000-4000-8000-00000000000' || CASE WHEN i % 3 = 0 THEN 5 ELSE i % 10 END)::uuid, i FROM generate_series(1, 9000) AS i;
       CREATE INDEX users_id ON users (id);
       CREATE SCHEMA auth;
       CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT nullif(current_setting('jwt.claims', true)::jsonb ->> 'sub', '')::uuid $$;
       CREATE FUNCTION auth.person() RETURNS uuid LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_setting('app.person'); END $$;
       CREATE POLICY own ON users USING (id = auth.person()); CREATE POLICY also ON users FOR UPDATE USING (id = auth.uid());
       CREATE TABLE flagged (id int PRIMARY KEY, v int); INSERT INTO flagged SELECT i, i % 30 FROM generate_series(1, 5000) AS i;
       CREATE POLICY all_or_some ON flagged USING (current_setting('app.all', true) = 'on' OR v = current_setting('app.v')::int);
       CREATE VIEW of_tenant AS SELECT * FROM orders AS o WHERE o.tenant_id = current_setting('view.tenant')::int;
       CREATE ROLE ${role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}; GRANT USAGE ON SCHEMA auth TO ${role};
       ALTER TABLE orders ENABLE ROW LEVEL SECURITY; ALTER TABLE users ENABLE ROW LEVEL SECURITY; ALTER TABLE flagged ENABLE ROW LEVEL SECURITY`,
        'VACUUM ANALYZE',
      ]);
      twin = await openTwin(source.snapshot);
    }, 120_000);
    afterAll(async () => {
      await twin?.close();
      await source?.client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      await source?.close();
    });

    it.each([
      ['SELECT * FROM orders WHERE placed > 500', { 'app.tenant': '42' }],
      ['SELECT * FROM users WHERE place > 8000', { 'app.person': uuid(5) }],
      ['SELECT * FROM flagged', { 'app.v': '0' }],
      ['SELECT * FROM of_tenant', { 'view.tenant': '42' }],
    ])('plans as with a frequent value: %s', async (sql, settings) => {
      const asked = sql.includes('of_tenant') ? null : role;
      const statement: PlannableStatement = { id: sql, query_id: sql, sql, weight: 1, role: asked };
      const [answer] = await twin.costs(asIs, [statement]);
      expect(answer?.error).toBeNull();
      const [planned] = (await twin.explain(asIs, statement)) as { Plan: PlanNode }[];
      await source.client.query(asked === null ? 'RESET ROLE' : `SET ROLE ${asked}`);
      for (const [name, value] of Object.entries({ ...settings, 'app.all': 'off' })) {
        await source.client.query('SELECT set_config($1, $2, false)', [name, value]);
      }
      const real = await source.plan(sql);
      await source.client.query('RESET ROLE');
      expect([shapeOf(planned?.Plan as PlanNode), answer?.cost]).toEqual([shapeOf(real), real['Total Cost']]);
    });

    it('says which', () => {
      expect(twin.limits).toMatchObject([
        { code: 'application_settings_assumed', message: expect.stringContaining('app.tenant') },
      ]);
      expect(twin.limits[0]?.message).not.toContain('42');
    });
  },
);

describe('settings that a text reads', () => {
  it('are those of applications, wherever they stand', () => {
    const text =
      "(a = (current_setting('app.x'::text))::int) OR CURRENT_SETTING( 'app.y', true) = 'current_setting(' OR current_setting('timezone') = b";
    expect([...settingsRead(text).keys()]).toEqual(['app.x', 'app.y']);
    expect(settingsRead("current_setting('app.unfinished").size).toBe(0);
    expect(settingsRead('current_setting(name)').size).toBe(0);
  });
});

describe('functions that look up who is asking', () => {
  it('answer with a frequent value of the column they are compared with', async () => {
    const role = `lookup_${Math.random().toString(36).slice(2, 8)}`;
    const source = await openSource(Math.max(...testMajors), [
      `CREATE TABLE member (login name PRIMARY KEY, org int);
       CREATE TABLE doc (id int PRIMARY KEY, org int, size int);
       INSERT INTO doc SELECT i, CASE WHEN i % 10 < 3 THEN 7 ELSE i % 400 END, i FROM generate_series(1, 20000) AS i;
       CREATE INDEX doc_org ON doc (org);
       CREATE FUNCTION my_org() RETURNS int LANGUAGE sql STABLE AS $$ SELECT org FROM member WHERE login = current_user $$;
       CREATE FUNCTION his_org() RETURNS int LANGUAGE plpgsql STABLE COST 7 AS $$ BEGIN RETURN (SELECT org FROM member WHERE login = current_user); END $$;
       CREATE FUNCTION her_org() RETURNS int STABLE BEGIN ATOMIC SELECT org FROM member WHERE login = current_user; END;
       CREATE FUNCTION nobody() RETURNS text LANGUAGE sql STABLE AS $$ SELECT login::text FROM member $$;
       CREATE POLICY same_org ON doc USING (org = my_org());
       CREATE VIEW his AS SELECT * FROM doc AS d WHERE d.org = his_org(); CREATE VIEW hers AS SELECT * FROM doc AS d WHERE d.org = her_org();
       CREATE ROLE ${role}; INSERT INTO member VALUES ('${role}', 7), (current_user, 7);
       GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role}; ALTER TABLE doc ENABLE ROW LEVEL SECURITY`,
      'VACUUM ANALYZE',
    ]);
    const twin = await openTwin(source.snapshot);
    for (const [asked, sql] of [
      [role, 'SELECT * FROM doc WHERE size < 9000'],
      [null, 'SELECT * FROM his WHERE size < 9000'],
      [null, 'SELECT * FROM hers WHERE size < 9000'],
    ] as const) {
      await source.client.query(asked === null ? 'RESET ROLE' : `SET ROLE ${asked}`);
      const real = await source.plan(sql);
      await source.client.query('RESET ROLE');
      const [answer] = await twin.costs(asIs, [{ id: sql, query_id: sql, sql, weight: 1, role: asked }]);
      expect([sql, answer?.error, answer?.cost]).toEqual([sql, null, real['Total Cost']]);
    }
    expect(twin.limits.map((limit) => limit.code)).toEqual(['function_answers_assumed']);
    expect(twin.limits[0]?.message).toContain('public.my_org, public.his_org, public.her_org.');
    await twin.close();
    await source.client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await source.close();
  });
});
