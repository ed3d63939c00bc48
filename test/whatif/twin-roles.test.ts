import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlannableStatement, WhatIf } from '../../src/domain/index.ts';
import { openTwin } from '../../src/whatif/index.ts';
import { openSource, type Source } from './source.ts';

const asIs = { created: [], hidden: [] };
const sql = 'SELECT count(*) FROM item WHERE v < 3';

describe('the twin plans as a role’s sessions do', () => {
  let source: Source;
  let twin: WhatIf;
  beforeAll(async () => {
    source = await openSource(18, [
      `CREATE SCHEMA reporting; CREATE SCHEMA other;
       CREATE TABLE item (id int PRIMARY KEY, v int); CREATE INDEX item_v ON item (v);
       CREATE TABLE reporting.item (id int PRIMARY KEY, v int);
       CREATE TABLE other.item (id int PRIMARY KEY, v int);
       INSERT INTO item SELECT i, i % 100 FROM generate_series(1, 20000) AS i;
       INSERT INTO other.item SELECT i, i % 100 FROM generate_series(1, 5000) AS i;
       ALTER TABLE other.item ENABLE ROW LEVEL SECURITY`,
      'VACUUM ANALYZE',
    ]);
    const override = (role: string | null, database: string | null, name: string, value: string) => ({
      role,
      database,
      name,
      value,
    });
    // As pg_db_role_setting lists them: by role and database, nulls last.
    source.snapshot.setting_overrides = [
      override('elsewhere', null, 'search_path', 'other, public'),
      override('reporting', source.snapshot.server.database, 'enable_seqscan', 'on'),
      override('reporting', null, 'enable_seqscan', 'off'),
      override('scanner', null, 'enable_indexonlyscan', 'off'),
      override('scanner', null, 'enable_indexscan', 'off'),
      override('scanner', null, 'enable_bitmapscan', 'off'),
      override(null, source.snapshot.server.database, 'random_page_cost', '1.5'),
      override(null, null, 'random_page_cost', '9'),
      override(null, null, 'enable_sort', 'off'),
    ];
    twin = await openTwin(source.snapshot);
  }, 60_000);
  afterAll(async () => {
    await twin?.close();
    await source?.close();
  });

  const ask = async (role: string | null, settings: Record<string, string> = {}) => {
    const statement: PlannableStatement = { id: sql, query_id: sql, sql, weight: 1, role };
    const [answer] = await twin.costs({ ...asIs, settings }, [statement]);
    expect(answer?.error).toBeNull();
    return answer?.cost;
  };
  const real = async (settings: Record<string, string>) => {
    await source.client.query('BEGIN');
    for (const [name, value] of Object.entries(settings)) {
      await source.client.query('SELECT set_config($1, $2, true)', [name, value]);
    }
    const plan = await source.plan(sql);
    await source.client.query('ROLLBACK');
    return plan['Total Cost'];
  };
  const database = { random_page_cost: '1.5', enable_sort: 'off' };
  const scanner = {
    ...database,
    enable_indexonlyscan: 'off',
    enable_indexscan: 'off',
    enable_bitmapscan: 'off',
  };
  const elsewhere = { ...database, search_path: 'other, public' };

  it('what is set for the database goes before what is set for all', async () => {
    expect(await ask(null)).toBe(await real(database));
  });

  it('each statement by its own role, in any order, and none after it', async () => {
    for (const [role, settings] of [
      ['scanner', scanner],
      [null, database],
      ['elsewhere', elsewhere],
      ['scanner', scanner],
      ['nobody', database],
    ] as const) {
      expect([role, await ask(role)]).toEqual([role, await real(settings)]);
    }
    expect(await real(scanner)).not.toBe(await real(database));
    expect(await real(elsewhere)).not.toBe(await real(database));
  });

  it('$user in a search_path is the role’s own schema, a role’s setting for this database its nearest', async () => {
    expect(await ask('reporting')).toBe(
      await real({ ...database, search_path: 'reporting, public', enable_seqscan: 'on' }),
    );
  });

  it('what the question sets stands over any role’s, and leaves it as it was', async () => {
    const settings = { enable_indexscan: 'on', enable_indexonlyscan: 'on' };
    expect(await ask('scanner', settings)).toBe(await real({ ...scanner, ...settings }));
    expect(await ask('scanner')).toBe(await real(scanner));
    expect(await ask(null, settings)).toBe(await real({ ...database, ...settings }));
    expect(await ask(null)).toBe(await real(database));
  });
});
