import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ActivityPoint,
  noCounters,
  type Snapshot,
  type StatementRow,
  type Window,
} from '../../src/domain/index.ts';
import { composeWindows, concurrencyOf, diffSnapshots } from '../../src/workload/index.ts';
import { databaseCounters } from '../support/snapshot-builder.ts';
import { indexRow, snapshot, statementRow, tableRow } from './snapshots.ts';

const at = (minute: number) => new Date(Date.UTC(2025, 0, 1, 0, minute)).toISOString();

/** A row out of the times of its calls, as pg_stat_statements would have counted them. */
function rowOf(queryid: string, times: readonly number[], more: Partial<StatementRow> = {}): StatementRow {
  const total = times.reduce((sum, each) => sum + each, 0);
  const mean = times.length > 0 ? total / times.length : 0;
  const variance = times.reduce((sum, each) => sum + (each - mean) ** 2, 0) / Math.max(1, times.length);
  return statementRow({
    queryid,
    calls: times.length,
    total_exec_time_ms: total,
    mean_exec_time_ms: mean,
    stddev_exec_time_ms: Math.sqrt(variance),
    rows: times.length,
    ...more,
  });
}

/** Windows between each two neighbours, composed. */
function composed(snapshots: readonly Snapshot[]): Window {
  return composeWindows(
    snapshots.slice(1).flatMap((to, index) => {
      const from = snapshots[index];
      return from ? [diffSnapshots(from, to)] : [];
    }),
  );
}

const windowOfNothing = composed([snapshot({ taken_at: at(0) }), snapshot({ taken_at: at(1) })]);

const codes = (window: Window) => window.limits.map((limit) => limit.code);
const byId = (window: Window) => new Map(window.statements.map((row) => [row.queryid, row]));

describe('a window over a reset', () => {
  const snap = (minute: number, times: number[], reset: string | null, scans: number) =>
    snapshot({
      taken_at: at(minute),
      statements: [rowOf('1', times)],
      statements_info: { dealloc: 0, stats_reset: reset },
      tables: [tableRow({ oid: 7, name: 't', seq_scan: scans })],
      indexes: [indexRow({ oid: 8, table_oid: 7, idx_scan: scans * 2 })],
      counters: { ...noCounters, database: databaseCounters({ xact_commit: scans, stats_reset: reset }) },
    });
  const all = [
    snap(0, [1, 1], null, 100),
    snap(10, [1, 1, 5, 5], null, 140),
    snap(11, [9], at(10.5), 3),
    snap(20, [9, 9, 9], at(10.5), 33),
  ];

  test('counts what was before and after it; the ends alone would have lost the first part', () => {
    const [first, , , last] = all as [Snapshot, Snapshot, Snapshot, Snapshot];
    expect(byId(diffSnapshots(first, last)).get('1')?.calls).toBe(3);
    const window = composed(all);
    expect(byId(window).get('1')).toMatchObject({ calls: 5, rows: 5, total_exec_time_ms: 37 });
    expect(byId(window).get('1')?.mean_exec_time_ms).toBeCloseTo(37 / 5, 9);
    expect(window.tables).toMatchObject([{ oid: 7, seq_scan: 40 + 3 + 30 }]);
    expect(window.indexes).toMatchObject([{ oid: 8, idx_scan: 80 + 6 + 60 }]);
    expect(window.counters?.database?.xact_commit).toBe(73);
    expect(window).toMatchObject({ from: at(0), to: at(20), seconds: 1200 });
    expect(codes(window)).toEqual(['statements_reset', 'relation_statistics_reset']);
    expect(window.limits[0]?.message).toContain(`(Between ${at(10)} and ${at(11)}.)`);
  });

  test('what is said of every part is said once, without times', () => {
    const mute = all.map((each) => ({ ...each, statements_info: null }));
    const window = composed(mute);
    const said = window.limits.filter((limit) => limit.code === 'statements_info_missing');
    expect(said).toHaveLength(1);
    expect(said[0]?.message).not.toContain('Between');
  });
});

test('parts that do not follow each other are refused, as is nothing', () => {
  const window = (from: number, to: number) =>
    diffSnapshots(snapshot({ taken_at: at(from) }), snapshot({ taken_at: at(to) }));
  expect(() => composeWindows([window(0, 1), window(2, 3)])).toThrow(/do not follow each other/);
  expect(() => composeWindows([])).toThrow(/no window/);
  expect(composeWindows([window(0, 1)]).seconds).toBe(60);
});

const callTimes = fc.array(fc.double({ min: 0.01, max: 1000, noNaN: true }), { maxLength: 8 });

describe('properties', () => {
  test('wherever a window is cut, without resets its parts compose to the whole', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(callTimes, { minLength: 5, maxLength: 5 }), { minLength: 1, maxLength: 5 }),
        fc.subarray([1, 2, 3]),
        (statements, cuts) => {
          const snap = (phase: number) =>
            snapshot({
              taken_at: at(phase),
              statements: statements.map((parts, index) =>
                rowOf(String(index), parts.slice(0, phase + 1).flat()),
              ),
            });
          const whole = diffSnapshots(snap(0), snap(4));
          const parts = composed([0, ...cuts, 4].map(snap));
          expect(parts.statements).toHaveLength(whole.statements.length);
          for (const row of whole.statements) {
            const other = byId(parts).get(row.queryid);
            expect(other).toMatchObject({ calls: row.calls, rows: row.rows });
            expect(other?.mean_exec_time_ms).toBeCloseTo(row.mean_exec_time_ms, 5);
            expect(Math.abs((other?.stddev_exec_time_ms ?? -1) - row.stddev_exec_time_ms)).toBeLessThan(1e-3);
          }
          expect(parts.limits).toEqual(whole.limits);
        },
      ),
    );
  });

  test('with resets anywhere, the composed window counts no less than its ends and no more than the truth', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ times: callTimes, reset: fc.boolean() }), { minLength: 3, maxLength: 8 }),
        (steps) => {
          let counted: number[] = [];
          let stats_reset = at(-100);
          const snapshots = steps.map(({ times, reset }, minute) => {
            if (reset && minute > 0) {
              counted = [];
              stats_reset = at(minute - 0.5);
            }
            counted = [...counted, ...times];
            return snapshot({
              taken_at: at(minute),
              statements: counted.length > 0 ? [rowOf('1', counted)] : [],
              statements_info: { dealloc: 0, stats_reset },
            });
          });
          const [first, last] = [snapshots[0], snapshots.at(-1)];
          if (!first || !last) return;
          const truth = steps.slice(1).reduce((sum, step) => sum + step.times.length, 0);
          const calls = byId(composed(snapshots)).get('1')?.calls ?? 0;
          expect(calls).toBe(truth);
          expect(byId(diffSnapshots(first, last)).get('1')?.calls ?? 0).toBeLessThanOrEqual(calls);
        },
      ),
    );
  });
});

describe('clocks', () => {
  const snap = (taken: number, collected: number, parts: Partial<Snapshot> = {}) =>
    snapshot({ taken_at: at(taken), collected_at: at(collected), ...parts });

  test("the target's clock set back is no disorder, and set forward no long window: ours counts, and it is said", () => {
    for (const taken of [-50, 300]) {
      const window = diffSnapshots(snap(0, 0), snap(taken, 10));
      expect(window.seconds).toBe(600);
      expect(codes(window)).toEqual(['clock_stepped']);
    }
    expect(codes(diffSnapshots(snap(0, 0), snap(10, 10.05)))).toEqual([]);
  });

  test('snapshots in the wrong order are refused', () => {
    expect(() => diffSnapshots(snap(0, 10), snap(20, 0))).toThrow(/not after/);
  });
});

describe('concurrency', () => {
  const point = (active: number, parts: Partial<ActivityPoint> = {}): ActivityPoint => ({
    taken_at: at(0),
    total: active + 5,
    active,
    idle: 5,
    idle_in_transaction: 0,
    active_here: active,
    waiting_for_lock: 0,
    oldest_xmin_age: null,
    ...parts,
  });

  test('none without samples; percentiles by nearest rank', () => {
    expect(concurrencyOf([])).toBeNull();
    const points = Array.from({ length: 100 }, (_, index) => point(index + 1));
    expect(concurrencyOf([...points].reverse())).toMatchObject({
      samples: 100,
      active_p50: 50,
      active_p95: 95,
      active_max: 100,
      total_p95: 100,
      total_max: 105,
      oldest_xmin_age_max: null,
    });
    expect(concurrencyOf([point(3, { oldest_xmin_age: 9 }), point(1)])).toMatchObject({
      active_p50: 1,
      active_p95: 3,
      oldest_xmin_age_max: 9,
    });
  });

  test('peaks by role over the samples that met it; none where no sample counted roles', () => {
    expect(concurrencyOf([point(3)])).not.toHaveProperty('by_role');
    const points = [
      point(3),
      point(3, {
        roles: [
          ['app', 2, 40],
          ['reports', 1, 2],
        ],
      }),
      point(3, { roles: [['reports', 3, 3]] }),
      point(9, { roles: [['app', 1, 41]], roles_left_out: [1, 7] }),
    ];
    expect(concurrencyOf(points)?.by_role).toEqual({
      samples: 3,
      peaks: [
        { role: 'app', samples: 2, at_work_max: 2, connected_max: 41 },
        { role: 'reports', samples: 2, at_work_max: 3, connected_max: 3 },
      ],
      left_out: { at_work_max: 1, connected_max: 7 },
    });
  });

  test('a percentile is one of the samples, and at least that share of them does not exceed it', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { minLength: 1, maxLength: 60 }), (values) => {
        const result = concurrencyOf(values.map((value) => point(value)));
        if (!result) throw new Error('no result');
        for (const [p, value] of [
          [0.5, result.active_p50],
          [0.95, result.active_p95],
        ] as const) {
          expect(values).toContain(value);
          expect(values.filter((each) => each <= value).length).toBeGreaterThanOrEqual(p * values.length);
          expect(values.filter((each) => each < value).length).toBeLessThan(p * values.length);
        }
      }),
    );
  });
});

test('the time of temporary files is none where a part with such files was not timed', () => {
  const part = (blocks: number, time: number | null, minute: number): Window => ({
    ...windowOfNothing,
    from: at(minute),
    to: at(minute + 1),
    statements: [
      {
        ...rowOf('1', [1]),
        temp_blks_written: blocks,
        temp_blk_read_time_ms: time,
        temp_blk_write_time_ms: time,
      },
    ],
  });
  const composedOf = (...parts: Window[]) => composeWindows(parts).statements[0];
  expect(composedOf(part(5, 2, 0), part(5, 3, 1))?.temp_blk_read_time_ms).toBe(5);
  expect(composedOf(part(0, null, 0), part(5, 3, 1))?.temp_blk_write_time_ms).toBe(3);
  expect(composedOf(part(5, null, 0), part(5, 3, 1))?.temp_blk_read_time_ms).toBeNull();
});
