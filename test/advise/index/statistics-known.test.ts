/** An index on a table that the planner knows badly says so; one on a table that is known does not. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rule } from '../../../src/advise/rules/index/missing.ts';
import type { RecommendationDraft } from '../../../src/domain/index.ts';
import { contextOf, type SampleDatabase, sampleDatabase, twinOf } from '../rules/index/context.ts';

const ROW = 'statistics that its costs and its size rest on';
const FILL = (from: number, to: number) =>
  `SELECT g, g * 7919 % 20011, repeat('x', 80) FROM generate_series(${from}, ${to}) g`;

let database: SampleDatabase;
let drafts: Map<string, RecommendationDraft>;

beforeAll(async () => {
  const tables = ['known', 'loaded', 'never'];
  database = await sampleDatabase(
    tables
      .map(
        (name) => `CREATE TABLE ${name} (id int, item int, pad text) WITH (autovacuum_enabled = off);
          INSERT INTO ${name} ${FILL(1, 30_000)};`,
      )
      .join('\n'),
  );
  await database.query('VACUUM ANALYZE known');
  await database.query('VACUUM ANALYZE loaded');
  // Few changes of a known table are no load.
  await database.query(`INSERT INTO known ${FILL(30_001, 33_000)}`);
  await database.query(`INSERT INTO loaded ${FILL(30_001, 90_000)}`);
  await database.query('SELECT pg_stat_force_next_flush()');
  const snapshot = await database.snapshot();
  const whatIf = await twinOf(snapshot);
  try {
    const sql = tables.map((name) => `SELECT pad FROM ${name} WHERE item = $1;`).join('\n');
    const { recommendations } = await rule.evaluate(await contextOf(snapshot, { what_if: whatIf, sql }));
    drafts = new Map(
      recommendations.flatMap((draft) =>
        draft.change.kind === 'index.create' ? [[draft.change.index.table, draft]] : [],
      ),
    );
  } finally {
    await whatIf.close();
  }
});

afterAll(() => database?.close());

const said = (table: string) => drafts.get(table)?.evidence.find(({ name }) => name === ROW);
const noted = (table: string) =>
  drafts.get(table)?.risk.notes.filter((note) => note.includes('ANALYZE public.')) ?? [];

test('what was loaded since ANALYZE', () => {
  expect(said('loaded')).toMatchObject({
    value: '60,000 rows changed since ANALYZE, 200.0 % of those that there were',
    source: expect.stringContaining('n_mod_since_analyze'),
  });
  expect(noted('loaded')).toEqual([expect.stringContaining('run ANALYZE public.loaded')]);
});

test('what was never analysed', () => {
  expect(said('never')).toMatchObject({ value: 'none are visible', source: 'pg_stats' });
  expect(noted('never')).toEqual([expect.stringContaining('run ANALYZE public.never')]);
});

test('nothing of what is known, and more confidence in it', () => {
  expect(drafts.has('known')).toBe(true);
  expect(said('known')).toBeUndefined();
  expect(noted('known')).toEqual([]);
  for (const table of ['loaded', 'never']) {
    expect(drafts.get(table)?.confidence).toBeLessThan(0.7 * (drafts.get('known')?.confidence ?? 0));
  }
});
