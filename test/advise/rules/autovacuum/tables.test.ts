/** Rules about single tables, on built snapshots: when they fire and when they are quiet. */
import { describe, expect, test } from 'vitest';
import { rule as analyzeRule } from '../../../../src/advise/rules/autovacuum/analyze-scale-factor.ts';
import { rule as fillfactorRule } from '../../../../src/advise/rules/autovacuum/fillfactor.ts';
import { rule as scaleFactorRule } from '../../../../src/advise/rules/autovacuum/scale-factor.ts';
import { rule as overrideRule } from '../../../../src/advise/rules/autovacuum/stale-override.ts';
import { rule as costLimitRule } from '../../../../src/advise/rules/autovacuum/table-cost-limit.ts';
import { rule as toastRule } from '../../../../src/advise/rules/autovacuum/toast.ts';
import { rule as vacuumOnceRule } from '../../../../src/advise/rules/autovacuum/vacuum-once.ts';
import { rule as horizonRule } from '../../../../src/advise/rules/autovacuum/xmin-horizon.ts';
import {
  draftSchema,
  noActivity,
  type Rule,
  type RuleContext,
  type TableDelta,
  type TableRow,
  type ToastFacts,
  type XminHolder,
} from '../../../../src/domain/index.ts';
import { tableRow } from '../../../support/rows.ts';
import {
  contextOf,
  MB,
  snapshotOf,
  TAKEN_AT,
  tableDelta,
  windowOf,
} from '../../../support/snapshot-builder.ts';

async function evaluate(rule: Rule, context: RuleContext) {
  const result = await rule.evaluate(context);
  for (const draft of result.recommendations) {
    draftSchema.parse(draft);
    expect(draft.evidence.length).toBeGreaterThan(0);
  }
  return result;
}
const codes = async (rule: Rule, context: RuleContext) =>
  (await evaluate(rule, context)).rejections.map(({ code }) => code);

/** A table in a window of two hours. */
function seen(
  row: Partial<TableRow>,
  delta: Partial<TableDelta> = {},
  parts: Parameters<typeof snapshotOf>[0] = {},
  seconds = 7200,
) {
  const table = tableRow(row);
  return contextOf(snapshotOf({ tables: [table], ...parts }), {
    window: windowOf(seconds, { tables: [tableDelta({ oid: table.oid, ...delta })] }),
  });
}

describe('autovacuum/analyze-scale-factor', () => {
  const large = { n_live_tup: 1e8, reltuples: 1e8, main_pages: 2e6, relpages: 2e6 };

  test('fires where a tenth of the rows are weeks', async () => {
    // 100,000 an hour: 10 million, the default's trigger, are four days.
    const [draft] = (await evaluate(analyzeRule, seen(large, { n_tup_ins: 200_000 }))).recommendations;
    expect(draft?.change).toMatchObject({
      set: { autovacuum_analyze_scale_factor: '0.022', autovacuum_analyze_threshold: '240000' },
    });
    const evidence = Object.fromEntries(draft?.evidence.map(({ name, value }) => [name, value]) ?? []);
    expect(Number(evidence['analyzes a day now'])).toBeLessThan(0.3);
    expect(Number(evidence['analyzes a day after'])).toBeCloseTo(1, 0);
  });

  test.each<[string, RuleContext, string[]]>([
    ['a table that changes all of its rows in hours', seen(large, { n_tup_upd: 2e7 }), ['close_enough']],
    ['a table at rest', seen(large), []],
    ['next to no changes', seen(large, { n_tup_ins: 1000 }), ['too_few_changes']],
    ['a small table', seen({ reltuples: 50_000, n_live_tup: 50_000 }, { n_tup_ins: 2000 }), []],
  ])('quiet for %s', async (_, context, expected) => {
    const result = await evaluate(analyzeRule, context);
    expect(result.recommendations).toEqual([]);
    expect(result.rejections.map(({ code }) => code)).toEqual(expected);
  });
});

describe('autovacuum/stale-override', () => {
  test('what the server says anyway is to go', async () => {
    const reloptions = {
      autovacuum_vacuum_scale_factor: '0.2',
      autovacuum_freeze_min_age: '50000000',
      autovacuum_analyze_scale_factor: '0.02',
      fillfactor: '100',
    };
    const [draft] = (await evaluate(overrideRule, seen({ reloptions }))).recommendations;
    expect(draft?.change).toMatchObject({
      set: {},
      reset: ['autovacuum_vacuum_scale_factor', 'autovacuum_freeze_min_age'],
      previous: { autovacuum_vacuum_scale_factor: '0.2', autovacuum_freeze_min_age: '50000000' },
    });
  });

  test('a late override is to go where the server would do', async () => {
    const reloptions = { autovacuum_vacuum_scale_factor: '0.6' };
    const context = seen({ reloptions }, { n_tup_upd: 60_000_000 });
    const [draft] = (await evaluate(overrideRule, context)).recommendations;
    expect(draft?.title).toContain('too late');
    expect(draft?.change).toMatchObject({ reset: ['autovacuum_vacuum_scale_factor'] });
    expect(await codes(scaleFactorRule, context)).toEqual(['override_to_remove']);
  });

  test('a throttle of its own goes with it where a vacuum takes too long for the trigger to matter', async () => {
    const reloptions = { autovacuum_vacuum_scale_factor: '0.6', autovacuum_vacuum_cost_delay: '100' };
    const [draft] = (await evaluate(overrideRule, seen({ reloptions }, { n_tup_upd: 600_000_000 })))
      .recommendations;
    expect(draft?.change).toMatchObject({
      reset: ['autovacuum_vacuum_scale_factor', 'autovacuum_vacuum_cost_delay'],
      previous: { autovacuum_vacuum_cost_delay: '100' },
    });
    const evidence = Object.fromEntries(draft?.evidence.map(({ name, value }) => [name, value]) ?? []);
    expect(Number(evidence['dead rows at the peak after'])).toBeLessThan(
      0.9 * Number(evidence['dead rows at the peak now']),
    );
  });

  test('where the server itself is as slow nothing is gained, and that is said', async () => {
    const reloptions = { autovacuum_vacuum_scale_factor: '0.6' };
    const context = seen(
      { reloptions },
      { n_tup_upd: 600_000_000 },
      { settings: { autovacuum_vacuum_cost_delay: '100' } },
    );
    expect(await codes(overrideRule, context)).toEqual(['nothing_gained']);
  });

  test('an early one that reads the table for next to nothing is put right, or to go where the server would do', async () => {
    const reloptions = { autovacuum_vacuum_scale_factor: '0', autovacuum_vacuum_threshold: '1000' };
    const [draft] = (await evaluate(overrideRule, seen({ reloptions }, { n_tup_upd: 200_000 })))
      .recommendations;
    expect(draft?.title).toContain('next to nothing');
    expect(draft?.change).toMatchObject({
      set: { autovacuum_vacuum_scale_factor: '0.009' },
      previous: { autovacuum_vacuum_scale_factor: '0' },
    });
    const [gone] = (
      await evaluate(
        overrideRule,
        seen(
          { reloptions },
          { n_tup_upd: 200_000 },
          { settings: { autovacuum_vacuum_scale_factor: '0.01' } },
        ),
      )
    ).recommendations;
    expect(gone?.change).toMatchObject({
      set: {},
      reset: ['autovacuum_vacuum_threshold', 'autovacuum_vacuum_scale_factor'],
    });
    const evidence = Object.fromEntries(draft?.evidence.map(({ name, value }) => [name, value]) ?? []);
    expect(Number(evidence['pages read a day after'])).toBeLessThan(
      Number(evidence['pages read a day now']) / 2,
    );
  });

  test.each<[string, Record<string, string>, Partial<TableDelta>]>([
    ['one that does its work', { autovacuum_vacuum_scale_factor: '0.03' }, { n_tup_upd: 200_000 }],
    ['a table without any', {}, { n_tup_upd: 200_000 }],
    [
      'one whose churn asks for an earlier trigger than the server has',
      { autovacuum_vacuum_scale_factor: '0.5' },
      { n_tup_upd: 20_000 },
    ],
    ['a cost delay of its own, which keeps it from sharing', { autovacuum_vacuum_cost_delay: '2' }, {}],
    ['autovacuum_enabled, which is another matter', { autovacuum_enabled: 'on' }, {}],
  ])('quiet for %s', async (_, reloptions, delta) => {
    expect((await evaluate(overrideRule, seen({ reloptions }, delta))).recommendations).toEqual([]);
  });
});

describe('autovacuum/fillfactor', () => {
  test('fires where updates leave their page', async () => {
    const delta = { n_tup_upd: 10_000, n_tup_hot_upd: 2000, n_tup_newpage_upd: 7500 };
    const [draft] = (await evaluate(fillfactorRule, seen({}, delta))).recommendations;
    // 50 rows a page: one more version takes 2 %.
    expect(draft?.change).toMatchObject({ set: { fillfactor: '95' }, previous: { fillfactor: null } });
    const [wide] = (await evaluate(fillfactorRule, seen({ main_pages: 200_000, relpages: 200_000 }, delta)))
      .recommendations;
    expect(wide?.change).toMatchObject({ set: { fillfactor: '80' } });
  });

  test('an index that keeps them from being HOT is told apart', async () => {
    const delta = { n_tup_upd: 10_000, n_tup_hot_upd: 500, n_tup_newpage_upd: 300 };
    expect(await codes(fillfactorRule, seen({}, delta))).toEqual(['index_blocks_hot']);
  });

  test.each<[string, RuleContext]>([
    ['HOT updates', seen({}, { n_tup_upd: 10_000, n_tup_hot_upd: 9000, n_tup_newpage_upd: 1000 })],
    ['few updates', seen({}, { n_tup_upd: 100, n_tup_newpage_upd: 100 })],
    [
      '15, which does not count them',
      seen({ n_tup_newpage_upd: null }, { n_tup_upd: 10_000 }, { major: 15 }),
    ],
  ])('quiet for %s', async (_, context) => {
    const result = await evaluate(fillfactorRule, context);
    expect([...result.recommendations, ...result.rejections]).toEqual([]);
  });

  test('says on 15 that it cannot tell, and that rows may be too wide', async () => {
    const { limits } = await evaluate(fillfactorRule, seen({}, {}, { major: 15 }));
    expect(limits.map(({ code }) => code)).toEqual(['newpage_not_counted']);
    const delta = { n_tup_upd: 10_000, n_tup_newpage_upd: 9000 };
    expect(await codes(fillfactorRule, seen({ main_pages: 500_000, relpages: 500_000 }, delta))).toEqual([
      'rows_too_wide',
    ]);
  });
});

describe('autovacuum/table-cost-limit', () => {
  const huge = { n_live_tup: 1e8, reltuples: 1e8, main_pages: 1e7, relpages: 1e7, indexes_bytes: 1e11 };

  test('fires where a vacuum takes as long as the next takes to be due', async () => {
    const [draft] = (await evaluate(costLimitRule, seen(huge, { n_tup_upd: 4e7 }))).recommendations;
    const change = draft?.change;
    if (change?.kind !== 'table.reloptions') throw new Error('no reloptions');
    const limit = Number(change.set.autovacuum_vacuum_cost_limit);
    expect(limit).toBeGreaterThanOrEqual(400);
    expect(limit % 100).toBe(0);
    const evidence = Object.fromEntries(draft?.evidence.map(({ name, value }) => [name, value]) ?? []);
    expect(Number(evidence['longest vacuum after'])).toBeLessThan(
      Number(evidence['longest vacuum now']) / 1.9,
    );
  });

  test.each<[string, RuleContext]>([
    ['a vacuum that is short', seen({}, { n_tup_upd: 200_000 })],
    ['a large table that hardly changes', seen(huge, { n_tup_upd: 10_000 })],
    [
      'a server that is not throttled',
      seen(huge, { n_tup_upd: 4e7 }, { settings: { autovacuum_vacuum_cost_delay: '0' } }),
    ],
  ])('quiet for %s', async (_, context) => {
    expect((await evaluate(costLimitRule, context)).recommendations).toEqual([]);
  });
});

describe('autovacuum/toast', () => {
  const toast = (facts: Partial<ToastFacts> = {}): ToastFacts => ({
    oid: 99,
    relpages: 100_000,
    reltuples: 400_000,
    n_tup_ins: 5_000_000,
    n_tup_del: 5_000_000,
    n_live_tup: 400_000,
    n_dead_tup: 30_000,
    n_ins_since_vacuum: 0,
    last_autovacuum: null,
    vacuum_count: 0,
    autovacuum_count: 3,
    xid_age: 100,
    mxid_age: 1,
    ...facts,
  });
  const table = { toast_bytes: 820 * MB };

  test('fires, with parameters of the TOAST table alone', async () => {
    const reloptions = { autovacuum_vacuum_scale_factor: '0.9', autovacuum_vacuum_cost_delay: '1' };
    const [draft] = (
      await evaluate(toastRule, seen({ ...table, reloptions, toast: toast({ relpages: 20_000 }) }))
    ).recommendations;
    expect(draft?.change).toMatchObject({
      // What it took of its table until now goes with it.
      set: {
        'toast.autovacuum_vacuum_cost_delay': '1',
        'toast.autovacuum_vacuum_threshold': expect.any(String) as string,
      },
      previous: { 'toast.autovacuum_vacuum_scale_factor': null },
    });
  });

  test.each<[string, Partial<ToastFacts> | null, string[]]>([
    ['no TOAST table', null, []],
    ['values that are never replaced', { n_tup_del: 0 }, []],
    ['pieces so large that a vacuum reads more than it removes', {}, ['close_enough']],
    ['few pieces', { reltuples: 1000, n_live_tup: 1000 }, []],
  ])('quiet for %s', async (_, facts, expected) => {
    const context = seen({ ...table, toast: facts && toast(facts) });
    const result = await evaluate(toastRule, context);
    expect(result.recommendations).toEqual([]);
    expect(result.rejections.map(({ code }) => code)).toEqual(expected);
  });
});

describe('autovacuum/vacuum-once', () => {
  test('what a bulk delete left, and no trigger will see', async () => {
    const [draft] = (await evaluate(vacuumOnceRule, seen({ n_dead_tup: 180_000, n_live_tup: 820_000 })))
      .recommendations;
    expect(draft?.change).toEqual({
      kind: 'vacuum',
      schema: 'public',
      table: 't',
      freeze: false,
      analyze: false,
    });
  });

  test('a load that nothing ever vacuumed, with its first analyze', async () => {
    const loaded = {
      last_autovacuum: null,
      last_autoanalyze: null,
      relallvisible: 0,
      n_live_tup: 2_000_000,
      reltuples: 2_000_000,
    };
    const [draft] = (await evaluate(vacuumOnceRule, seen(loaded))).recommendations;
    expect(draft?.change).toMatchObject({ kind: 'vacuum', analyze: true });
  });

  const held: XminHolder = {
    kind: 'prepared_transaction',
    name: 'x',
    database: 'app',
    xmin_age: 100,
    catalog_xmin_age: null,
    since: '2026-02-20T00:00:00.000Z',
  };
  test.each<[string, RuleContext, string[]]>([
    ['few dead rows', seen({ n_dead_tup: 20_000 }), []],
    ['a trigger that is reached', seen({ n_dead_tup: 220_000 }), ['comes_by_itself']],
    [
      'one that will be within a day',
      seen({ n_dead_tup: 180_000 }, { n_tup_upd: 20_000 }),
      ['comes_by_itself'],
    ],
    [
      'rows that something holds',
      seen({ n_dead_tup: 180_000 }, {}, { activity: { ...noActivity, xmin_holders: [held] } }),
      ['horizon_held'],
    ],
  ])('quiet for %s', async (_, context, expected) => {
    const result = await evaluate(vacuumOnceRule, context);
    expect(result.recommendations).toEqual([]);
    expect(result.rejections.map(({ code }) => code)).toEqual(expected);
  });
});

describe('autovacuum/xmin-horizon', () => {
  const holder = (parts: Partial<XminHolder> = {}): XminHolder => ({
    kind: 'session',
    name: '4711',
    database: 'app',
    xmin_age: 5000,
    catalog_xmin_age: null,
    since: new Date(Date.parse(TAKEN_AT) - 2 * 3_600_000).toISOString(),
    ...parts,
  });
  const with_ = (xmin_holders: XminHolder[], row: Partial<TableRow> = {}, delta: Partial<TableDelta> = {}) =>
    seen(row, delta, { activity: { ...noActivity, xmin_holders } });

  test('names who holds, the tables that suffer, and what to do', async () => {
    const context = with_([holder()], { n_dead_tup: 600_000 }, { n_tup_upd: 400_000 });
    const [draft] = (await evaluate(horizonRule, context)).recommendations;
    expect(draft).toMatchObject({
      key: 'finding xmin horizon session 4711',
      severity: 'high',
      change: { kind: 'finding' },
    });
    expect(draft?.rationale).toContain('public.t');
    expect(draft?.risk.notes[0]).toContain('pg_terminate_backend(4711)');
    expect(await codes(scaleFactorRule, context)).toEqual(['horizon_held']);
  });

  test('without a table that suffers an old one is still named, a young one is not', async () => {
    expect((await evaluate(horizonRule, with_([holder()]))).recommendations).toMatchObject([
      { severity: 'medium' },
    ]);
    const young = { since: new Date(Date.parse(TAKEN_AT) - 60_000).toISOString() };
    expect((await evaluate(horizonRule, with_([holder(young)]))).recommendations).toEqual([]);
    expect((await evaluate(horizonRule, with_([]))).recommendations).toEqual([]);
  });

  test('a slot tells its age by the transactions since, a long transaction with short statements holds little', async () => {
    const xids = { counters: { xids: 7200 } as never };
    const slot = holder({
      kind: 'replication_slot',
      name: 'cdc',
      database: null,
      since: null,
      xmin_age: 90_000,
    });
    const context = (held: XminHolder) => {
      const built = with_([held]);
      return { ...built, window: built.window && { ...built.window, ...xids } };
    };
    // One a second: 90,000 s.
    expect((await evaluate(horizonRule, context(slot))).recommendations[0]?.risk.notes[0]).toContain(
      "pg_drop_replication_slot('cdc')",
    );
    expect((await evaluate(horizonRule, context(holder({ xmin_age: 3 })))).recommendations).toEqual([]);
  });
});
