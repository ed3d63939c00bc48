import { afterAll, beforeAll, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import {
  type AffectedStatement,
  draftSchema,
  PgLuthierError,
  type PlanTree,
  type RuleResult,
  type Snapshot,
  type WhatIf,
} from '../../../src/domain/index.ts';
import { contextOf, type SampleDatabase, sampleDatabase, twinOf } from '../rules/index/context.ts';

let database: SampleDatabase;
let snapshot: Snapshot;
let whatIf: WhatIf;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE SCHEMA other;
    CREATE TABLE posts (id int PRIMARY KEY, author int, state text, at timestamptz, pad text);
    INSERT INTO posts SELECT g, g * 7919 % 5000, CASE WHEN g % 500 = 0 THEN 'rare' ELSE 'common' END,
      timestamptz '2024-01-01' + g * interval '1 minute', repeat('p', 80) FROM generate_series(1, 100000) g;
    CREATE TABLE other.posts (id int, author int, pad text);
    INSERT INTO other.posts SELECT g, g * 7919 % 9000, repeat('o', 90) FROM generate_series(1, 50000) g;
    CREATE TABLE events (id bigint, at timestamptz, kind int, note text) PARTITION BY RANGE (at);
    DO $$ BEGIN FOR month IN 1..12 LOOP
      EXECUTE format('CREATE TABLE events_%s PARTITION OF events FOR VALUES FROM (%L) TO (%L)', month,
        make_date(2024, month, 1), make_date(2024, month, 1) + interval '1 month');
    END LOOP; END $$;
    INSERT INTO events SELECT g, timestamptz '2024-01-01 12:00+00' + g % 350 * interval '1 day', g * 7 % 900,
      repeat('e', 40) FROM generate_series(1, 60000) g`);
  await database.query('VACUUM ANALYZE');
  snapshot = await database.snapshot();
  whatIf = await twinOf(snapshot);
});

afterAll(async () => {
  await whatIf?.close();
  await database?.close();
});

/** The rule's result, and how often it asked for a whole plan. */
async function advise(sql: string, failure?: Error): Promise<{ result: RuleResult; asked: string[] }> {
  const asked: string[] = [];
  const explain: WhatIf['explain'] = (configuration, statement) => {
    asked.push(`${configuration.created.length > 0 ? 'after' : 'before'} ${statement.query_id}`);
    return failure ? Promise.reject(failure) : whatIf.explain(configuration, statement);
  };
  const counting = new Proxy(whatIf, {
    get: (engine, name) => {
      if (name === 'explain') return explain;
      const value = Reflect.get(engine, name, engine);
      return typeof value === 'function' ? value.bind(engine) : value;
    },
  });
  return {
    result: await rule.evaluate(await contextOf(snapshot, { what_if: counting, sql })),
    asked,
  };
}

const plannedOf = (result: RuleResult): AffectedStatement[][] =>
  result.recommendations.map(({ affects }) => affects.filter((item) => item.plan_change !== undefined));
const textsOf = (statement: AffectedStatement | undefined) =>
  statement?.plan_change?.changes.map(({ text }) => text) ?? [];
const scanOf = (tree: PlanTree | undefined): PlanTree | undefined =>
  tree && tree.children.length > 0 ? scanOf(tree.children[0]) : tree;

test('a statement shows its plan before and after, with the index by its name and the table by its schema', async () => {
  const { result } = await advise('SELECT * FROM other.posts WHERE author = 17');
  const [[only] = []] = plannedOf(result);
  expect(textsOf(only)[0]).toMatch(
    /^other\.posts: Seq Scan → (Bitmap Heap|Index) Scan using posts_author_idx$/,
  );
  expect(textsOf(only).at(-1)).toMatch(/^cost: /);
  expect(scanOf(only?.plan_change?.before)).toMatchObject({ schema: 'other', relation: 'posts' });
  expect(JSON.stringify(result)).not.toContain('pgluthier_candidate');
  for (const draft of result.recommendations) expect(draftSchema.parse(draft)).toEqual(draft);
});

test('the plan’s costs are those that the advice goes by', async () => {
  const { result } = await advise('SELECT * FROM posts WHERE author = 17');
  const [[only] = []] = plannedOf(result);
  expect(only?.plan_change?.before.total_cost).toBe(only?.cost_before);
  expect(only?.plan_change?.after.total_cost).toBe(only?.cost_after);
});

test('of a skewed column it is the sample whose plan changes', async () => {
  const { result } = await advise('SELECT * FROM posts WHERE state = $1 ORDER BY id DESC');
  const planned = plannedOf(result).flat();
  for (const statement of planned) expect(statement.plan_change?.changes).not.toEqual([]);
  expect(planned.length).toBe(result.recommendations.length);
});

test('three statements of a recommendation have plans, those that gain most; each is asked about once before and once after', async () => {
  const sql = ['*', 'pad', 'state', 'at', 'id, at'].map(
    (columns, position) => `-- calls: ${position + 1}\nSELECT ${columns} FROM posts WHERE author = 7;`,
  );
  const { result, asked } = await advise(sql.join('\n'));
  expect(result.recommendations).toHaveLength(1);
  expect(result.recommendations[0]?.affects).toHaveLength(5);
  expect(plannedOf(result)[0]?.map(({ calls }) => calls)).toEqual([5, 4, 3]);
  expect(asked).toHaveLength(6);
  expect(new Set(asked).size).toBe(6);
  // All of one side first: switching the engine is what costs.
  expect(asked.map((each) => each.split(' ')[0]).join(' ')).toBe('before before before after after after');
});

test('partitions are one line and few nodes', async () => {
  const { result } = await advise(
    '-- calls: 100\nSELECT * FROM posts WHERE author = 3;\nSELECT * FROM events WHERE id = 77 ORDER BY at',
  );
  for (const statement of plannedOf(result).flat()) {
    expect(textsOf(statement).length).toBeLessThan(8);
    expect(JSON.stringify(statement.plan_change).length).toBeLessThan(6_000);
  }
});

test('a plan that is not to be had leaves the advice without it, and a limit says so', async () => {
  const { result, asked } = await advise('SELECT * FROM posts WHERE author = 17', new Error('too slow'));
  expect(asked).toHaveLength(2);
  expect(result.recommendations).toHaveLength(1);
  expect(plannedOf(result).flat()).toEqual([]);
  expect(result.limits.map(({ code }) => code)).toContain('plans_not_shown');
});

test('an engine that is gone is no missing plan', async () => {
  const gone = new PgLuthierError({ code: 'twin_lost', status: 500, message: 'gone' });
  await expect(advise('SELECT * FROM posts WHERE author = 17', gone)).rejects.toBe(gone);
});
