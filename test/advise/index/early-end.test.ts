/**
 * LIMITs that are to end an ordered scan early, where the rows that pass the filter are the last in the order: what is
 * advised is carried out on a real server, and what the statements then read is what was said.
 */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { RecommendationDraft, RuleContext, WhatIf } from '../../../src/domain/index.ts';
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

let database: SampleDatabase;
let client: pg.Client;
let twin: WhatIf;
let advise: (sql: string, parts?: Partial<RuleContext>) => Promise<RecommendationDraft[]>;

beforeAll(async () => {
  // Without skip scans (18), which read an index on the order for a state, too.
  const server = await testServer({ major: Math.min(...testMajors) });
  database = await sampleDatabase(
    `
    CREATE TABLE payments (id int PRIMARY KEY, state text NOT NULL, note text NOT NULL, created_at timestamptz NOT NULL, pad text);
    INSERT INTO payments SELECT g, CASE WHEN g % 400 = 0 THEN 'failed' WHEN g > 79600 THEN 'open' ELSE 'settled' END,
      md5(g::text) || CASE WHEN g > 76800 THEN ' look again' ELSE '' END,
      timestamptz '2024-01-01' + (g + g * 7919 % 900) * interval '1 minute', repeat('p', 100) FROM generate_series(1, 80000) g;
  `,
    server,
  );
  await vacuumAll(database);
  client = new pg.Client({ connectionString: database.dsn });
  await client.connect();
  const snapshot = await database.snapshot();
  twin = await twinOf(snapshot);
  advise = async (sql, parts = {}) =>
    (await rule.evaluate(await contextOf(snapshot, { what_if: twin, sql, ...parts }))).recommendations;
}, 60_000);

afterAll(async () => {
  await twin?.close();
  await client?.end();
  await database?.close();
});

const run = (sql: string) => readBy(client, sql);

const page = (filter: string) => `SELECT id FROM payments WHERE ${filter} ORDER BY created_at LIMIT 20`;
const RECENT = "-- calls: 40\nSELECT count(*) FROM payments WHERE created_at > '2024-02-24';";
const OPEN = page("state = 'open'");
const hopes = ({ evidence }: RecommendationDraft) =>
  evidence.filter(({ name }) => name.startsWith('cost where the rows of a LIMIT come last'));

describe('files that hold reads alone do not say who sets a state', () => {
  test('a rare one in the order of age is not left to an index on the order alone', async () => {
    const drafts = await advise(`${RECENT}\n-- calls: 3\n${OPEN};`);
    expect(created(drafts).join(' ')).toContain('state');
    const before = await run(OPEN);
    const after = await withIndexes(client, drafts, () => run(OPEN));
    expect(after.blocks).toBeLessThan(before.blocks / 10);
  });

  test('a common one is: the order alone finds it at once', async () => {
    const settled = page("state = 'settled'");
    const drafts = await advise(`${RECENT}\n-- calls: 3\n${settled};`);
    expect(created(drafts)).toEqual([
      expect.stringMatching(/^public\.payments USING btree \(created_at[,)]/),
    ]);
    const before = await run(settled);
    const after = await withIndexes(client, drafts, () => run(settled));
    expect(after.blocks).toBeLessThan(before.blocks / 10);
  });
});

describe('a filter that no index serves', () => {
  const again = page("note LIKE '%look again%'");

  test('the worst case stands in the evidence, as dear as the server has it, with a note and less confidence', async () => {
    const drafts = await advise(`-- calls: 40\n${again};`);
    const [index, ...more] = drafts;
    if (!index) throw new Error('nothing was advised');
    expect(more).toEqual([]);
    expect(created(drafts)).toEqual([expect.stringMatching(/^public\.payments USING btree \(created_at\)/)]);
    const [row] = hopes(index);
    expect(row).toMatchObject({ unit: 'cost', level: 'simulated' });
    const before = await run(again);
    expect(Number(row?.value)).toBeGreaterThan(before.cost);
    expect(index.risk.notes.join(' ')).toContain('hopes that a LIMIT ends it early');
    const [plain] = await advise('-- calls: 40\nSELECT id FROM payments ORDER BY created_at LIMIT 20;');
    expect(index.confidence).toBeLessThan(plain?.confidence ?? 0);

    await withIndexes(client, drafts, async () => {
      // Promised was less than half of what is read today; really it reads all of the order before the last rows come.
      const after = await run(again);
      expect(after.cost).toBeLessThan(before.cost / 2);
      expect(after.blocks).toBeGreaterThan(before.blocks);
      await client.query(
        'SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off',
      );
      const whole = await run(again.replace(' LIMIT 20', ''));
      expect(Number(row?.value) / whole.cost).toBeGreaterThan(0.9);
      expect(Number(row?.value) / whole.cost).toBeLessThan(1.1);
    });
  });

  test('nothing of it where nothing is filtered, or the index has the filter’s column', async () => {
    const plain = await advise('-- calls: 40\nSELECT id FROM payments ORDER BY created_at LIMIT 20;');
    const both = await advise(`-- calls: 40\n${OPEN};`);
    expect(plain).toHaveLength(1);
    expect(both).toHaveLength(1);
    for (const draft of [...plain, ...both]) {
      expect(hopes(draft)).toEqual([]);
      expect(draft.risk.notes.join(' ')).not.toContain('hopes');
    }
  });
});
