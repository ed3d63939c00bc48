/** Columns that depend on each other, with what pg_stat_statements saw of them, and what creating the statistics brings. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/statistics/correlated-columns.ts';
import { buildPlan } from '../../../../src/apply/index.ts';
import {
  draftSchema,
  type RuleContext,
  type RuleResult,
  type Snapshot,
  type WhatIf,
  type Workload,
} from '../../../../src/domain/index.ts';
import { workloadFromSnapshot } from '../../../../src/workload/index.ts';
import { testServer } from '../../../support/servers.ts';
import { contextOf } from '../../../support/snapshot-builder.ts';
import { type SampleDatabase, sampleDatabase, twinOf } from '../index/context.ts';

const SCHEMA = `
  CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
  CREATE TABLE person (id int PRIMARY KEY, name text);
  CREATE TABLE address (id int PRIMARY KEY, person_id int, city int, zip int, flat int, colour int);
  INSERT INTO person SELECT g, md5(g::text) FROM generate_series(1, 60000) g;
  -- A zip is of one city; flat and colour depend on nothing.
  INSERT INTO address SELECT g, (g::bigint * 7919) % 60000 + 1, g % 40, g % 40 * 10, (g / 40) % 40, (g / 1600) % 40
    FROM generate_series(1, 64000) g;
  CREATE INDEX by_zip ON address (zip);
  CREATE INDEX by_flat ON address (flat);
  -- Else the session's own counts may come after the ANALYZE, and the tables look as if they had changed since.
  SELECT pg_stat_force_next_flush();
  VACUUM ANALYZE;
`;

const JOIN =
  'SELECT p.name FROM address a JOIN person p ON p.id = a.person_id WHERE a.city = $1 AND a.zip = $2';
const INDEPENDENT = JOIN.replace('a.city', 'a.colour').replace('a.zip', 'a.flat');
const GROUP = 'SELECT city, zip, count(*) FROM address GROUP BY city, zip';

describe.each([15, 18])('PostgreSQL %i', (major) => {
  let database: SampleDatabase;
  let client: pg.Client;
  let snapshot: Snapshot;
  let workload: Workload;
  let whatIf: WhatIf;
  let result: RuleResult;

  beforeAll(async () => {
    const server = await testServer({ major });
    database = await sampleDatabase('SELECT 1', server);
    // VACUUM goes alone.
    for (const statement of SCHEMA.split(';\n')) if (statement.trim()) await database.query(statement);
    client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    for (let n = 0; n < 20; n += 1) {
      await client.query(JOIN, [n, n * 10]);
      await client.query(INDEPENDENT, [n, n + 1]);
      await client.query(GROUP);
    }
    snapshot = await database.snapshot();
    workload = await workloadFromSnapshot(snapshot);
    whatIf = await twinOf(snapshot);
    result = await evaluate();
  }, 120_000);
  afterAll(async () => {
    await client?.end();
    await whatIf?.close();
    await database?.close();
  });

  const evaluate = async (parts: Partial<RuleContext> = {}) =>
    rule.evaluate(contextOf(snapshot, { workload, what_if: whatIf, ...parts }));
  const changesOf = ({ recommendations }: RuleResult) => recommendations.map(({ change }) => change);

  test('a pair that explains the observed rows, where a plan gets better', () => {
    const [draft] = result.recommendations.map((each) => draftSchema.parse(each));
    expect(draft?.change).toEqual({
      kind: 'statistics.create',
      schema: 'public',
      table: 'address',
      name: 'address_city_zip_stats',
      kinds: ['dependencies', 'mcv'],
      columns: ['city', 'zip'],
    });
    const value = (name: string) => draft?.evidence.find((each) => each.name === name)?.value;
    expect(value('rows a call')).toBe(1600);
    expect(Number(value('the planner expects'))).toBeLessThan(60);
    expect(Math.abs(Number(value('it expects with the statistics')) - 1600)).toBeLessThan(200);
    const [affected] = draft?.affects ?? [];
    expect(affected?.query).toContain('JOIN person');
    expect(affected?.cost_after).toBeLessThan((affected?.cost_before ?? 0) * 0.95);
    expect(draft?.evidence.find(({ name }) => name === 'plan')?.value).toMatch(/Nested Loop.* → .*Hash Join/);
  });

  test('not of columns that are independent, nor where the plan stays as it is', () => {
    expect(changesOf(result)).toHaveLength(1);
    const said = JSON.stringify([result.recommendations, result.rejections]);
    expect(said).not.toContain('colour');
    // 1,600 groups expected, 40 come: a hash holds either.
    expect(result.rejections).toContainEqual(
      expect.objectContaining({
        candidate: 'statistics on public.address (city, zip)',
        code: 'no_plan_change',
        reason: expect.stringContaining('where 40 come'),
      }),
    );
  });

  test('not without rows that were observed, a planner, or many calls', async () => {
    const quiet = [
      { workload: { ...workload, source: 'files' as const } },
      { what_if: null },
      { workload: { ...workload, queries: workload.queries.map((query) => ({ ...query, calls: 9 })) } },
    ];
    for (const parts of quiet) {
      expect(await evaluate(parts)).toMatchObject({ recommendations: [], rejections: [] });
    }
  });

  test('what was simulated comes about: the real planner then plans as was said', async () => {
    const [change] = changesOf(result);
    const plan = async () => {
      const { rows } = await client.query(
        `EXPLAIN (FORMAT JSON) ${JOIN.replace('$1', '7').replace('$2', '70')}`,
      );
      return JSON.stringify(rows[0]['QUERY PLAN']);
    };
    expect(await plan()).toContain('Nested Loop');
    if (!change) throw new Error('nothing was recommended');
    const { statements, rollback } = buildPlan(change);
    for (const statement of statements) await client.query(statement);
    expect(await plan()).toContain('Hash Join');
    const after = await database.snapshot();
    const again = await evaluate({ snapshot: after });
    expect(again.recommendations).toEqual([]);
    expect(again.rejections).toContainEqual(expect.objectContaining({ code: 'exists' }));
    for (const statement of rollback) await client.query(statement);
    expect(await plan()).toContain('Nested Loop');
  });

  test('statistics of a table that has changed since come first', async () => {
    const changed = {
      ...snapshot,
      tables: snapshot.tables.map((row) => ({ ...row, n_mod_since_analyze: 30_000 })),
    };
    const { recommendations, rejections } = await evaluate({ snapshot: changed });
    expect(recommendations).toEqual([]);
    expect(new Set(rejections.map(({ code }) => code))).toEqual(new Set(['statistics_stale']));
  });
});
