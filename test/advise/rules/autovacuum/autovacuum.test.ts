import { describe, expect, test } from 'vitest';
import { split } from '../../../../src/advise/autovacuum/derive.ts';
import { rule as insertRule } from '../../../../src/advise/rules/autovacuum/insert-scale-factor.ts';
import { rule } from '../../../../src/advise/rules/autovacuum/scale-factor.ts';
import {
  draftSchema,
  noActivity,
  type RuleContext,
  type Snapshot,
  type TableRow,
} from '../../../../src/domain/index.ts';
import { tableRow } from '../../../support/rows.ts';
import { contextOf, snapshotOf, TAKEN_AT, tableDelta, windowOf } from '../../../support/snapshot-builder.ts';

/** 300,000 rows of which `updates` changed in a window, of a minute unless told. */
function churned(
  updates: number,
  row: Partial<TableRow> = {},
  parts: Parameters<typeof snapshotOf>[0] = {},
  seconds = 60,
) {
  const table = tableRow({ n_live_tup: 300_000, reltuples: 300_000, main_pages: 6000, ...row });
  return contextOf(snapshotOf({ tables: [table], ...parts }), {
    window: windowOf(seconds, { tables: [tableDelta({ oid: table.oid, n_tup_upd: updates })] }),
  });
}

async function evaluate(context: RuleContext, which = rule) {
  const result = await which.evaluate(context);
  for (const draft of result.recommendations) draftSchema.parse(draft);
  return result;
}

const codes = async (context: RuleContext, which = rule) =>
  (await evaluate(context, which)).rejections.map((rejection) => rejection.code);

describe('autovacuum/scale-factor', () => {
  test('fires on a churned table in a short window, and says that it was short', async () => {
    const { recommendations, limits } = await evaluate(churned(4000));
    expect(recommendations).toHaveLength(1);
    const [draft] = recommendations;
    // 4,000 a minute, which is one round of autovacuum: 1.3 % of the rows, and more than a vacuum is worth it from:
    // 6,000 pages and 5,120 of indexes, a third as many rows as each update touched three pages.
    expect(draft?.change).toEqual({
      kind: 'table.reloptions',
      schema: 'public',
      table: 't',
      set: {
        autovacuum_vacuum_scale_factor: '0.012',
        autovacuum_vacuum_threshold: '400',
        autovacuum_vacuum_max_threshold: '4000',
      },
      previous: {
        autovacuum_vacuum_scale_factor: null,
        autovacuum_vacuum_threshold: null,
        autovacuum_vacuum_max_threshold: null,
      },
    });
    expect(draft?.confidence).toBeLessThan(0.6);
    expect(draft?.rationale).toContain('60 s only');
    const evidence = Object.fromEntries(draft?.evidence.map((item) => [item.name, item.value]) ?? []);
    expect(evidence['trigger now']).toBe(60_050);
    expect(evidence['trigger after']).toBe(4000);
    // 240,000 an hour against the trigger, found at the next round.
    expect(evidence['vacuums a day now']).toBeCloseTo((240_000 * 24) / 64_000, 0);
    // 4,000 come in one round: found at every first or second one.
    expect(Number(evidence['vacuums a day after'])).toBeGreaterThan(700);
    expect(Number(evidence['vacuums a day after'])).toBeLessThanOrEqual(1440);
    expect(Number(evidence['dead rows at the peak after'])).toBeLessThan(
      Number(evidence['dead rows at the peak now']) / 4,
    );
    expect(limits).toEqual([]);
  });

  test('churn beyond what a vacuum is worth makes the trigger: from 18 on it does not grow with the table', async () => {
    const [draft] = (await evaluate(churned(20_000))).recommendations;
    expect(draft?.change).toMatchObject({
      set: { autovacuum_vacuum_threshold: '2000', autovacuum_vacuum_max_threshold: '20000' },
    });
  });

  test('what pruning removed does not count', async () => {
    const context = churned(4000);
    for (const delta of context.window?.tables ?? []) delta.dead_tup_change = 100;
    expect(await codes(context)).toEqual(['pruning_suffices']);
    for (const delta of context.window?.tables ?? []) delta.dead_tup_change = 2000;
    const [draft] = (await evaluate(context)).recommendations;
    const evidence = Object.fromEntries(draft?.evidence.map((item) => [item.name, item.value]) ?? []);
    expect(evidence['rows left dead an hour']).toBe(120_000);
  });

  test('partitions that want alike are one advice; the one that differs has its own', async () => {
    const top = tableRow({ oid: 1, name: 'orders', relkind: 'p' });
    const leaf = (oid: number, rows: number) =>
      tableRow({
        oid,
        name: `orders_${oid}`,
        is_partition: true,
        parent_oid: 1,
        n_live_tup: rows,
        reltuples: rows,
        main_pages: rows / 50,
        reloptions: oid === 4 ? { autovacuum_vacuum_scale_factor: '0.3' } : {},
      });
    const tables = [top, leaf(2, 300_000), leaf(3, 310_000), leaf(4, 290_000), leaf(5, 3_000_000)];
    const window = windowOf(60, {
      tables: tables.map(({ oid }) => tableDelta({ oid, n_tup_upd: oid === 5 ? 20_000 : 4000 })),
    });
    const { recommendations } = await evaluate(contextOf(snapshotOf({ tables }), { window }));
    expect(recommendations.map(({ key }) => key)).toEqual([
      'table.reloptions public.orders partitions autovacuum_vacuum',
      'table.reloptions public.orders_5 autovacuum_vacuum',
    ]);
    expect(recommendations[0]?.change).toMatchObject({
      table: 'orders_2',
      others: [
        { table: 'orders_3', previous: { autovacuum_vacuum_scale_factor: null } },
        { table: 'orders_4', previous: { autovacuum_vacuum_scale_factor: '0.3' } },
      ],
    });
  });

  test('is silent while something old holds dead rows, names it, and says when that could not be seen', async () => {
    const holder = (
      since: string,
      xmin_age: number,
      kind: 'session' | 'replication_slot' = 'replication_slot',
    ) => ({
      kind,
      name: 'forgotten',
      database: kind === 'session' ? 'app' : null,
      xmin_age,
      catalog_xmin_age: null,
      since,
    });
    const held = (...xmin_holders: ReturnType<typeof holder>[]) =>
      evaluate(churned(4000, {}, { activity: { ...noActivity, xmin_holders } }));
    const old = new Date(Date.parse(TAKEN_AT) - 3_600_000).toISOString();
    expect((await held(holder(TAKEN_AT, 5))).rejections).toEqual([]);
    const silenced = await held(holder(TAKEN_AT, 4), holder(old, 5));
    expect(silenced.recommendations).toEqual([]);
    expect(silenced.rejections).toMatchObject([
      {
        code: 'horizon_held',
        reason: expect.stringMatching(/^replication slot forgotten \(5 transactions, for 60 min\)/) as string,
      },
    ]);
    // A session of another database holds nothing of this one's tables, a catalog_xmin only catalogs.
    expect((await held({ ...holder(old, 5, 'session'), database: 'other' })).recommendations).toHaveLength(1);
    expect(
      (await held({ ...holder(old, 5), xmin_age: null as never, catalog_xmin_age: 5 as never }))
        .recommendations,
    ).toHaveLength(1);
    const limits = [{ scope: 'xmin-holders', code: 'timed_out', message: 'x', remedy: null }];
    expect((await evaluate(churned(4000, {}, { limits }))).limits).toMatchObject([
      { code: 'horizon_not_seen' },
    ]);
  });

  // The same work on a faster host is a shorter window: that must not silence it.
  test.each([
    [5000, 20],
    [5000, 15],
    [5100, 20],
    [9000, 20],
  ])('fires for %i updates in %i s', async (updates, seconds) => {
    const [draft] = (await evaluate(churned(updates, {}, {}, seconds))).recommendations;
    const evidence = Object.fromEntries(draft?.evidence.map((item) => [item.name, item.value]) ?? []);
    expect(evidence['trigger now']).toBeGreaterThanOrEqual(2 * Number(evidence['trigger after']));
    // No more often than autovacuum looks: once a minute.
    expect(evidence['vacuums a day after']).toBeLessThanOrEqual(1440);
    expect(evidence['vacuums a day after']).toBeGreaterThan(Number(evidence['vacuums a day now']));
  });

  test('a rate beyond what rounds can serve does not promise more runs than there are rounds', async () => {
    const own = { autovacuum_vacuum_scale_factor: '0.9' };
    const [draft] = (
      await evaluate(
        churned(100_000, { reloptions: own }, { settings: { autovacuum_vacuum_scale_factor: '0.9' } }),
      )
    ).recommendations;
    const evidence = Object.fromEntries(draft?.evidence.map((item) => [item.name, item.value]) ?? []);
    expect(evidence['trigger after']).toBe(60_000);
    expect(evidence['vacuums a day now']).toBeCloseTo((6_000_000 * 24) / 300_000, -1);
    expect(Number(evidence['vacuums a day after'])).toBeLessThanOrEqual(1440);
    expect(Number(evidence['vacuums a day after'])).toBeGreaterThan(1000);
  });

  test("an override that is late where the server's settings would do is for another rule", async () => {
    expect(await codes(churned(100_000, { reloptions: { autovacuum_vacuum_scale_factor: '0.5' } }))).toEqual([
      'override_to_remove',
    ]);
  });

  test("the table's own cost limit makes its vacuums longer, and so the trigger later", async () => {
    const large = { n_live_tup: 1e8, reltuples: 1e8, main_pages: 1e6, indexes_bytes: 0 };
    const wanted = async (reloptions: Record<string, string>) => {
      const [draft] = (await evaluate(churned(50_000, { ...large, reloptions }, { major: 17 })))
        .recommendations;
      return draft?.evidence.find((item) => item.name === 'trigger after')?.value;
    };
    // A million pages at 100,000 units a second, read and dirtied in part: the run's length decides once it is slow.
    expect(Number(await wanted({ autovacuum_vacuum_cost_limit: '50' }))).toBeGreaterThan(
      2 * Number(await wanted({})),
    );
  });

  test('up to 17 there is no max_threshold to set', async () => {
    const [draft] = (await evaluate(churned(4000, {}, { major: 17 }))).recommendations;
    expect(draft?.change).toMatchObject({
      set: { autovacuum_vacuum_scale_factor: '0.012', autovacuum_vacuum_threshold: '400' },
    });
    expect(JSON.stringify(draft?.change)).not.toContain('max_threshold');
  });

  test('takes the table’s own options for what is in force, and keeps them for the way back', async () => {
    const [draft] = (await evaluate(churned(2000, { reloptions: { autovacuum_vacuum_scale_factor: '0.1' } })))
      .recommendations;
    expect(draft?.change).toMatchObject({ previous: { autovacuum_vacuum_scale_factor: '0.1' } });
    expect(await codes(churned(2000, { reloptions: { autovacuum_vacuum_scale_factor: '0.015' } }))).toEqual([
      'close_enough',
    ]);
  });

  test("18's cap on the trigger counts", async () => {
    const large = { n_live_tup: 2e9, reltuples: 2e9, main_pages: 4e7, indexes_bytes: 0 };
    expect(await codes(churned(1e5, large))).toEqual(['close_enough']);
    expect((await evaluate(churned(1e5, large, { major: 17 }))).recommendations).toHaveLength(1);
  });

  test.each([
    ['a small table', churned(2000, { n_live_tup: 20_000, reltuples: 20_000 }), []],
    ['a table at rest', churned(0), []],
    ['too few changes to be a rate', churned(400), []],
    ['ten updates, however short the window', churned(10, {}, {}, 1), []],
    ['so much churn that the default is right', churned(100_000), ['close_enough']],
    [
      'a table that is switched off',
      churned(2000, { reloptions: { autovacuum_enabled: 'false' } }),
      ['autovacuum_off'],
    ],
    [
      'a server that is switched off',
      churned(2000, {}, { settings: { autovacuum: 'off' } }),
      ['autovacuum_off'],
    ],
    ['a partitioned parent', churned(2000, { relkind: 'p' }), []],
  ])('quiet for %s', async (_, context, expected) => {
    expect((await evaluate(context)).recommendations).toEqual([]);
    expect(await codes(context)).toEqual(expected);
  });

  test('is silent while something holds the dead rows that a vacuum just left', async () => {
    const ended = new Date(Date.parse(TAKEN_AT) - 20_000).toISOString();
    const context = churned(2000, { n_dead_tup: 200_000, last_autovacuum: ended });
    context.window?.tables.forEach((delta) => {
      delta.autovacuum_count = 1;
    });
    const result = await evaluate(context);
    expect(result.recommendations).toEqual([]);
    expect(result.rejections).toEqual([
      expect.objectContaining({
        code: 'vacuum_leaves_dead_rows',
        reason: expect.stringContaining('replication slot'),
      }),
    ]);
  });

  test('without a window: from the counters since they began, with less confidence; not at all if that is unknown', async () => {
    const tables = [tableRow({ n_tup_upd: 10 * 24 * 60_000, n_live_tup: 1_000_000 })];
    const [draft] = (await evaluate(contextOf(snapshotOf({ tables })))).recommendations;
    expect(draft?.rationale).toContain('mean over all the time');
    expect(draft?.confidence).toBeLessThan(0.6);
    expect(draft?.evidence[0]).toMatchObject({ value: 60_000, source: expect.stringContaining('since') });

    const unknown = await evaluate(contextOf(snapshotOf({ tables, server: { stats_reset: null } })));
    expect(unknown.recommendations).toEqual([]);
    expect(unknown.limits.map((limit) => limit.code)).toEqual(['rate_unknown']);
  });

  test('the split gives back the target', () => {
    for (const [target, rows] of [
      [4000, 300_000],
      [1_000_000, 1e8],
      [60, 1000],
    ] as const) {
      const { threshold, scale_factor } = split(target, rows);
      expect(Math.abs(threshold + scale_factor * rows - target)).toBeLessThan(0.06 * target);
    }
    expect(split(100, 1e9).scale_factor).toBe(0.0001);
  });
});

describe('autovacuum/insert-scale-factor', () => {
  const context = (row: Partial<TableRow> = {}, delta = {}, snapshot: Partial<Snapshot> = {}) => {
    const table = tableRow({ n_live_tup: 2_000_000, reltuples: 2_000_000, n_tup_ins: 2_000_000, ...row });
    return contextOf(snapshotOf({ tables: [table], ...(snapshot as object) }), {
      window: windowOf(600, { tables: [tableDelta({ n_tup_ins: 5000, ...delta })] }),
    });
  };

  test('fires on a large table that only grows', async () => {
    const [draft] = (await evaluate(context(), insertRule)).recommendations;
    expect(draft?.change).toMatchObject({
      set: {
        autovacuum_vacuum_insert_scale_factor: '0.05',
        autovacuum_vacuum_insert_threshold: '10000',
        autovacuum_freeze_min_age: '0',
      },
    });
  });

  test.each([
    ['rows that change', context({}, { n_tup_upd: 100 })],
    ['rows that changed before', context({ n_tup_upd: 100_000 })],
    ['a table that does not grow', context({}, { n_tup_ins: 10 })],
    ['a small table', context({ n_live_tup: 10_000, reltuples: 10_000 })],
  ])('says nothing of %s', async (_, quiet) => {
    const result = await evaluate(quiet, insertRule);
    expect([...result.recommendations, ...result.rejections]).toEqual([]);
  });

  test('gives its reason where the table has been seen to, or the trigger is off', async () => {
    expect(
      await codes(context({ reloptions: { autovacuum_vacuum_insert_scale_factor: '0.05' } }), insertRule),
    ).toEqual(['close_enough']);
    expect(
      await codes(context({ reloptions: { autovacuum_vacuum_insert_threshold: '-1' } }), insertRule),
    ).toEqual(['insert_trigger_off']);
  });
});
