import { afterAll, beforeAll, expect, test } from 'vitest';
import { runRules } from '../../../../src/advise/engine.ts';
import { rule as missing } from '../../../../src/advise/rules/index/missing.ts';
import { rule } from '../../../../src/advise/rules/index/unindexed-foreign-key.ts';
import type { RuleResult, Snapshot, WhatIf } from '../../../../src/domain/index.ts';
import { contextOf, created, type SampleDatabase, sampleDatabase, twinOf } from './context.ts';

let database: SampleDatabase;
let snapshot: Snapshot;
let whatIf: WhatIf;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE SCHEMA other;
    CREATE TABLE "Parent" ("Id" int PRIMARY KEY);
    CREATE TABLE quiet (id int PRIMARY KEY);
    CREATE TABLE "Child" (id int, "parentId" int REFERENCES "Parent", quiet_id int REFERENCES quiet, pad text);
    CREATE TABLE other."Child" (id int, "parentId" int REFERENCES "Parent", pad text);
    CREATE TABLE small (id int, parent_id int REFERENCES "Parent");
    CREATE TABLE partly (id int, parent_id int REFERENCES "Parent", pad text);
    CREATE TABLE pairs (a int, b int, PRIMARY KEY (a, b));
    CREATE TABLE paired (id int, a int, b int, pad text, FOREIGN KEY (a, b) REFERENCES pairs (a, b));
    INSERT INTO "Parent" SELECT generate_series(1, 5000);
    INSERT INTO quiet SELECT generate_series(1, 10);
    INSERT INTO pairs SELECT g, g FROM generate_series(1, 1000) g;
    INSERT INTO "Child" SELECT g, g % 4000 + 1, 1, repeat('x', 100) FROM generate_series(1, 50000) g;
    INSERT INTO other."Child" SELECT g, g % 4000 + 1, repeat('x', 100) FROM generate_series(1, 50000) g;
    INSERT INTO partly SELECT g, g % 4000 + 1, repeat('x', 100) FROM generate_series(1, 50000) g;
    INSERT INTO paired SELECT g, g % 900 + 1, g % 900 + 1, repeat('x', 100) FROM generate_series(1, 50000) g;
    INSERT INTO small SELECT g, g FROM generate_series(1, 10) g;
    CREATE INDEX served ON other."Child" ("parentId", id);
    CREATE INDEX not_enough ON partly (parent_id) WHERE id < 100;
    CREATE INDEX other_order ON paired (b, a, id);
    DELETE FROM "Parent" WHERE "Id" > 4900;
    DELETE FROM pairs WHERE a > 950;
    ANALYZE;
  `);
  await database.query('SELECT pg_stat_force_next_flush()');
  snapshot = await database.snapshot();
  whatIf = await twinOf(snapshot);
});

afterAll(async () => {
  await whatIf?.close();
  await database?.close();
});

test('an index where parents are deleted, none where it is served, small, or no parent goes', async () => {
  const result = await rule.evaluate(await contextOf(snapshot, { what_if: whatIf }));
  expect(created(result.recommendations).toSorted()).toEqual([
    'public."Child" USING btree ("parentId")',
    'public.partly USING btree (parent_id)',
  ]);
  const codes = result.rejections.map((each) => [each.candidate, each.code]).toSorted();
  expect(codes).toEqual([
    ['index on public.Child (quiet_id) for Child_quiet_id_fkey', 'no_parent_changes'],
    ['index on public.small (parent_id) for small_parent_id_fkey', 'no_gain'],
  ]);
  for (const { estimate, evidence } of result.recommendations) {
    expect(evidence).toContainEqual(expect.objectContaining({ value: 100, unit: 'rows' }));
    expect(estimate.write_overhead).toBe(evidence.find(({ name }) => name.startsWith('write cost'))?.value);
    expect(estimate.build_seconds).toBeGreaterThan(0);
    expect(estimate.cost_before).toBeGreaterThan(10 * (estimate.cost_after ?? Number.POSITIVE_INFINITY));
  }
});

test('none where the table is written more than the parents that go can save', async () => {
  const written = structuredClone(snapshot);
  const child = written.tables.find(({ schema, name }) => schema === 'public' && name === 'Child');
  if (!child) throw new Error('there is no Child');
  // Two million rows came and went.
  child.n_tup_ins += 2_000_000;
  const result = await rule.evaluate(await contextOf(written, { what_if: whatIf }));
  expect(created(result.recommendations)).toEqual(['public.partly USING btree (parent_id)']);
  const [rejected] = result.rejections.filter(({ code }) => code === 'writes_cost_more');
  expect(rejected?.candidate).toContain('"public.Child (parentId)'.slice(1));
  expect(rejected?.reason).toMatch(/would pay [\d,]+ for it.* save [\d,]+ /);
});

test('one whose table was loaded since ANALYZE says so', async () => {
  const loaded = structuredClone(snapshot);
  for (const table of loaded.tables) table.n_mod_since_analyze = table.name === 'partly' ? 200_000 : 0;
  const { recommendations } = await rule.evaluate(await contextOf(loaded, { what_if: whatIf }));
  const [partly, others] = ['partly', 'Child'].map((name) =>
    recommendations.filter(({ change }) => change.kind === 'index.create' && change.index.table === name),
  );
  expect(partly?.map(({ risk }) => risk.notes)).toEqual([
    expect.arrayContaining([expect.stringContaining('run ANALYZE public.partly')]),
  ]);
  expect(others?.flatMap(({ risk }) => risk.notes)).not.toContainEqual(expect.stringContaining('ANALYZE'));
  expect(partly?.[0]?.confidence).toBeLessThan(others?.[0]?.confidence ?? 0);
});

test('one that index/missing advises for the workload does it; where that advises none, the look-ups are asked about', async () => {
  const advised = async (sql: string) =>
    runRules([missing, rule], await contextOf(snapshot, { what_if: whatIf, sql }));
  const onChild = (result: RuleResult) =>
    created(result.recommendations).filter((index) => index.includes('"Child"'));
  const asked = await advised(
    '-- calls: 50\nSELECT id FROM "Child" WHERE "parentId" = 7 ORDER BY id LIMIT 1;',
  );
  expect(onChild(asked)).toEqual([expect.stringContaining('USING btree ("parentId", id)')]);
  expect(asked.rejections).toContainEqual(
    expect.objectContaining({
      rule: rule.id,
      code: 'said_elsewhere',
      candidate: expect.stringContaining('parentId'),
    }),
  );
  // It reads all rows with and without.
  const joined = await advised(
    '-- calls: 50\nSELECT count(*) FROM "Child" c JOIN "Parent" p ON p."Id" = c."parentId";',
  );
  expect(onChild(joined)).toEqual(['public."Child" USING btree ("parentId")']);
});

test('parents that statements of files delete count, whatever the counters say', async () => {
  const sql =
    '-- calls: 40\nDELETE FROM quiet WHERE id = 3;\n-- calls: 7\nDELETE FROM "Parent" WHERE "Id" = 4;';
  const result = await rule.evaluate(await contextOf(snapshot, { what_if: whatIf, sql }));
  expect(created(result.recommendations).toSorted()).toEqual([
    'public."Child" USING btree ("parentId")',
    'public.partly USING btree (parent_id)',
  ]);
  const deletes = result.recommendations.map(({ evidence }) => evidence[0]?.value);
  expect(deletes).toEqual([7, 7]);
});

test('an index without the nulls serves, one without other rows does not', async () => {
  await database.query('CREATE INDEX no_nulls ON "Child" ("parentId") WHERE "parentId" IS NOT NULL');
  await database.query('CREATE INDEX other_nulls ON partly (parent_id) WHERE pad IS NOT NULL');
  try {
    const served = await database.snapshot();
    const result = await rule.evaluate(await contextOf(served, { what_if: whatIf }));
    expect(created(result.recommendations)).toEqual(['public.partly USING btree (parent_id)']);
  } finally {
    await database.query('DROP INDEX no_nulls, other_nulls');
  }
});

test('without a planner it says so', async () => {
  const result = await rule.evaluate(await contextOf(snapshot));
  expect(result.recommendations).toEqual([]);
  expect(result.rejections.filter((each) => each.code === 'not_simulated')).toHaveLength(3);
});
