/** Advice from night to night: the same with counters that vary, another one where the workload really changes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import {
  evidenceOf,
  type RecommendationDraft,
  type RuleContext,
  type RuleResult,
  type Snapshot,
  type StandingAdvice,
  type WhatIf,
  type Workload,
} from '../../../src/domain/index.ts';
import { contextOf, created, type SampleDatabase, sampleDatabase, twinOf } from '../rules/index/context.ts';

let database: SampleDatabase;
let snapshot: Snapshot;
let whatIf: WhatIf;

beforeAll(async () => {
  database = await sampleDatabase(`
    CREATE TABLE orders (id int PRIMARY KEY, customer int, state text, shop int, created timestamptz, total int, pad text);
    INSERT INTO orders SELECT g, g * 7919 % 3000, 's' || g % 40, g * 31 % 500,
      timestamptz '2024-01-01' + (g * 7919 % 60000) * interval '1 minute', g % 1000, repeat('p', 60)
      FROM generate_series(1, 30000) g;
    CREATE TABLE items (id int PRIMARY KEY, order_id int, product int, amount int, pad text);
    INSERT INTO items SELECT g, g * 7919 % 20000, g * 31 % 4000, g % 10, repeat('i', 60)
      FROM generate_series(1, 30000) g;
    CREATE TABLE others (LIKE items INCLUDING ALL);
    INSERT INTO others SELECT * FROM items;
  `);
  await database.query('VACUUM ANALYZE');
  snapshot = await database.snapshot();
  whatIf = await twinOf(snapshot);
});

afterAll(async () => {
  await whatIf?.close();
  await database?.close();
});

/** For most tests: a few statements of each kind, a join, writes. */
const WORKLOAD = `
-- calls: 1000
SELECT * FROM orders WHERE customer = $1 AND state = $2;
-- calls: 900
SELECT total FROM orders WHERE shop = $1 ORDER BY created DESC LIMIT 10;
-- calls: 700
SELECT sum(amount) FROM items WHERE product = $1;
-- calls: 900
INSERT INTO items (id, order_id, product, amount) VALUES ($1, $2, $3, $4);
`;

/** Two indexes on one table that save next to the same, where there is room for one. */
const TIE_ON_TABLE = `
-- calls: 1000
SELECT * FROM items WHERE product = $1;
-- calls: 1000
SELECT * FROM items WHERE order_id = $1;
`;

/** The same on two tables where the budget is for one of them; several statements each. */
const TIE_IN_BUDGET = `
-- calls: 1000
SELECT * FROM items WHERE product = $1;
-- calls: 500
SELECT amount FROM items WHERE product = $1 AND pad = $2;
-- calls: 500
SELECT count(pad) FROM items WHERE product = $1;
-- calls: 1000
SELECT * FROM others WHERE product = $1;
-- calls: 500
SELECT amount FROM others WHERE product = $1 AND pad = $2;
-- calls: 500
SELECT count(pad) FROM others WHERE product = $1;
`;

type Night = Partial<RuleContext> & { sql?: string };

async function night(parts: Night, change?: (workload: Workload) => void): Promise<RuleResult> {
  const context = await contextOf(snapshot, { sql: WORKLOAD, what_if: whatIf, ...parts });
  context.workload = { ...context.workload, source: 'window', seconds: 86_400 };
  change?.(context.workload);
  return rule.evaluate(context);
}

/** As the store would tell of it on the next night. */
const standing = (
  drafts: readonly RecommendationDraft[],
  state: StandingAdvice['state'] = 'open',
): StandingAdvice[] =>
  drafts.map((draft) => ({
    id: draft.key,
    rule: draft.rule,
    key: draft.key,
    state,
    change: draft.change,
    dismissal:
      state === 'dismissed'
        ? { actor: 'dba', at: '2024-05-01T08:00:00Z', reason: 'too wide', evidence: evidenceOf(draft) }
        : null,
  }));

/** Mulberry32. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const jitter = (random: () => number, by: number) => (workload: Workload) => {
  for (const query of workload.queries) query.calls *= 1 + by * (2 * random() - 1);
};

const setOf = (result: RuleResult) => created(result.recommendations).toSorted();
const namesOf = (result: RuleResult) =>
  result.recommendations.flatMap(({ change }) => (change.kind === 'index.create' ? [change.index.name] : []));

/** Sets of indexes of ten nights, each told of the one before or not. */
async function tenNights(
  parts: Night,
  { by, seed, told }: { by: number; seed: number; told: boolean },
): Promise<{ sets: Set<string>; names: Set<string> }> {
  const random = randomNumbers(seed);
  const sets = new Set<string>();
  const names = new Set<string>();
  let before: RuleResult | null = null;
  // That they do vary is seen once there are two.
  for (let count = 0; count < 10 && (told || sets.size < 2); count += 1) {
    const known = told && before ? { standing: standing(before.recommendations) } : {};
    const now: RuleResult = await night({ ...parts, ...known }, jitter(random, by));
    sets.add(setOf(now).join(', '));
    names.add(namesOf(now).toSorted().join(', '));
    before = now;
  }
  return { sets, names };
}

describe('counters that vary', () => {
  test.each([
    { what: 'room for one on the table', by: 0.1, parts: { sql: TIE_ON_TABLE, max_indexes_per_table: 2 } },
    { what: 'a budget for one', by: 0.2, parts: { sql: TIE_IN_BUDGET, index_budget_bytes: 600_000 } },
  ])(
    'by ± $by over ten nights, $what: one set under one name, and several without what stood',
    async ({ by, parts }) => {
      const seed = 1;
      const told = await tenNights(parts, { by, seed, told: true });
      expect([...told.sets]).toHaveLength(1);
      expect([...told.sets][0]).not.toBe('');
      expect([...told.names]).toHaveLength(1);
      const untold = await tenNights(parts, { by, seed, told: false });
      expect(untold.sets.size).toBeGreaterThan(1);
    },
  );

  test('what stands changes nothing where the workload is the same', async () => {
    const first = await night({});
    const second = await night({ standing: standing(first.recommendations) });
    expect(setOf(second)).toEqual(setOf(first));
  });
});

describe('a real change', () => {
  test('a statement that is gone takes its index with it, and the reason is told', async () => {
    const first = await night({});
    const isOfItems = (definition: string) => definition.startsWith('public.items');
    expect(setOf(first).some(isOfItems)).toBe(true);
    const next = await night({ standing: standing(first.recommendations) }, (workload) => {
      workload.queries = workload.queries.filter(({ query }) => !query.includes('items'));
    });
    expect(setOf(next).some(isOfItems)).toBe(false);
    const gone = first.recommendations.filter(({ key }) => key.includes('public.items'));
    for (const { key } of gone) {
      expect(next.rejections).toContainEqual(expect.objectContaining({ key, code: 'no_statement' }));
    }
  });

  test('a heavy new statement gets its index beside what stands', async () => {
    const first = await night({});
    const sql = `${WORKLOAD}\n-- calls: 3000\nSELECT * FROM orders WHERE total = $1 AND pad = $2;`;
    const next = await night({ sql, standing: standing(first.recommendations) });
    expect(setOf(next).some((definition) => definition.includes('(total'))).toBe(true);
  });

  test('what takes the place of standing advice must be better by the margin, and is then', async () => {
    const one = '-- calls: 100\nSELECT * FROM orders WHERE shop = $1 AND created > $2;';
    const first = await night({ sql: one, max_indexes_per_table: 2 });
    expect(setOf(first)).toHaveLength(1);
    const other = (calls: number) => `${one}\n-- calls: ${calls}\nSELECT * FROM orders WHERE customer = $1;`;
    const parts = { max_indexes_per_table: 2, standing: standing(first.recommendations) };
    expect(setOf(await night({ ...parts, sql: other(100) }))).toEqual(setOf(first));
    const changed = await night({ ...parts, sql: other(500) });
    expect(setOf(changed)).not.toEqual(setOf(first));
    expect(setOf(changed)).toHaveLength(1);
  });
});

describe('decisions', () => {
  test('an approved index counts as there, whether or not it helps this night', async () => {
    const first = await night({ sql: '-- calls: 9\nSELECT sum(amount) FROM items WHERE product = $1;' });
    expect(setOf(first)).toHaveLength(1);
    const approved = standing(first.recommendations, 'approved');
    const next = await night({
      sql: '-- calls: 9\nSELECT * FROM items WHERE order_id = $1;',
      standing: approved,
    });
    expect(setOf(next)).toEqual(expect.arrayContaining(setOf(first)));
    expect(setOf(next)).toHaveLength(2);
  });

  test('a dismissed index is left out, another one takes its work, and who dismissed it is told', async () => {
    const sql = '-- calls: 100\nSELECT * FROM orders WHERE customer = $1 AND state = $2;';
    const first = await night({ sql });
    const dismissed = standing(first.recommendations, 'dismissed');
    const next = await night({ sql, standing: dismissed });
    expect(next.recommendations.map(({ key }) => key)).not.toContain(dismissed[0]?.key);
    expect(next.rejections).toContainEqual(
      expect.objectContaining({
        code: 'dismissed',
        key: dismissed[0]?.key,
        reason: expect.stringContaining('dismissed by dba on 2024-05-01T08:00:00Z (too wide)'),
      }),
    );
    // The rest of the set is not chosen as if it were there.
    for (const { affects } of next.recommendations) expect(affects[0]?.cost_after).toBeLessThan(500);
    expect(setOf(next)).not.toEqual([]);
  });

  test('it comes back where it saves twice the share', async () => {
    const small =
      '-- calls: 10\nSELECT * FROM items WHERE order_id = $1;\n-- calls: 100\nSELECT sum(total) FROM orders WHERE pad > $1;';
    const first = await night({ sql: small });
    const key = first.recommendations.find((one) => one.key.includes('(order_id'))?.key;
    expect(key).toBeDefined();
    const dismissed = standing(
      first.recommendations.filter((one) => one.key === key),
      'dismissed',
    );
    const same = await night({ sql: small, standing: dismissed }, jitter(randomNumbers(3), 0.2));
    expect(same.recommendations.map((one) => one.key)).not.toContain(key);
    const larger = await night({ sql: small.replace('calls: 10\n', 'calls: 900\n'), standing: dismissed });
    expect(larger.recommendations.map((one) => one.key)).toContain(key);
  });
});
