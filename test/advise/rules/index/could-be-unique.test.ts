import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/index/could-be-unique.ts';
import { draftSchema, type Snapshot, type Workload } from '../../../../src/domain/index.ts';
import { workloadFromSnapshot } from '../../../../src/workload/index.ts';
import { contextOf } from '../../../support/snapshot-builder.ts';
import { type SampleDatabase, sampleDatabase } from './context.ts';

let database: SampleDatabase;
let snapshot: Snapshot;
let workload: Workload;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
    CREATE TABLE t (id int PRIMARY KEY, "Code" text, again text, first text, said text, repeated int, counted text);
    INSERT INTO t SELECT g, md5(g::text), md5(g::text), md5(g::text), md5(g::text), g % 900, md5(g::text)
      FROM generate_series(1, 3000) g;
    CREATE INDEX by_code ON t ("Code");
    CREATE UNIQUE INDEX by_again ON t (again);
    ALTER TABLE t ALTER said SET (n_distinct = -1);
  `);
  // Not in the transaction of the load, whose rows would count as changes since.
  await database.query('ANALYZE t');
  const client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  for (let n = 1; n <= 100; n += 1) {
    for (const column of ['"Code"', 'again', 'said']) {
      await client.query(`SELECT id FROM t WHERE ${column} = md5($1::int::text)`, [n]);
    }
    await client.query('SELECT id FROM t WHERE first = md5($1::int::text) LIMIT 1', [n]);
    await client.query('SELECT count(*) FROM t WHERE counted = md5($1::int::text)', [n]);
    await client.query('SELECT id FROM t WHERE id = $1', [n]);
    await client.query('SELECT id FROM t WHERE repeated = $1 LIMIT 1', [n]);
  }
  await client.end();
  snapshot = await database.snapshot();
  workload = await workloadFromSnapshot(snapshot);
}, 60_000);
afterAll(async () => database?.close());

const found = async (of: Snapshot = snapshot, seen: Workload = workload) => {
  const { recommendations } = await rule.evaluate(contextOf(of, { workload: seen }));
  return recommendations.map((each) => draftSchema.parse(each));
};

test('a finding for what is distinct and asked for one row, with its index or without one', async () => {
  const drafts = await found();
  expect(drafts.map(({ key }) => key).sort()).toEqual([
    'finding could-be-unique public.t (Code)',
    'finding could-be-unique public.t (first)',
  ]);
  const code = drafts.find(({ key }) => key.includes('Code'));
  expect(code).toMatchObject({
    change: { kind: 'finding' },
    severity: 'info',
    title: expect.stringContaining('by_code could be unique'),
  });
  expect(code?.risk.notes[0]).toBe(
    'Look first: SELECT "Code", count(*) FROM public.t GROUP BY "Code" HAVING count(*) > 1;',
  );
});

test('quiet for few calls, more rows a call, and old statistics', async () => {
  const queries = (change: (query: Workload['queries'][number]) => Partial<Workload['queries'][number]>) => ({
    ...workload,
    queries: workload.queries.map((query) => ({ ...query, ...change(query) })),
  });
  expect(
    await found(
      snapshot,
      queries(() => ({ calls: 99, rows: 99 })),
    ),
  ).toEqual([]);
  expect(
    await found(
      snapshot,
      queries(({ calls }) => ({ rows: calls + 1 })),
    ),
  ).toEqual([]);
  expect(await found(snapshot, { ...workload, source: 'files' })).toEqual([]);
  const changed = {
    ...snapshot,
    tables: snapshot.tables.map((row) => ({ ...row, n_mod_since_analyze: 700 })),
  };
  expect(await found(changed)).toEqual([]);
});
