/** Rules about the server's autovacuum settings and about wraparound, on built snapshots. */
import { describe, expect, test } from 'vitest';
import { rule as costLimitRule } from '../../../../src/advise/rules/autovacuum/cost-limit.ts';
import { rule as forcedRule } from '../../../../src/advise/rules/autovacuum/forced-vacuum.ts';
import { rule as freezeMaxAgeRule } from '../../../../src/advise/rules/autovacuum/freeze-max-age.ts';
import { rule as globalRule } from '../../../../src/advise/rules/autovacuum/global-scale-factor.ts';
import { rule as workersRule } from '../../../../src/advise/rules/autovacuum/max-workers.ts';
import { rule as naptimeRule } from '../../../../src/advise/rules/autovacuum/naptime.ts';
import { rule as scaleFactorRule } from '../../../../src/advise/rules/autovacuum/scale-factor.ts';
import { rule as workMemRule } from '../../../../src/advise/rules/autovacuum/work-mem.ts';
import { rule as wraparoundRule } from '../../../../src/advise/rules/autovacuum/wraparound.ts';
import {
  type ActivityGroup,
  draftSchema,
  noActivity,
  type Rule,
  type RuleContext,
  type TableRow,
  type Window,
} from '../../../../src/domain/index.ts';
import { tableRow, vacuumRow } from '../../../support/rows.ts';
import { contextOf, GB, snapshotOf, tableDelta, windowOf } from '../../../support/snapshot-builder.ts';

async function evaluate(rule: Rule, context: RuleContext) {
  const result = await rule.evaluate(context);
  for (const draft of result.recommendations) draftSchema.parse(draft);
  return result;
}
const codes = async (rule: Rule, context: RuleContext) =>
  (await evaluate(rule, context)).rejections.map(({ code }) => code);
const changes = async (rule: Rule, context: RuleContext) =>
  (await evaluate(rule, context)).recommendations.map(({ change }) => change);

type Parts = Parameters<typeof snapshotOf>[0];

/** So many tables of ten million rows with `updates` each in a window of two hours. */
function busy(count: number, updates: number, parts: Parts = {}, row: Partial<TableRow> = {}) {
  const tables = Array.from({ length: count }, (_, index) =>
    tableRow({
      oid: 20_000 + index,
      name: `t${index}`,
      n_live_tup: 1e7,
      reltuples: 1e7,
      main_pages: 500_000,
      relpages: 500_000,
      indexes_bytes: 2 * GB,
      ...row,
    }),
  );
  return contextOf(snapshotOf({ tables, ...parts }), {
    window: windowOf(7200, { tables: tables.map(({ oid }) => tableDelta({ oid, n_tup_upd: updates })) }),
  });
}

const workersAtWork = (sessions: number): ActivityGroup => ({
  backend_type: 'autovacuum worker',
  database: 'app',
  user: null,
  application_name: null,
  state: 'active',
  wait_event_type: null,
  wait_event: null,
  query_id: null,
  sessions,
});
describe('autovacuum/cost-limit', () => {
  test('fires where a day needs more than half of what is allowed, and doubles until it does not', async () => {
    // 2.8 million rows an hour each in 40 tables: each vacuum dirties half a million pages.
    const context = busy(40, 4_000_000);
    const [change] = await changes(costLimitRule, context);
    expect(change).toMatchObject({ kind: 'setting', name: 'autovacuum_vacuum_cost_limit' });
    if (change?.kind !== 'setting') throw new Error('no setting');
    expect([400, 800, 1600]).toContain(Number(change.value));
    // With that in force it is quiet.
    const again = busy(40, 4_000_000, { settings: { autovacuum_vacuum_cost_limit: '3200' } });
    expect(await codes(costLimitRule, again)).toEqual(['room_enough']);
  });

  test('a limit that everything waits for is doubled until nothing does, not once', async () => {
    // A day takes what it allows: the share of it is no more than one, whatever the tables need.
    const settings = { autovacuum_vacuum_cost_limit: '10' };
    const { recommendations } = await evaluate(costLimitRule, busy(40, 4_000_000, { settings }));
    // By hand in the file: nothing but the replay speaks against it.
    expect(recommendations).toEqual([]);
    const unchosen = { vacuum_cost_limit: '10' };
    const [change] = await changes(costLimitRule, busy(40, 4_000_000, { settings: unchosen }));
    expect(Number(change?.kind === 'setting' && change.value)).toBeGreaterThanOrEqual(320);
  });

  test('what has a limit of its own takes nothing of the shared one', async () => {
    const own = { reloptions: { autovacuum_vacuum_cost_limit: '50' } };
    expect(await codes(costLimitRule, busy(40, 4_000_000, {}, own))).toEqual(['room_enough']);
  });

  test('quiet while something holds the horizon: the same tables are due for ever', async () => {
    const holder = {
      kind: 'prepared_transaction' as const,
      name: 'forgotten',
      database: 'app',
      xmin_age: 5_000,
      catalog_xmin_age: null,
      since: '2026-03-01T09:00:00.000Z',
    };
    const activity = { ...noActivity, xmin_holders: [holder] };
    expect(await codes(costLimitRule, busy(40, 4_000_000, { activity }))).toEqual(['horizon_held']);
  });

  test('fires where a vacuum was seen asleep while all workers were busy', async () => {
    const activity = {
      ...noActivity,
      groups: [workersAtWork(3)],
      vacuums: [vacuumRow({ delay_time_ms: 3_000_000 })],
    };
    expect(await changes(costLimitRule, busy(1, 100_000, { activity }))).toMatchObject([{ value: '400' }]);
    const free = { ...activity, groups: [workersAtWork(1)] };
    expect(await codes(costLimitRule, busy(1, 100_000, { activity: free }))).toEqual(['room_enough']);
  });

  test('quiet without a limit, without changes', async () => {
    const settings = { autovacuum_vacuum_cost_delay: '0' };
    expect(await codes(costLimitRule, busy(40, 4_000_000, { settings }))).toEqual(['not_throttled']);
    expect(await evaluate(costLimitRule, busy(3, 0))).toMatchObject({ recommendations: [], rejections: [] });
  });
});

describe('autovacuum/global-scale-factor', () => {
  test('where many tables are late the setting is, and they have no advice of their own', async () => {
    const context = busy(12, 100_000);
    expect(await changes(globalRule, context)).toMatchObject([
      { name: 'autovacuum_vacuum_scale_factor', value: expect.stringMatching(/^0\.0\d$/) as string },
    ]);
    expect(await changes(scaleFactorRule, context)).toEqual([]);
    expect(await codes(scaleFactorRule, context)).toEqual(Array.from({ length: 12 }, () => 'global_first'));
  });

  test('a few are looked at one by one; tables with triggers of their own do not count', async () => {
    expect(await changes(globalRule, busy(5, 100_000))).toEqual([]);
    expect(await changes(scaleFactorRule, busy(5, 100_000))).toHaveLength(5);
    const own = { reloptions: { autovacuum_vacuum_scale_factor: '0.19' } };
    expect(await changes(globalRule, busy(12, 100_000, {}, own))).toEqual([]);
  });
});

describe('autovacuum/max-workers', () => {
  const own = { reloptions: { autovacuum_vacuum_cost_limit: '50' } };
  const settings = { autovacuum_vacuum_cost_limit: '10000', autovacuum_max_workers: '3' };

  test('the cost limit goes first: workers share it', async () => {
    expect(await codes(workersRule, busy(40, 4_000_000))).toEqual(['cost_limit_first']);
  });

  test('fires where tables wait and the limit is not what they wait for', async () => {
    // Slow by limits of their own, which they do not share.
    const [change] = await changes(workersRule, busy(40, 3_000_000, { settings, cpu_count: 16 }, own));
    expect(change).toMatchObject({ name: 'autovacuum_max_workers', value: '6' });
  });

  test('no more than processors, slots and memory bear', async () => {
    expect(await codes(workersRule, busy(40, 3_000_000, { settings, cpu_count: 4 }, own))).toEqual([
      'processors_taken',
    ]);
    const slots = { ...settings, autovacuum_worker_slots: '5' };
    expect(
      await changes(workersRule, busy(40, 3_000_000, { settings: slots, cpu_count: 16 }, own)),
    ).toMatchObject([{ value: '5' }]);
    const memory = { ...settings, autovacuum_work_mem: String(4 * 1024 * 1024) };
    expect(await codes(workersRule, busy(40, 3_000_000, { settings: memory, cpu_count: 16 }, own))).toEqual([
      'no_memory',
    ]);
  });

  test('quiet where workers are free', async () => {
    expect(await codes(workersRule, busy(2, 100_000))).toEqual(['workers_enough']);
  });
});

describe('autovacuum/naptime', () => {
  const queue = { n_live_tup: 5000, reltuples: 5000, main_pages: 500, relpages: 500, indexes_bytes: 0 };

  test('fires for a queue that turns over in a minute', async () => {
    // 500,000 an hour are 8,333 a minute beside 5,000 rows.
    const [change] = await changes(naptimeRule, busy(1, 1_000_000, {}, queue));
    expect(change).toMatchObject({ name: 'autovacuum_naptime', value: '10s', current_value: '1min' });
  });

  test('quiet for large tables, and where it is short already', async () => {
    expect(await evaluate(naptimeRule, busy(1, 1_000_000))).toMatchObject({ recommendations: [] });
    const settings = { autovacuum_naptime: '10' };
    expect(await codes(naptimeRule, busy(1, 10_000_000, { settings }, queue))).toEqual(['short_already']);
  });

  test('what pruning removes does not count', async () => {
    const context = busy(1, 1_000_000, {}, queue);
    for (const delta of context.window?.tables ?? []) delta.dead_tup_change = 600;
    expect(await evaluate(naptimeRule, context)).toMatchObject({ recommendations: [], rejections: [] });
  });
});

describe('autovacuum/work-mem', () => {
  const large = { n_live_tup: 2e8, reltuples: 2e8 };

  test('until 16 the largest trigger tells: six bytes a row', async () => {
    const [change] = await changes(workMemRule, busy(1, 2e6, { major: 16, ram_bytes: 64 * GB }, large));
    // 40 million dead rows: 229 MB.
    expect(change).toMatchObject({
      name: 'autovacuum_work_mem',
      value: expect.stringMatching(/^2\d\dMB$/) as string,
    });
  });

  test('from 17 on only a second pass that was seen, which doubles it', async () => {
    expect(await codes(workMemRule, busy(1, 2e6, { ram_bytes: 64 * GB }, large))).toEqual(['one_pass']);
    const activity = { ...noActivity, vacuums: [vacuumRow({ index_vacuum_count: 2 })] };
    expect(await changes(workMemRule, busy(1, 2e6, { ram_bytes: 64 * GB, activity }, large))).toMatchObject([
      { value: '128MB' },
    ]);
  });

  test('not beyond the memory that there is', async () => {
    const activity = { ...noActivity, vacuums: [vacuumRow({ index_vacuum_count: 2 })] };
    const settings = { autovacuum_work_mem: String(3 * 1024 * 1024) };
    expect(await codes(workMemRule, busy(1, 2e6, { activity, settings }))).toEqual(['no_memory']);
  });
});

describe('wraparound', () => {
  const database = (age: number, mxid = 1000) => ({
    oid: 5,
    name: 'app',
    allows_connections: true,
    is_template: false,
    datfrozenxid_age: age,
    datminmxid_age: mxid,
    numbackends: 1,
  });
  const at = (age: number, xids: number | null, row: Partial<TableRow> = {}, parts: Parts = {}) => {
    const snapshot = snapshotOf({
      tables: [tableRow({ xid_age: age, ...row })],
      counters: { databases: [database(age)] },
      ...parts,
    });
    const counters = { xids, mxids: null } as Window['counters'];
    return contextOf(snapshot, { window: { ...windowOf(7200), ...(counters ? { counters } : {}) } });
  };

  test('a database that autovacuum does not get through is an emergency by the days left', async () => {
    // 50,000 a second: 2,144 − 400 million in ten hours.
    const { recommendations } = await evaluate(wraparoundRule, at(400_000_000, 360_000_000));
    expect(recommendations.map(({ key, severity }) => [key, severity])).toEqual([
      ['finding wraparound xid app', 'critical'],
      ['vacuum public.t freeze', 'critical'],
    ]);
    expect(recommendations[1]?.change).toMatchObject({ kind: 'vacuum', freeze: true });
    const [slow] = (await evaluate(wraparoundRule, at(400_000_000, 720))).recommendations;
    expect(slow?.severity).toBe('medium');
    const [failsafe] = (await evaluate(wraparoundRule, at(1_700_000_000, null))).recommendations;
    expect(failsafe?.severity).toBe('critical');
    expect(failsafe?.title).toContain('444,483,647 left');
  });

  test('multixacts likewise, and another database by its name', async () => {
    const counters = {
      databases: [database(10, 900_000_000), { ...database(500_000_000), oid: 6, name: 'other' }],
    };
    const context = at(10, null, { mxid_age: 900_000_000 }, { counters });
    const keys = (await evaluate(wraparoundRule, context)).recommendations.map(({ key }) => key);
    expect(keys).toEqual([
      'finding wraparound xid other',
      'finding wraparound mxid app',
      'vacuum public.t freeze',
    ]);
  });

  test('what holds the horizon is named, and no vacuum proposed behind it', async () => {
    const holder = {
      kind: 'replication_slot' as const,
      name: 'forgotten',
      database: null,
      xmin_age: 390_000_000,
      catalog_xmin_age: null,
      since: null,
    };
    const activity = { ...noActivity, xmin_holders: [holder] };
    const result = await evaluate(wraparoundRule, at(400_000_000, 7200, {}, { activity }));
    expect(result.recommendations.map(({ change }) => change.kind)).toEqual(['finding']);
    expect(result.recommendations[0]?.rationale).toContain('replication slot forgotten');
    expect(result.rejections).toMatchObject([{ code: 'horizon_held' }]);
    const vacuums = [vacuumRow({ table_oid: 16_384, is_wraparound: true })];
    expect(
      await codes(wraparoundRule, at(400_000_000, 7200, {}, { activity: { ...noActivity, vacuums } })),
    ).toEqual(['vacuum_running']);
  });

  test('quiet while autovacuum does its work', async () => {
    expect(await evaluate(wraparoundRule, at(210_000_000, 7200))).toMatchObject({
      recommendations: [],
      rejections: [],
    });
  });

  test('a large table whose forced vacuum is near gets an appointment', async () => {
    const large = { main_pages: 1_000_000, relpages: 1_000_000 };
    // 100 a second: 30 million in 3.5 days.
    expect(await changes(forcedRule, at(170_000_000, 720_000, large))).toMatchObject([
      { kind: 'vacuum', freeze: true },
    ]);
    expect(await changes(forcedRule, at(170_000_000, 720_000))).toEqual([]);
    // Once a table, whatever ages; and not where it is behind already, which is the other rule's.
    const both = at(170_000_000, 720_000, { ...large, mxid_age: 380_000_000 });
    if (both.window?.counters) both.window.counters.mxids = 720_000;
    expect(await changes(forcedRule, both)).toHaveLength(1);
    expect(await changes(forcedRule, at(170_000_000, 720_000, { ...large, mxid_age: 650_000_000 }))).toEqual(
      [],
    );
    expect(await changes(forcedRule, at(20_000_000, 720_000, large))).toEqual([]);
    expect(await changes(forcedRule, at(170_000_000, null, large))).toEqual([]);
    expect(await changes(forcedRule, at(170_000_000, 720_000, { ...large, relallfrozen: 950_000 }))).toEqual(
      [],
    );
  });

  test('forced vacuums of everything every few days ask for a later age', async () => {
    // 1,000 a second: 150 million in 1.7 days.
    expect(await changes(freezeMaxAgeRule, at(100, 7_200_000))).toMatchObject([
      { name: 'autovacuum_freeze_max_age', value: '1000000000' },
    ]);
    expect(await codes(freezeMaxAgeRule, at(100, 720_000))).toEqual(['seldom_enough']);
    const short = at(100, 7_200_000);
    if (short.window) short.window.seconds = 600;
    expect(await codes(freezeMaxAgeRule, short)).toEqual(['window_too_short']);
  });
});
