/** Health by cumulative counters: since when they count is always said, and too young statistics as well. */
import { describe, expect, test } from 'vitest';
import { rule as behind } from '../../../../src/advise/rules/health/autovacuum-behind.ts';
import { rule as hitRatio } from '../../../../src/advise/rules/health/cache-hit-ratio.ts';
import { rule as checksums } from '../../../../src/advise/rules/health/checksum-failures.ts';
import { rule as deadlocks } from '../../../../src/advise/rules/health/deadlocks.ts';
import { rule as hot } from '../../../../src/advise/rules/health/hot-updates.ts';
import { rule as fewValues } from '../../../../src/advise/rules/health/index-few-values.ts';
import { rule as rarely } from '../../../../src/advise/rules/health/index-rarely-used.ts';
import { rule as scans } from '../../../../src/advise/rules/health/sequential-scans.ts';
import { rule as evicted } from '../../../../src/advise/rules/health/statements-evicted.ts';
import { rule as tempFiles } from '../../../../src/advise/rules/health/temp-files.ts';
import { noActivity, type RuleContext } from '../../../../src/domain/index.ts';
import { columnRow, columnStats, indexRow, tableRow } from '../../../support/rows.ts';
import {
  databaseCounters,
  GB,
  tableDelta,
  walCounters,
  windowOf,
  workloadOf,
  workloadQuery,
} from '../../../support/snapshot-builder.ts';
import {
  ago,
  constraint,
  evaluated,
  schemaWith,
  settingRow,
  snapshotOf,
  told,
  withSettings,
} from './cases.ts';

const DAY = 86_400;
const database = (counters: Parameters<typeof databaseCounters>[0]) =>
  snapshotOf({ counters: { database: databaseCounters(counters) } });

describe('the age of the statistics', () => {
  test('young: it says so, is less sure, and at most low', async () => {
    const { recommendations } = await evaluated(
      deadlocks,
      database({ deadlocks: 40, stats_reset: ago(DAY / 2) }),
    );
    expect(recommendations[0]).toMatchObject({ severity: 'low', confidence: 0.5 });
    expect(recommendations[0]?.rationale).toContain(
      'Statistics too young: they cover 0.5 days, 1 are wanted',
    );
    expect(recommendations[0]?.evidence.at(-1)).toMatchObject({
      name: 'age of the statistics',
      value: 0.5,
      unit: 'days',
    });
  });
  test('reset within the hour: nothing is concluded, and that is said', async () => {
    const fresh = { stats_reset: ago(600) };
    for (const [rule, snapshot] of [
      [deadlocks, database({ deadlocks: 40, ...fresh })],
      [tempFiles, database({ temp_bytes: 900 * GB, ...fresh })],
      [hitRatio, database({ blks_read: 1e12, ...fresh })],
      [evicted, snapshotOf({ statements_info: { dealloc: 9000, stats_reset: ago(600) } })],
    ] as const) {
      const { recommendations, rejections } = await evaluated(rule, snapshot);
      expect([rule.id, recommendations, rejections[0]?.code]).toEqual([rule.id, [], 'statistics_too_young']);
    }
  });
  test('never reset: since the cluster began or crashed, whatever restarts came since', async () => {
    const cluster = (began: number, started_at: string) =>
      snapshotOf({
        server: { started_at, stats_reset: null },
        counters: {
          database: databaseCounters({ deadlocks: 280, stats_reset: null }),
          wal: walCounters({ stats_reset: ago(began) }),
        },
      });
    const { recommendations } = await evaluated(deadlocks, cluster(28 * DAY, ago(28 * DAY - 5)));
    expect(recommendations[0]?.title).toBe('10 deadlock(s) a day');
    expect(recommendations[0]?.evidence[0]?.source).toContain(`since ${ago(28 * DAY)}`);
    // A year's sum is no day's, though the server was restarted yesterday.
    expect(await told(deadlocks, cluster(365 * DAY, ago(DAY)))).toEqual([]);
    // Shared counters that somebody reset a minute ago began later than the server.
    expect(await told(deadlocks, cluster(60, ago(DAY)))).toEqual(['medium deadlocks database']);
  });
  test('a window of a day goes before the sum since the reset; a shorter one does not', async () => {
    const snapshot = database({ deadlocks: 5000 });
    const counters = { database: { ...databaseCounters(), deadlocks: 0 } } as never;
    expect(await told(deadlocks, snapshot, { window: windowOf(2 * DAY, { counters }) })).toEqual([]);
    expect(await told(deadlocks, snapshot, { window: windowOf(7200, { counters }) })).toEqual([
      'medium deadlocks database',
    ]);
  });
});

test('deadlocks by the day', async () => {
  expect(await told(deadlocks, database({ deadlocks: 9 }))).toEqual([]);
  expect(await told(deadlocks, database({ deadlocks: 10 }))).toEqual(['low deadlocks database']);
  expect(await told(deadlocks, database({ deadlocks: 300 }))).toEqual(['medium deadlocks database']);
});

test('temporary files, with the statements that write them', async () => {
  expect(await told(tempFiles, database({ temp_bytes: 99 * GB }))).toEqual([]);
  const workload = workloadOf([
    workloadQuery({ query_id: 'sorts', temp_blks_written: 1000 }),
    workloadQuery(),
  ]);
  const { recommendations } = await evaluated(tempFiles, database({ temp_bytes: 3000 * GB }), { workload });
  expect(recommendations[0]?.severity).toBe('medium');
  expect(recommendations[0]?.evidence.filter(({ name }) => name.startsWith('statement'))).toMatchObject([
    { name: 'statement sorts', value: 8_192_000 },
  ]);
});

test('the hit ratio is a hint where much is read, and never more', async () => {
  expect(await told(hitRatio, database({ blks_hit: 1, blks_read: 99 }))).toEqual([]);
  expect(await told(hitRatio, database({ blks_hit: 9.5e9, blks_read: 3e8 }))).toEqual([]);
  expect(await told(hitRatio, database({ blks_hit: 1e9, blks_read: 3e8 }))).toEqual([
    'info cache-hit-ratio database',
  ]);
});

test('a failed checksum is critical however old; checksums that are off are told', async () => {
  expect(await told(checksums, database({ checksum_failures: 0 }))).toEqual([]);
  expect(await told(checksums, database({ checksum_failures: 1 }))).toEqual([
    'critical checksum-failures database',
  ]);
  expect((await evaluated(checksums, database({ checksum_failures: null }))).rejections[0]?.code).toBe(
    'checksums_off',
  );
});

test('evictions by the day', async () => {
  const of = (dealloc: number) => snapshotOf({ statements_info: { dealloc, stats_reset: ago(10 * DAY) } });
  expect(await told(evicted, of(100))).toEqual([]);
  expect(await told(evicted, of(500))).toEqual(['low statements-evicted pg_stat_statements']);
  expect(await told(evicted, of(20_000))).toEqual(['medium statements-evicted pg_stat_statements']);
  // Never less than there is.
  const large = withSettings(of(500), settingRow('pg_stat_statements.max', '20000', { vartype: 'integer' }));
  const { recommendations } = await evaluated(evicted, large);
  expect(recommendations[0]?.risk.notes.join(' ')).toContain("pg_stat_statements.max = '40000'");
});

describe('tables', () => {
  const one = (row: Parameters<typeof tableRow>[0], parts: Parameters<typeof snapshotOf>[0] = {}) =>
    snapshotOf({ tables: [tableRow(row)], ...parts });
  test('dead rows beyond the trigger, which counts the table’s own options', async () => {
    expect(await told(behind, one({ n_dead_tup: 300_000 }))).toEqual([]);
    expect(await told(behind, one({ n_dead_tup: 500_000 }))).toEqual(['low autovacuum-behind public.t']);
    const own = { reloptions: { autovacuum_vacuum_scale_factor: '0.01' } };
    expect(await told(behind, one({ n_dead_tup: 300_000, ...own }))).toEqual([
      'medium autovacuum-behind public.t',
    ]);
    expect(
      await told(behind, one({ n_dead_tup: 500_000, reloptions: { autovacuum_enabled: 'off' } })),
    ).toEqual([]);
    expect(await told(behind, one({ n_dead_tup: 500_000 }, { server: { in_recovery: true } }))).toEqual([]);
    const vacuum = { table_oid: 16_384 } as never;
    expect(
      await told(behind, one({ n_dead_tup: 500_000 }, { activity: { ...noActivity, vacuums: [vacuum] } })),
    ).toEqual([]);
  });
  test('HOT: the reason by n_tup_newpage_upd, or both before 16', async () => {
    const updates = { n_tup_upd: 1_000_000, n_tup_hot_upd: 100_000 };
    const indexes = [indexRow()];
    const remedies = async (n_tup_newpage_upd: number | null, reloptions = {}) =>
      (await evaluated(hot, one({ ...updates, n_tup_newpage_upd, reloptions }, { indexes })))
        .recommendations[0]?.risk.notes ?? [];
    expect((await remedies(800_000))[0]).toContain('fillfactor = 90');
    // Never more than there is.
    expect((await remedies(800_000, { fillfactor: '70' }))[0]).toContain('fillfactor = 60');
    expect((await remedies(10_000))[0]).toContain('An indexed column is changed');
    expect(await remedies(null)).toHaveLength(3);
    expect(await told(hot, one({ ...updates, n_tup_hot_upd: 900_000 }, { indexes }))).toEqual([]);
    expect(await told(hot, one(updates))).toEqual([]);
  });
  test('scans of large tables, by the rows that they really read', async () => {
    const often = { seq_scan: 1000, seq_tup_read: 1e9 };
    expect(await told(scans, one(often))).toEqual(['low sequential-scans public.t']);
    expect(await told(scans, one({ ...often, main_pages: 500 }))).toEqual([]);
    expect(await told(scans, one({ ...often, seq_tup_read: 20_000 }))).toEqual([]);
    const calm: Partial<RuleContext> = { window: windowOf(2 * DAY, { tables: [tableDelta()] }) };
    expect(await told(scans, one(often), calm)).toEqual([]);
  });
});

describe('indexes', () => {
  const of = (row: Parameters<typeof indexRow>[0], parts: Parameters<typeof snapshotOf>[0] = {}) =>
    snapshotOf({ tables: [tableRow()], indexes: [indexRow(row)], ...parts });
  test('hardly used: never what holds a rule, and not by young statistics', async () => {
    const old = { server: { stats_reset: ago(30 * DAY) } };
    expect(await told(rarely, of({ idx_scan: 5 }, old))).toEqual(['info index-rarely-used public.t_a']);
    for (const row of [
      { idx_scan: 0 },
      { idx_scan: 500 },
      { idx_scan: 5, is_unique: true },
      { idx_scan: 5, constraint_name: 'x' },
    ]) {
      expect(await told(rarely, of(row, old))).toEqual([]);
    }
    const key = constraint({
      name: 'fk',
      type: 'f',
      referenced_oid: 1,
      columns: ['a'],
      referenced_columns: ['id'],
    });
    expect(
      await told(rarely, of({ idx_scan: 5 }, { ...old, schema: schemaWith({ constraints: [key] }) })),
    ).toEqual([]);
    const { recommendations, rejections } = await evaluated(rarely, of({ idx_scan: 5 }));
    expect([recommendations, rejections[0]?.code]).toEqual([[], 'statistics_too_young']);
  });
  test('mostly NULL, or boolean', async () => {
    const a = (row: Parameters<typeof columnRow>[0]) => ({
      columns: [columnRow({ name: 'a', attnum: 2, ...row })],
    });
    expect(await told(fewValues, of({}, a({ stats: columnStats({ null_frac: 0.95 }) })))).toEqual([
      'info index-few-values public.t_a',
    ]);
    expect(await told(fewValues, of({}, a({ type: 'boolean', stats: columnStats() })))).toEqual([
      'info index-few-values public.t_a',
    ]);
    expect(await told(fewValues, of({}, a({ stats: columnStats({ null_frac: 0.5 }) })))).toEqual([]);
    expect(await told(fewValues, of({}, a({ stats: null })))).toEqual([]);
    expect(
      await told(
        fewValues,
        of({ predicate: 'a IS NOT NULL' }, a({ stats: columnStats({ null_frac: 0.95 }) })),
      ),
    ).toEqual([]);
  });
});
