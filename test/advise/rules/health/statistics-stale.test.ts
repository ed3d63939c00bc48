import { expect, test } from 'vitest';
import { rule } from '../../../../src/advise/rules/health/statistics-stale.ts';
import { draftSchema, type RuleContext, type Snapshot, type TableRow } from '../../../../src/domain/index.ts';
import { tableRow } from '../../../support/rows.ts';
import { contextOf, snapshotOf, tableDelta, windowOf } from '../../../support/snapshot-builder.ts';
import { sampleDatabase } from '../index/context.ts';

async function drafts(snapshot: Snapshot, parts: Partial<RuleContext> = {}) {
  const { recommendations } = await rule.evaluate(contextOf(snapshot, parts));
  return recommendations.map((draft) => draftSchema.parse(draft));
}
const of = (
  table: Partial<TableRow>,
  parts: Partial<RuleContext> = {},
  more: Parameters<typeof snapshotOf>[0] = {},
) => drafts(snapshotOf({ tables: [tableRow(table)], ...more }), parts);

test('quiet where autovacuum comes by itself, and where nothing is known', async () => {
  expect(await of({})).toEqual([]);
  // Over the trigger of 100,050, but not by a load: within a minute autovacuum is there.
  expect(await of({ n_mod_since_analyze: 200_000 })).toEqual([]);
  expect(await of({ n_mod_since_analyze: 2_000_000, relkind: 'f' })).toEqual([]);
  expect(await of({ n_mod_since_analyze: 2_000_000, relpersistence: 't' })).toEqual([]);
  // Never looked at: health/statistics-missing.
  expect(await of({ n_mod_since_analyze: 2_000_000, reltuples: -1 })).toEqual([]);
  expect(await of({ n_mod_since_analyze: 900, reltuples: 900, n_live_tup: 900 })).toEqual([]);
  expect(await of({ n_mod_since_analyze: 2_000_000 }, {}, { server: { in_recovery: true } })).toEqual([]);
});

test('a load, from half of the rows on', async () => {
  const [draft] = await of({ n_mod_since_analyze: 500_000 });
  expect(draft).toMatchObject({
    change: { kind: 'analyze', schema: 'public', table: 't' },
    severity: 'low',
    rationale: expect.stringContaining('as by a load'),
  });
  expect((await of({ n_mod_since_analyze: 1_000_000 }))[0]?.severity).toBe('medium');
  expect(await of({ n_mod_since_analyze: 499_999 })).toEqual([]);
});

test('nobody comes where autovacuum or its counting is off', async () => {
  const over = { n_mod_since_analyze: 100_051 };
  expect(
    await of({ ...over, n_mod_since_analyze: 100_050, reloptions: { autovacuum_enabled: 'off' } }),
  ).toEqual([]);
  const cases = [
    of({ ...over, reloptions: { autovacuum_enabled: 'off' } }),
    of(over, {}, { settings: { autovacuum: 'off' } }),
    of(over, {}, { settings: { track_counts: 'off' } }),
  ];
  for (const found of await Promise.all(cases)) {
    expect(found[0]?.rationale).toContain('nobody will come');
  }
});

test('overdue: due at the beginning of a window, and not analysed in it', async () => {
  const changed = { n_mod_since_analyze: 200_000 };
  const seen = (seconds: number, delta: Parameters<typeof tableDelta>[0]) => ({
    window: windowOf(seconds, { tables: [tableDelta(delta)] }),
  });
  expect((await of(changed, { window: windowOf(3600) }))[0]?.rationale).toContain('none came');
  expect((await of(changed, seen(3600, { n_tup_ins: 50_000 }))).length).toBe(1);
  expect(await of(changed, seen(3600, { n_tup_ins: 150_000 }))).toEqual([]);
  expect(await of(changed, seen(3600, { autoanalyze_count: 1 }))).toEqual([]);
  expect(await of(changed, { window: windowOf(600) })).toEqual([]);
});

test('a trigger that a fifth of the table does not reach', async () => {
  const high = { reloptions: { autovacuum_analyze_scale_factor: '0.9' } };
  const [draft] = await of({ ...high, n_mod_since_analyze: 200_000 });
  expect(draft?.rationale).toContain('autovacuum waits for more');
  expect(draft?.risk.notes.join()).toContain('autovacuum_analyze_scale_factor');
  expect(await of({ ...high, n_mod_since_analyze: 199_999 })).toEqual([]);
});

test('a table that doubled though nothing was counted', async () => {
  expect((await of({ main_pages: 40_000 }))[0]?.rationale).toContain('counters were lost');
  expect(await of({ main_pages: 39_999 })).toEqual([]);
});

test('on a server: after a load, and a partitioned table as a whole; quiet once both are analysed', async () => {
  const database = await sampleDatabase(
    `CREATE TABLE loaded (id int);
     INSERT INTO loaded SELECT generate_series(1, 20000);
     CREATE TABLE parted (id int, at int) PARTITION BY RANGE (at);
     CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
     INSERT INTO parted SELECT g, g % 100 FROM generate_series(1, 5000) g;
     ANALYZE loaded, parted_1;
     INSERT INTO loaded SELECT generate_series(1, 30000);`,
  );
  try {
    await database.query('SELECT pg_stat_force_next_flush()');
    await database.query('SELECT 1');
    const changes = async () => (await drafts(await database.snapshot())).map(({ change }) => change);
    expect(await changes()).toEqual([
      { kind: 'analyze', schema: 'public', table: 'loaded' },
      { kind: 'analyze', schema: 'public', table: 'parted' },
    ]);
    await database.query('ANALYZE loaded, parted');
    await database.query('SELECT pg_stat_force_next_flush()');
    expect(await changes()).toEqual([]);
  } finally {
    await database.close();
  }
});
