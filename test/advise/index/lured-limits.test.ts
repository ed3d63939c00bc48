/**
 * An index that is there for one statement is taken for another one's LIMIT, too, wherever that looks cheaper to the
 * planner. Shares are decided by arithmetic, and ANALYZE reads all rows, so that no estimate hangs on chance: a fifth of
 * the payments is open, those of the highest scores; a twentieth is deleted, evenly. The order of scores has nothing to
 * do with the table's, and memory is small: to read all of it that way is far dearer than the table.
 */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { RecommendationDraft, RuleResult, Snapshot, WhatIf } from '../../../src/domain/index.ts';
import { testMajors, testServer } from '../../support/servers.ts';
import {
  contextOf,
  created,
  type SampleDatabase,
  sampleDatabase,
  twinOf,
  vacuumAll,
} from '../rules/index/context.ts';
import { readBy, withIndexes } from './carried-out.ts';

const COLUMNS =
  'id int PRIMARY KEY, state text NOT NULL, deleted_at date, customer int NOT NULL, score int NOT NULL, pad text';
const ROWS = `SELECT g, CASE WHEN score >= 24000 THEN 'open' ELSE 'settled' END, CASE WHEN g % 20 = 1 THEN date '2024-01-01' END,
  1 + g % 500, score, repeat('p', 100) FROM (SELECT g, (g::int8 * 7919 % 30000)::int AS score FROM generate_series(1, 30000) g) s`;

describe.each([Math.min(...testMajors), Math.max(...testMajors)])('PostgreSQL %i', (major) => {
  let database: SampleDatabase;
  let client: pg.Client;
  let snapshot: Snapshot;
  let twin: WhatIf;

  beforeAll(async () => {
    database = await sampleDatabase(
      `
      CREATE TABLE payments (${COLUMNS}); INSERT INTO payments ${ROWS};
      CREATE TABLE customers (id int PRIMARY KEY, country text NOT NULL);
      INSERT INTO customers SELECT g, CASE WHEN g % 5 = 0 THEN 'far' ELSE 'near' END FROM generate_series(1, 500) g;
      CREATE TABLE parted (${COLUMNS}) PARTITION BY RANGE (id);
      CREATE TABLE parted_a PARTITION OF parted FOR VALUES FROM (0) TO (15001);
      CREATE TABLE parted_b PARTITION OF parted FOR VALUES FROM (15001) TO (30001);
      INSERT INTO parted ${ROWS};
      DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET effective_cache_size = ''1MB''', current_database()); END $$;
    `,
      await testServer({ major }),
    );
    await vacuumAll(database);
    client = new pg.Client({ connectionString: database.dsn });
    await client.connect();
    snapshot = await database.snapshot();
    twin = await twinOf(snapshot);
  }, 120_000);
  afterAll(async () => {
    await twin?.close();
    await client?.end();
    await database?.close();
  });

  const judge = async (...calls: [number, string][]): Promise<RuleResult> => {
    const sql = calls.map(([times, text]) => `-- calls: ${times}\n${text};`).join('\n');
    return rule.evaluate(await contextOf(snapshot, { what_if: twin, sql }));
  };
  const advise = async (...calls: [number, string][]) => (await judge(...calls)).recommendations;
  const onScore = (drafts: RecommendationDraft[]) => created(drafts).filter((one) => one.includes('(score'));
  const hopes = ({ evidence }: RecommendationDraft) =>
    evidence.filter(({ name }) => name.startsWith('cost where the rows of a LIMIT come last'));
  const lures = expect.objectContaining({
    candidate: expect.stringContaining('(score)'),
    code: 'lures_limits',
    reason: expect.stringContaining('rows may come late'),
  });
  const blocksOf = async (sql: string) => (await readBy(client, sql)).blocks;

  const few = (table: string) => `SELECT count(pad) FROM ${table} WHERE score BETWEEN 100 AND 160`;
  const page = (filter: string, from = 'payments') =>
    `SELECT * FROM ${from} WHERE ${filter} ORDER BY score LIMIT 20`;
  // No index serves it, and the planner knows the share of each state that it fits.
  const LURED = page("state LIKE '%pen'");
  const LIVE = page('deleted_at IS NULL');

  test('an index for few calls is not made beside many of a LIMIT that it lures, and the rejection says so', async () => {
    expect(onScore(await advise([20, few('payments')]))).toHaveLength(1);
    const { recommendations, rejections } = await judge([20, few('payments')], [400, LURED]);
    expect(onScore(recommendations)).toEqual([]);
    expect(rejections).toContainEqual(lures);
    // Made all the same, it would be read, and do the harm.
    const alone = await advise([20, few('payments')]);
    const before = await blocksOf(LURED);
    expect(await withIndexes(client, alone, () => blocksOf(LURED))).toBeGreaterThan(5 * before);
  });

  test('it is made where what it saves is more, with what is feared of the other in its evidence', async () => {
    const drafts = await advise([4000, few('payments')], [20, LURED]);
    expect(onScore(drafts)).toHaveLength(1);
    expect(drafts.flatMap(hopes)).not.toEqual([]);
  });

  test('where an index serves the filter, too, a safe set is made: neither statement reads more than before', async () => {
    const statements = [few('payments'), page("state = 'open'")];
    const drafts = await advise(...statements.map((one): [number, string] => [100, one]));
    expect(created(drafts).join(' ')).toMatch(/\(state, score|\(score, state|\(score\) WHERE state/);
    for (const one of statements) {
      const before = await blocksOf(one);
      expect(await withIndexes(client, drafts, () => blocksOf(one)), one).toBeLessThan(before / 4);
    }
  });

  test('not where nearly all rows pass: the order alone finds them', async () => {
    for (const calls of [
      [[400, LIVE]],
      [
        [20, few('payments')],
        [400, LIVE],
      ],
    ] as [number, string][][]) {
      const drafts = await advise(...calls);
      expect(onScore(drafts)).toHaveLength(1);
      const before = await blocksOf(LIVE);
      expect(await withIndexes(client, drafts, () => blocksOf(LIVE))).toBeLessThan(before / 5);
    }
  });

  test('of partitions the same', async () => {
    const among = (filter: string) => judge([20, few('parted')], [400, page(filter, 'parted')]);
    const lured = await among("state LIKE '%pen'");
    expect(onScore(lured.recommendations)).toEqual([]);
    expect(lured.rejections).toContainEqual(lures);
    expect(onScore((await among('deleted_at IS NULL')).recommendations)).toHaveLength(1);
  });

  test('of a join the same: rows that find no partner', async () => {
    const among = (country: string) => {
      const joined = page(`country = '${country}'`, 'payments JOIN customers c ON c.id = customer');
      return judge([20, few('payments')], [400, joined]);
    };
    const lured = await among('far');
    expect(onScore(lured.recommendations)).toEqual([]);
    expect(lured.rejections).toContainEqual(lures);
    expect(onScore((await among('near')).recommendations)).toHaveLength(1);
  });
});
