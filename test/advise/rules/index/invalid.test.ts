import { afterAll, beforeAll, expect, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/index/invalid.ts';
import type { Snapshot } from '../../../../src/domain/index.ts';
import { contextOf, dropped, type SampleDatabase, sampleDatabase } from './context.ts';

let database: SampleDatabase;
let snapshot: Snapshot;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE SCHEMA "Größe";
    CREATE TABLE "Größe"."Order" ("Id" int PRIMARY KEY, code int);
    INSERT INTO "Größe"."Order" SELECT g, g / 2 FROM generate_series(1, 1000) g;
    CREATE INDEX fine ON "Größe"."Order" (code);
    CREATE TABLE parts (id int, day date) PARTITION BY RANGE (day);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE INDEX parts_id ON ONLY parts (id);
  `);
  // A real leftover: the values are not unique, so the build fails at its end.
  await expect(
    database.query('CREATE UNIQUE INDEX CONCURRENTLY "Left over" ON "Größe"."Order" (code)'),
  ).rejects.toThrow(/could not create unique index/);
  snapshot = await database.snapshot();
});

afterAll(async () => database?.close());

test('an index that may still be being built is reported, not dropped', async () => {
  const result = await rule.evaluate(await contextOf(snapshot));
  expect(dropped(result.recommendations)).toEqual([]);
  expect(result.recommendations.map((each) => [each.change.kind, each.key])).toEqual([
    ['finding', 'index.invalid Größe.Left over'],
  ]);
  const [finding] = result.recommendations;
  expect(finding?.by_hand).toEqual([
    { dialect: 'sql', text: 'DROP INDEX CONCURRENTLY "Größe"."Left over";' },
  ]);
  expect(finding?.risk.notes.join(' ')).not.toContain('idx_scan');
});

test('what it was to be unique of is to be seen by the statement that is told', async () => {
  const result = await rule.evaluate(await contextOf(snapshot));
  const notes = result.recommendations[0]?.risk.notes.join(' ') ?? '';
  const [, look] = /(SELECT .* HAVING count\(\*\) > 1);/.exec(notes) ?? [];
  const twice = (await database.query(look ?? '')) as { rows: unknown[] };
  // g / 2: all but the first and the last are there twice.
  expect(twice.rows).toHaveLength(499);
});

test('once a younger index is valid, a leftover is to be dropped', async () => {
  await database.query('CREATE INDEX CONCURRENTLY again ON "Größe"."Order" (code, "Id")');
  const after = await database.snapshot();
  const result = await rule.evaluate(await contextOf(after));
  expect(dropped(result.recommendations)).toEqual(['Größe.Left over']);
  const [drop] = result.recommendations;
  expect(drop?.change).toMatchObject({ kind: 'index.drop', table: 'Order' });
  expect(drop?.risk.notes.join(' ')).toContain('pg_stat_progress_create_index');
  // No standby reads it, and one that is not ready spares no write when it goes.
  const { is_ready: isReady } = after.indexes.find(({ name }) => name === 'Left over') ?? {};
  expect(drop?.rationale.includes('spares every write')).toBe(isReady);
  expect(drop?.risk.notes.join(' ')).not.toMatch(/replica|standby/i);
  expect(drop?.risk.notes.join(' ')).toContain('The way back fails on them');
});

test('while REINDEX CONCURRENTLY may be at work, nothing goes', async () => {
  await database.query('ALTER INDEX "Größe"."Left over" RENAME TO fine_ccold');
  const result = await rule.evaluate(await contextOf(await database.snapshot()));
  expect(dropped(result.recommendations)).toEqual([]);
  expect(result.recommendations.map((each) => each.key)).toEqual(['index.invalid Größe.fine_ccold']);
});

test("a partitioned table's index that waits for its partitions is no leftover", async () => {
  const result = await rule.evaluate(await contextOf(snapshot));
  expect(result.rejections).toMatchObject([
    { candidate: 'drop public.parts_id', code: 'part_of_partitioned_index' },
  ]);
});
