import { afterAll, beforeAll, expect, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/index/unused.ts';
import type { Snapshot } from '../../../../src/domain/index.ts';
import { contextOf, dropped, type SampleDatabase, sampleDatabase } from './context.ts';

let database: SampleDatabase;
let snapshot: Snapshot;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE TABLE parent (id int PRIMARY KEY);
    INSERT INTO parent VALUES (1);
    CREATE TABLE t (id int PRIMARY KEY, a int, u int, parent_id int REFERENCES parent, used int);
    INSERT INTO t SELECT g, g, g, 1, g FROM generate_series(1, 200000) g;
    CREATE INDEX unused_a ON t (a);
    CREATE UNIQUE INDEX unused_u ON t (u);
    CREATE INDEX t_parent ON t (parent_id, a);
    CREATE INDEX used ON t (used);
    ANALYZE;
    SELECT count(*) FROM t WHERE used = 5;
    SELECT pg_stat_force_next_flush();
  `);
  await database.query('SELECT 1');
  snapshot = await database.snapshot();
});

afterAll(async () => database?.close());

/** The same counters, begun so long ago. */
function aged(days: number): Snapshot {
  const stats_reset = new Date(Date.parse(snapshot.taken_at) - days * 86_400_000).toISOString();
  return { ...snapshot, server: { ...snapshot.server, stats_reset } };
}

test('only what was never scanned and holds nothing goes', async () => {
  const result = await rule.evaluate(await contextOf(aged(30)));
  expect(dropped(result.recommendations)).toEqual(['public.unused_a']);
  expect(result.rejections.map((each) => [each.candidate, each.code])).toEqual(
    expect.arrayContaining([
      ['drop public.unused_u', 'enforces_uniqueness'],
      ['drop public.t_parent', 'supports_foreign_key'],
    ]),
  );
  expect(result.limits.map((limit) => limit.code)).toEqual(['replicas_not_seen']);
});

test('young statistics are a reason given, not silence', async () => {
  const result = await rule.evaluate(await contextOf(aged(6.9)));
  expect(result.recommendations).toEqual([]);
  expect(result.rejections).toContainEqual(
    expect.objectContaining({ candidate: 'drop public.unused_a', code: 'statistics_too_young' }),
  );
});

test("a standby's counters tell nothing of the primary's use", async () => {
  const standby = { ...aged(30), server: { ...aged(30).server, in_recovery: true } };
  const result = await rule.evaluate(await contextOf(standby));
  expect(result.recommendations).toEqual([]);
});
