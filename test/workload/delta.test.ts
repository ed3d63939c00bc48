import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noCounters, type Snapshot, type StatementRow, type Window } from '../../src/domain/index.ts';
import { diffSnapshots } from '../../src/workload/index.ts';
import { joinMoments } from '../../src/workload/moments.ts';
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
    rows: times.length * 2,
    shared_blks_hit: times.length * 3,
    ...more,
  });
}

function codes(window: Window): string[] {
  return window.limits.map((limit) => limit.code);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'no error';
}

const first = (parts: Partial<Snapshot> = {}) => snapshot({ taken_at: at(0), ...parts });
const second = (parts: Partial<Snapshot> = {}) => snapshot({ taken_at: at(10), ...parts });

describe('windows that mean nothing', () => {
  test.each([
    ['the clock went back', first(), snapshot({ taken_at: at(-1) })],
    ['no time passed', first(), first()],
    ['another cluster', first(), second({ server: { ...snapshot().server, system_identifier: '8000' } })],
    ['another database', first(), second({ server: { ...snapshot().server, database: 'other' } })],
  ])('%s', (_, from, to) => {
    expect(codeOf(() => diffSnapshots(from, to))).toBe('window_invalid');
  });

  test('an identifier that one side cannot see is no difference', () => {
    const hidden = second({ server: { ...snapshot().server, system_identifier: null } });
    expect(diffSnapshots(first(), hidden).seconds).toBe(600);
  });
});

describe('statements', () => {
  test('users, queryids and levels are apart; quiet rows are left out', () => {
    const a = rowOf('1', [1, 2]);
    const rows = [a, { ...a, userid: 11 }, { ...a, toplevel: false }, { ...a, dbid: 6 }];
    const later = [rowOf('1', [1, 2, 9]), ...rows.slice(1)];
    const window = diffSnapshots(first({ statements: rows }), second({ statements: later }));
    expect(window.statements).toHaveLength(1);
    expect(window.statements[0]).toMatchObject({
      calls: 1,
      mean_exec_time_ms: 9,
      stddev_exec_time_ms: 0,
      rows: 2,
    });
    expect(window.limits).toEqual([]);
  });

  test('a new row counts from zero when it began within the window', () => {
    const window = diffSnapshots(
      first(),
      second({ statements: [rowOf('1', [5, 7], { stats_since: at(3) })] }),
    );
    expect(window.statements[0]).toMatchObject({ calls: 2, mean_exec_time_ms: 6, stddev_exec_time_ms: 1 });
  });

  test('a row that began before the window but was not seen then is left out', () => {
    const window = diffSnapshots(
      first(),
      second({ statements: [rowOf('1', [5], { stats_since: at(-60) })] }),
    );
    expect(window.statements).toEqual([]);
    expect(codes(window)).toEqual(['statements_start_unknown']);
  });

  test('before 17 a new row counts unless the earlier snapshot was incomplete', () => {
    const to = second({ statements: [rowOf('1', [5])] });
    expect(diffSnapshots(first(), to).statements).toHaveLength(1);
    const limit = { scope: 'statements', code: 'not_visible', message: '', remedy: null };
    const window = diffSnapshots(first({ limits: [limit] }), to);
    expect(window.statements).toEqual([]);
    expect(codes(window)).toContain('statements_start_unknown');
  });

  test('a reset of everything counts what came after it, even where it overtook', () => {
    const to = second({
      statements: [rowOf('1', [1, 1, 1, 1, 1])],
      statements_info: { dealloc: 0, stats_reset: at(5) },
    });
    const window = diffSnapshots(first({ statements: [rowOf('1', [8, 9])] }), to);
    expect(window.statements[0]).toMatchObject({ calls: 5, mean_exec_time_ms: 1 });
    expect(codes(window)).toEqual(['statements_reset']);
  });

  test('a single row that began anew is told by stats_since or by a falling counter', () => {
    const from = first({ statements: [rowOf('1', [8, 9], { stats_since: at(-9) }), rowOf('2', [4, 4, 4])] });
    const to = second({ statements: [rowOf('1', [1, 1, 1], { stats_since: at(5) }), rowOf('2', [3])] });
    const window = diffSnapshots(from, to);
    expect(window.statements.map((each) => [each.calls, each.mean_exec_time_ms])).toEqual([
      [3, 1],
      [1, 3],
    ]);
    expect(codes(window)).toEqual(['statements_began_anew']);
  });

  test('a total that is kept to the microsecond and stood still is not one that fell', () => {
    const exact = rowOf('1', [0.98749], { total_plan_time_ms: 0.0004, stats_since: at(-9) });
    const kept = { ...exact, total_exec_time_ms: 0.987, total_plan_time_ms: 0 };
    for (const [before, after] of [
      [exact, kept],
      [{ ...kept, total_exec_time_ms: 0.988 }, exact],
    ] as const) {
      const window = diffSnapshots(first({ statements: [before] }), second({ statements: [after] }));
      expect(window).toMatchObject({ statements: [], limits: [] });
    }
    const less = { ...exact, total_exec_time_ms: 0.98 };
    const window = diffSnapshots(first({ statements: [exact] }), second({ statements: [less] }));
    expect(codes(window)).toEqual(['statements_began_anew']);
  });

  test('before 17 a row that overtook its old counters is told by times that one row cannot have', () => {
    const extremes = (min: number, max: number) => ({ min_exec_time_ms: min, max_exec_time_ms: max });
    const cases: [string, StatementRow, StatementRow, number][] = [
      ['minimum rose', rowOf('1', [1, 1], extremes(1, 1)), rowOf('1', [9, 9, 9], extremes(9, 9)), 3],
      ['maximum fell', rowOf('1', [1, 8], extremes(1, 8)), rowOf('1', [1, 4, 6], extremes(1, 6)), 3],
      ['mean above', rowOf('1', [1, 2], extremes(1, 2)), rowOf('1', [1, 2, 2, 6], extremes(1, 2)), 4],
      ['one row', rowOf('1', [1, 8], extremes(1, 8)), rowOf('1', [1, 8, 4], extremes(1, 8)), 1],
    ];
    for (const [name, before, after, calls] of cases) {
      const window = diffSnapshots(first({ statements: [before] }), second({ statements: [after] }));
      expect(window.statements[0]?.calls, name).toBe(calls);
      expect(codes(window), name).toEqual(calls === 1 ? [] : ['statements_began_anew']);
    }
  });

  test('counters of another instance are not what happened here', () => {
    const from = first({
      statements: [rowOf('1', [1])],
      tables: [tableRow({ oid: 1, name: 'a', seq_scan: 5 })],
    });
    const standby = { ...snapshot().server, started_at: at(-600) };
    const to = second({
      server: standby,
      statements: [
        rowOf('1', [1, 1, 1, 1], { stats_since: at(-500) }),
        rowOf('2', [3], { stats_since: at(4) }),
        rowOf('3', [4, 4]),
      ],
      statements_info: { dealloc: 0, stats_reset: at(-600) },
      tables: [tableRow({ oid: 1, name: 'a', seq_scan: 900 })],
    });
    const window = diffSnapshots(from, to);
    expect(window.statements.map((row) => row.queryid)).toEqual(['2']);
    expect(window.tables).toEqual([]);
    expect(codes(window)).toEqual(['server_replaced', 'statements_start_unknown']);
  });

  test('a clock that was set says nothing of when statements began', () => {
    const to = snapshot({
      taken_at: at(-30),
      collected_at: at(10),
      statements: [rowOf('1', [5], { stats_since: at(-35) })],
    });
    const window = diffSnapshots(first({ collected_at: at(0) }), to);
    expect(window.statements).toMatchObject([{ calls: 1 }]);
  });

  test('evictions, vanished rows, a restart and a clock that was set back are limits', () => {
    const to = second({
      statements: [rowOf('2', [1], { stats_since: at(99) })],
      statements_info: { dealloc: 7, stats_reset: '2025-05-01T00:00:00.000Z' },
      server: { ...snapshot().server, started_at: at(2) },
    });
    const window = diffSnapshots(first({ statements: [rowOf('1', [1])] }), to);
    expect(codes(window).sort()).toEqual(
      ['clock_stepped', 'server_restarted', 'statements_evicted', 'statements_vanished'].sort(),
    );
    expect(window.limits.find((limit) => limit.code === 'statements_evicted')?.message).toContain('7 times');
  });
});

test('hidden rows, which share an empty queryid, are added up and never counted twice', () => {
  const from = first({ statements: [rowOf('', [1, 2]), rowOf('', [3])] });
  const more = diffSnapshots(
    from,
    second({ statements: [rowOf('', [1, 2, 5]), rowOf('', [3, 7]), rowOf('', [9])] }),
  );
  expect(more.statements).toMatchObject([{ calls: 3, mean_exec_time_ms: 7 }]);
  const fewer = diffSnapshots(from, second({ statements: [rowOf('', [3, 8])] }));
  expect(fewer.statements).toEqual([]);
  expect(codes(fewer)).toContain('statements_start_unknown');
});

const callTimes = fc.array(fc.double({ min: 0.01, max: 1000, noNaN: true }), { maxLength: 12 });
const history = fc.array(fc.tuple(callTimes, callTimes, callTimes), { minLength: 1, maxLength: 6 });

describe('properties', () => {
  test('two windows in a row join to the window over both', () => {
    fc.assert(
      fc.property(history, (statements) => {
        const snap = (phase: 1 | 2 | 3) =>
          snapshot({
            taken_at: at(phase),
            statements: statements.map((parts, index) => rowOf(String(index), parts.slice(0, phase).flat())),
          });
        const [a, b, c] = [snap(1), snap(2), snap(3)];
        const [ab, bc, ac] = [diffSnapshots(a, b), diffSnapshots(b, c), diffSnapshots(a, c)];
        for (const whole of ac.statements) {
          const parts = [ab, bc].flatMap((each) =>
            each.statements.filter((row) => row.queryid === whole.queryid),
          );
          expect(parts.reduce((sum, each) => sum + each.calls, 0)).toBe(whole.calls);
          expect(parts.reduce((sum, each) => sum + each.rows, 0)).toBe(whole.rows);
          const joined = parts
            .map((each) => ({
              n: each.calls,
              mean: each.mean_exec_time_ms,
              stddev: each.stddev_exec_time_ms,
            }))
            .reduce(joinMoments);
          expect(joined.mean).toBeCloseTo(whole.mean_exec_time_ms, 5);
          expect(Math.abs(joined.stddev - whole.stddev_exec_time_ms)).toBeLessThan(1e-3);
        }
      }),
    );
  });

  test('resets and evictions at any time never give a negative or an inflated count', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ before: callTimes, after: callTimes, reset: fc.boolean(), since: fc.boolean() }),
          { maxLength: 8 },
        ),
        fc.boolean(),
        (statements, everything) => {
          const from = first({
            statements: statements.map(({ before, since }, index) =>
              rowOf(String(index), before, { stats_since: since ? at(-5) : null }),
            ),
          });
          const to = second({
            statements: statements.map(({ before, after, reset, since }, index) => {
              const anew = reset || everything;
              return rowOf(String(index), anew ? after : [...before, ...after], {
                stats_since: since ? at(anew ? 5 : -5) : null,
              });
            }),
            statements_info: { dealloc: 0, stats_reset: everything ? at(5) : '2025-05-01T00:00:00.000Z' },
          });
          for (const delta of diffSnapshots(from, to).statements) {
            const truth = statements[Number(delta.queryid)];
            expect(delta.calls).toBeGreaterThan(0);
            expect(delta.calls).toBeLessThanOrEqual(truth?.after.length ?? 0);
            expect(delta.total_exec_time_ms).toBeGreaterThanOrEqual(-1e-9);
            expect(delta.stddev_exec_time_ms).toBeGreaterThanOrEqual(0);
          }
        },
      ),
    );
  });

  test('the order of rows does not matter', () => {
    fc.assert(
      fc.property(history, fc.integer(), (statements, seed) => {
        const rows = (phase: 1 | 2) =>
          statements.map((parts, index) => rowOf(String(index), parts.slice(0, phase).flat()));
        const shuffled = rows(2)
          .map((row, index) => ({ row, key: Math.sin(seed + index) }))
          .sort((a, b) => a.key - b.key)
          .map(({ row }) => row);
        const byId = (window: Window) =>
          [...window.statements].sort((a, b) => Number(a.queryid) - Number(b.queryid));
        const from = first({ statements: rows(1) });
        expect(byId(diffSnapshots(from, second({ statements: shuffled })))).toEqual(
          byId(diffSnapshots(from, second({ statements: rows(2) }))),
        );
      }),
    );
  });
});

describe('tables and indexes', () => {
  const counters = (xact_commit: number, stats_reset: string | null): Snapshot['counters'] => ({
    ...noCounters,
    database: databaseCounters({ xact_commit, stats_reset }),
  });

  test('differences by oid, quiet and dropped ones left out, new ones from zero', () => {
    const window = diffSnapshots(
      first({
        tables: [
          tableRow({ oid: 1, name: 'a', seq_scan: 5 }),
          tableRow({ oid: 2, name: 'gone', seq_scan: 9 }),
        ],
      }),
      second({
        tables: [
          tableRow({ oid: 1, name: 'renamed', seq_scan: 8, n_tup_upd: 2 }),
          tableRow({ oid: 3, name: 'new', n_tup_ins: 4 }),
        ],
        indexes: [indexRow({ oid: 7, table_oid: 1, idx_scan: 3 }), indexRow({ oid: 8, table_oid: 1 })],
      }),
    );
    expect(window.tables.map((each) => [each.oid, each.seq_scan, each.n_tup_ins])).toEqual([
      [1, 3, 0],
      [3, 0, 4],
    ]);
    expect(window.indexes).toEqual([{ oid: 7, idx_scan: 3, idx_tup_read: 0, idx_tup_fetch: 0 }]);
  });

  test('a reset of the database counts from zero; one of a single table leaves the others exact', () => {
    const tables = (seq: number, other: number) => [
      tableRow({ oid: 1, name: 'a', seq_scan: seq }),
      tableRow({ oid: 2, name: 'b', seq_scan: other }),
    ];
    const from = first({ tables: tables(100, 50), counters: counters(1000, null) });
    const all = diffSnapshots(from, second({ tables: tables(120, 10), counters: counters(30, at(5)) }));
    expect(all.tables.map((each) => each.seq_scan)).toEqual([120, 10]);
    const single = diffSnapshots(from, second({ tables: tables(120, 10), counters: counters(1030, at(5)) }));
    expect(single.tables.map((each) => each.seq_scan)).toEqual([20, 10]);
    expect(codes(all)).toEqual(['relation_statistics_reset']);
    expect(codes(single)).toEqual(['relation_statistics_reset']);
  });
});
