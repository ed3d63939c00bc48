/**
 * What calls really returned and read, as pg_stat_statements counted it, against the values that were put in the place of
 * constants it erased: on a server where the application asks for rare ones, and where it asks for common ones.
 */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adviseIndexes } from '../../../src/advise/index-advisor/advise.ts';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { RecommendationDraft, RuleContext, WhatIf } from '../../../src/domain/index.ts';
import { workloadFromSnapshot } from '../../../src/workload/index.ts';
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

/** One application's statements: a text with its parameters, each called so often. */
type Calls = [sql: string, times: number, parameters: (round: number) => unknown[]][];

let database: SampleDatabase;
let client: pg.Client;
let twin: WhatIf;

beforeAll(async () => {
  // Without skip scans (18) an index that leads with the state serves the state alone.
  const server = await testServer({ major: Math.min(...testMajors) });
  // Open payments are the newest; what is flagged lies all over; scores have nothing to do with age.
  database = await sampleDatabase(
    `
    CREATE EXTENSION pg_stat_statements;
    CREATE TABLE payments (id int PRIMARY KEY, state text NOT NULL, flag text NOT NULL, score int NOT NULL, tenant int NOT NULL,
      created_at timestamptz NOT NULL, pad text);
    INSERT INTO payments SELECT g, CASE WHEN g % 400 = 0 THEN 'failed' WHEN g > 119400 THEN 'open' ELSE 'settled' END,
      CASE WHEN g % 200 = 7 THEN 'rare' ELSE 'usual' END, g::int8 * 104729 % 120007, g % 20,
      timestamptz '2024-01-01' + (g + g * 7919 % 900) * interval '1 minute', repeat('p', 100) FROM generate_series(1, 120000) g;
    CREATE TABLE logged (LIKE payments INCLUDING ALL);
    INSERT INTO logged SELECT * FROM payments;
    CREATE INDEX logged_created_at ON logged (created_at);
    CREATE TABLE counted (LIKE payments INCLUDING ALL);
    INSERT INTO counted SELECT * FROM payments;
    CREATE INDEX counted_state ON counted (state);
  `,
    server,
  );
  await vacuumAll(database);
  client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  twin = await twinOf(await database.snapshot());
}, 60_000);

afterAll(async () => {
  await twin?.close();
  await client?.end();
  await database?.close();
});

/** Runs the statements, and what the advisor is told of them. */
async function contextAfter(calls: Calls): Promise<RuleContext> {
  await client.query(
    'SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = current_database()',
  );
  for (const [sql, times, parameters] of calls) {
    for (let round = 1; round <= times; round += 1) await client.query(sql, parameters(round));
  }
  const snapshot = await database.snapshot();
  const workload = await workloadFromSnapshot(snapshot);
  return { ...(await contextOf(snapshot)), workload, what_if: twin };
}

const advised = async (calls: Calls): Promise<RecommendationDraft[]> =>
  (await rule.evaluate(await contextAfter(calls))).recommendations;

/** The statements as the advisor weighs them. */
const analysed = async (calls: Calls) =>
  (await adviseIndexes(await contextAfter(calls), twin, rule.id)).statements;

/** The samples of the statement with this in its text. */
async function samples(calls: Calls, text: string) {
  const found = (await analysed(calls)).find(({ query }) => query.query.includes(text));
  if (!found) throw new Error(`${text} was not analysed`);
  return found.samples;
}
const weightOf = (all: Awaited<ReturnType<typeof samples>>, value: string) =>
  all.filter(({ sql }) => sql.includes(value)).reduce((sum, { weight }) => sum + weight, 0);

const blocksOf = async (sql: string) => (await readBy(client, sql)).blocks;

const OPEN = `SELECT id FROM payments WHERE state = 'open' AND created_at < $1 ORDER BY created_at LIMIT 50`;
const SETTLE = `UPDATE payments SET state = 'settled' WHERE id = $1 AND state <> 'settled'`;
const RECENT = 'SELECT count(*) FROM payments WHERE created_at > $1';
const late = () => ['2024-03-24'];
const first = (n: number) => [n];

describe('a rare state, set as rows get older, in the order of age', () => {
  const calls: Calls = [
    [OPEN, 3, () => ['2025-01-01']],
    [RECENT, 40, late],
    [SETTLE, 10, first],
  ];

  test('is not left to an index on the order alone, which would read it whole', async () => {
    const drafts = await advised(calls);
    expect(created(drafts).join(' ')).toMatch(/\(state, created_at\)|\(created_at, state\)/);
    const open = OPEN.replace('$1', "'2025-01-01'");
    const now = await blocksOf(open);
    expect(await withIndexes(client, drafts, () => blocksOf(open))).toBeLessThan(now / 10);
  });

  test('its samples are marked; not those of a common value, of no LIMIT, of a column that nobody sets, of another order', async () => {
    const marked = await samples(calls, 'ORDER BY created_at');
    for (const { sql, late_rows } of marked) {
      expect(late_rows, sql).toBe(sql.includes("'settled'") ? undefined : 10);
    }
    expect(marked.some(({ late_rows }) => late_rows === 10)).toBe(true);
    const others = [
      OPEN.replace(' LIMIT 50', ''),
      OPEN.replace("state = 'open'", "flag = 'rare'"),
      OPEN.replace('ORDER BY created_at', 'ORDER BY score'),
    ];
    const all = await analysed([...others.map((sql): Calls[number] => [sql, 3, late]), [SETTLE, 3, first]]);
    const reads = all.filter(({ query }) => query.class === 'select');
    expect(reads.length).toBe(3);
    expect(reads.flatMap((one) => one.samples).flatMap(({ late_rows }) => late_rows ?? [])).toEqual([]);
  });
});

describe('an index in the order exists', () => {
  const page = (state: string): Calls => [
    [`SELECT pad FROM logged WHERE state = '${state}' ORDER BY created_at LIMIT 20`, 25, () => []],
  ];

  test('and calls read on where the LIMIT was to end it: the costs say so, and an index is found', async () => {
    const drafts = await advised(page('open'));
    expect(created(drafts)).toEqual(['public.logged USING btree (state, created_at)']);
    const [index] = drafts;
    const row = index?.evidence.find(({ name }) => name.includes('LIMIT does not end early, of SELECT pad'));
    expect(row).toMatchObject({ level: 'measured', unit: 'share' });
    expect(Number(row?.value)).toBeGreaterThan(0.5);
    // The planner itself believes in the LIMIT.
    const [item] = index?.affects ?? [];
    expect(item?.cost_before).toBeGreaterThan(5 * (item?.plan_change?.before.total_cost ?? 0));
  });

  test('and calls find their rows at once: the planner is right', async () => {
    const all = await samples(page('settled'), 'logged');
    expect(all.flatMap(({ read_on }) => read_on ?? [])).toEqual([]);
  });
});

describe('blocks a call', () => {
  const count = (state: (round: number) => string): Calls => [
    ['SELECT count(pad) FROM counted WHERE state = $1', 20, (round) => [state(round)]],
  ];

  test('few: samples whose plan reads the whole table are next to none of the calls', async () => {
    const all = await samples(
      count(() => 'open'),
      'count(pad)',
    );
    expect(all.length).toBeGreaterThan(1);
    expect(weightOf(all, "'settled'")).toBeLessThan(0.05);
    expect(all.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 6);
  });

  test('many: they keep their weight', async () => {
    const all = await samples(
      count((round) => (round % 2 === 0 ? 'open' : 'settled')),
      'count(pad)',
    );
    expect(weightOf(all, "'settled'")).toBeGreaterThan(0.3);
  });
});

describe('rows a call under a LIMIT', () => {
  const page = (state: string): Calls => [
    [
      `SELECT id FROM payments WHERE tenant = $1 AND state = '${state}' ORDER BY score LIMIT 200`,
      10,
      (round) => [round],
    ],
  ];

  test('full pages: values that could not fill one are not what is asked for', async () => {
    const all = await samples(page('settled'), 'ORDER BY score');
    expect(weightOf(all, "'settled'")).toBeGreaterThan(0.95);
  });

  test('all of them, by two equalities: the combinations that find about as many rows', async () => {
    // 600 open ones of 20 tenants: neither the most common state nor any other of the tenant.
    const calls: Calls = [
      ['SELECT pad FROM payments WHERE tenant = $1 AND state = $2', 15, (n) => [n, 'open']],
    ];
    const all = await samples(calls, 'SELECT pad');
    expect(weightOf(all, "'settled'")).toBeLessThan(0.05);
    expect(new Set(all.map(({ sql }) => sql)).size).toBeGreaterThan(2);
  });

  test('short ones rule nothing out', async () => {
    const all = await samples(page('open'), 'ORDER BY score');
    expect(weightOf(all, "'settled'")).toBeLessThan(0.9);
  });
});
