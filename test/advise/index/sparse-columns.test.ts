/** Columns that are mostly null: an index without the nulls serves whatever looks for a value, carried out on servers. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { RecommendationDraft, Snapshot, WhatIf } from '../../../src/domain/index.ts';
import { testServer } from '../../support/servers.ts';
import {
  contextOf,
  created,
  type SampleDatabase,
  sampleDatabase,
  twinOf,
  vacuumAll,
} from '../rules/index/context.ts';
import { withIndexes } from './carried-out.ts';

/** Of nine rows in ten nobody knows the author; each has a reviewer. */
const SCHEMA = `
  CREATE TABLE authors (id int PRIMARY KEY, name text, pad text);
  INSERT INTO authors SELECT g, md5(g::text), repeat('a', 60) FROM generate_series(1, 5000) g;
  CREATE TABLE posts (id int PRIMARY KEY, author int, "Reviewer" int, state int, pad text);
  INSERT INTO posts SELECT g, CASE WHEN g % 10 = 0 THEN 1 + g::int8 * 7919 % 5000 END, 1 + g::int8 * 104729 % 5000, g % 7, repeat('p', 80)
    FROM generate_series(1, 100000) g;`;

describe.each([15, 18])('PostgreSQL %s', (major) => {
  let database: SampleDatabase;
  let client: pg.Client;
  let snapshot: Snapshot;
  let whatIf: WhatIf;

  beforeAll(async () => {
    database = await sampleDatabase(SCHEMA, await testServer({ major }));
    await vacuumAll(database);
    client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    snapshot = await database.snapshot();
    whatIf = await twinOf(snapshot);
  });
  afterAll(async () => {
    await client?.end();
    await whatIf?.close();
    await database?.close();
  });

  const advised = async (sql: string): Promise<RecommendationDraft[]> =>
    (await rule.evaluate(await contextOf(snapshot, { what_if: whatIf, sql }))).recommendations;

  const planOf = async (sql: string): Promise<string> => {
    const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${sql}`);
    return JSON.stringify(rows[0]['QUERY PLAN'][0].Plan);
  };

  test.each([
    ['a value', 'SELECT * FROM posts WHERE author = 77'],
    ['several values', 'SELECT * FROM posts WHERE author IN (77, 990, 1234)'],
    ['a range', 'SELECT * FROM posts WHERE author BETWEEN 70 AND 90'],
    [
      'the inner side of a join',
      'SELECT * FROM authors a LEFT JOIN posts p ON p.author = a.id WHERE a.id < 5',
    ],
  ])('%s is looked for in an index without nulls, which the server takes', async (_what, sql) => {
    const drafts = await advised(`${sql};`);
    expect(created(drafts)).toEqual(['public.posts USING btree (author) WHERE author IS NOT NULL']);
    expect(await withIndexes(client, drafts, () => planOf(sql))).toContain('posts_author_partial');
  });

  test('with a parameter, too', async () => {
    const drafts = await advised('SELECT * FROM posts WHERE author = 77;');
    await client.query(
      'SET plan_cache_mode = force_generic_plan; PREPARE one (int) AS SELECT * FROM posts WHERE author = $1',
    );
    const plan = await withIndexes(client, drafts, () => planOf('EXECUTE one (5)'));
    await client.query('DEALLOCATE one; RESET plan_cache_mode');
    expect(plan).toContain('posts_author_partial');
  });

  test('it takes a small part of the whole one’s room', async () => {
    const [draft] = await advised('SELECT * FROM posts WHERE author = 77;');
    const real = await withIndexes(client, draft ? [draft] : [], async () => {
      const { rows } = await client.query(
        "SELECT pg_relation_size(indexrelid)::int AS bytes FROM pg_index WHERE indrelid = 'posts'::regclass AND NOT indisprimary",
      );
      return rows[0].bytes;
    });
    expect(Math.abs((draft?.estimate.size_bytes ?? 0) / real - 1)).toBeLessThan(0.1);
    await client.query('CREATE INDEX whole ON posts (author)');
    const { rows } = await client.query("SELECT pg_relation_size('whole')::int AS bytes");
    await client.query('DROP INDEX whole');
    expect(real).toBeLessThan(rows[0].bytes / 3);
  });

  test('not where hardly any are null, nor where nulls are asked for or sorted', async () => {
    expect(created(await advised('SELECT * FROM posts WHERE "Reviewer" = 77;'))).toEqual([
      'public.posts USING btree ("Reviewer")',
    ]);
    expect(created(await advised('SELECT * FROM posts ORDER BY author NULLS FIRST LIMIT 5;'))).toEqual([
      'public.posts USING btree (author NULLS FIRST)',
    ]);
    const distinct = 'SELECT * FROM posts WHERE author IS NOT DISTINCT FROM 77;';
    expect(created(await advised(distinct))).toEqual([]);
  });
});
