import { afterAll, beforeAll, expect, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/index/duplicate.ts';
import type { RuleResult, Snapshot, WhatIf } from '../../../../src/domain/index.ts';
import { contextOf, dropped, type SampleDatabase, sampleDatabase, twinOf } from './context.ts';

let database: SampleDatabase;
let snapshot: Snapshot;
let whatIf: WhatIf;
let result: RuleResult;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE SCHEMA other;
    CREATE TABLE t (id int PRIMARY KEY, a int, b int, c text, d int, e int, "Größe" int);
    CREATE TABLE other.t (a int);
    INSERT INTO t SELECT g, g % 1000, g % 7, md5(g::text), g % 300, g % 10, g FROM generate_series(1, 100000) g;
    INSERT INTO other.t SELECT g FROM generate_series(1, 1000) g;
    CREATE INDEX a_1 ON t (a);
    CREATE INDEX a_2 ON t (a);
    CREATE INDEX other_a ON other.t (a);
    CREATE INDEX id_again ON t (id);
    CREATE INDEX b_asc ON t (b);
    CREATE INDEX b_desc ON t (b DESC);
    CREATE INDEX c_default ON t (c);
    CREATE INDEX c_pattern ON t (c text_pattern_ops);
    CREATE INDEX c_collated ON t (c COLLATE "C");
    CREATE INDEX c_expression ON t (lower(c));
    CREATE INDEX c_partial ON t (c) WHERE e = 1;
    CREATE INDEX d_short ON t (d);
    CREATE INDEX d_long ON t (d, e);
    CREATE INDEX d_again ON t (d);
    CREATE INDEX "Größe 1" ON t ("Größe");
    CREATE UNIQUE INDEX "Größe 2" ON t ("Größe");
    ANALYZE;
  `);
  snapshot = await database.snapshot();
  whatIf = await twinOf(snapshot);
  const sql = 'SELECT * FROM t WHERE d = 5; SELECT * FROM t WHERE a = 5;';
  result = await rule.evaluate(await contextOf(snapshot, { what_if: whatIf, sql }));
});

afterAll(async () => {
  await whatIf?.close();
  await database?.close();
});

test('one of two alike goes, never the one that enforces something', () => {
  const gone = dropped(result.recommendations);
  expect(gone).toContain('public.a_2');
  expect(gone).toContain('public.Größe 1');
  expect(gone).not.toContain('public.a_1');
  expect(gone).not.toContain('public.Größe 2');
  expect(gone).not.toContain('public.t_pkey');
});

test('what stays must be there when the other goes; the planner was asked, and replicas are no matter', () => {
  const draft = result.recommendations.find((each) => each.title.startsWith('public.a_2 '));
  expect(draft?.change).toMatchObject({
    covered_by: { schema: 'public', name: 'a_1', definition: 'CREATE INDEX a_1 ON public.t USING btree (a)' },
  });
  expect(draft?.evidence).toContainEqual(
    expect.objectContaining({ name: 'largest rise of a plan without it', value: 0, level: 'simulated' }),
  );
  expect(draft?.risk.notes.join(' ')).not.toMatch(/replica/i);
});

test('another schema, direction, operator class, collation, expression or predicate is no duplicate', () => {
  const gone = dropped(result.recommendations);
  for (const name of [
    'b_asc',
    'b_desc',
    'c_default',
    'c_pattern',
    'c_collated',
    'c_expression',
    'c_partial',
  ]) {
    expect(gone).not.toContain(`public.${name}`);
  }
  expect(gone).not.toContain('other.other_a');
});

test('where what stays goes itself in favour of a longer one, it says which drop comes first', () => {
  const again = result.recommendations.find(({ title }) => title === 'public.d_again duplicates d_short');
  const short = result.recommendations.find(({ title }) =>
    title.startsWith('public.d_short is a leading part'),
  );
  expect(again?.change).toMatchObject({ covered_by: { name: 'd_short' } });
  expect(short?.change).toMatchObject({ covered_by: { name: 'd_long' } });
  expect(short?.risk.notes).toContain('Drop d_again first: that counts on d_short being there.');
});

test('a plain index on the primary key is a duplicate of it', () => {
  expect(dropped(result.recommendations)).toContain('public.id_again');
});

test('a leading part goes only where a planner was asked', async () => {
  const unasked = await rule.evaluate(await contextOf(snapshot));
  expect(dropped(unasked.recommendations)).not.toContain('public.d_short');
  expect(unasked.rejections).toContainEqual(
    expect.objectContaining({ candidate: 'drop public.d_short', code: 'not_simulated' }),
  );
  const decided = [
    ...dropped(result.recommendations),
    ...result.rejections.map((each) => each.candidate.replace('drop ', '')),
  ];
  expect(decided).toContain('public.d_short');
  expect(dropped(result.recommendations)).not.toContain('public.d_long');
});

test('a valid index never goes in favour of an invalid one', async () => {
  const broken = await sampleDatabase(`
    CREATE TABLE t (a int);
    INSERT INTO t SELECT g FROM generate_series(1, 1000) g;
    CREATE INDEX failed ON t (a);
    CREATE INDEX again ON t (a);
    UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'failed'::regclass;
  `);
  try {
    const found = await rule.evaluate(await contextOf(await broken.snapshot()));
    expect(dropped(found.recommendations)).not.toContain('public.again');
  } finally {
    await broken.close();
  }
});
