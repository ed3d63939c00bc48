/** Settings and storage parameters, judged by what they are to move. */
import { describe, expect, it } from 'vitest';
import { verifyApply } from '../../src/apply/index.ts';
import type { Change, SettingRow, Window } from '../../src/domain/index.ts';
import { statementRow, tableRow } from '../workload/snapshots.ts';
import { exact, type SideParts, side } from './sides.ts';

function verify(before: SideParts, after: SideParts, change: Change, changedByOthers: string[] = []) {
  const { verdict, retry } = verifyApply({
    change,
    affected_query_ids: [],
    otherwise_changed_query_ids: changedByOthers,
    before: side(before),
    after: side(after),
    max_p: 0.01,
  });
  return { word: verdict.verdict, reason: verdict.reason, measures: verdict.measures, retry };
}

/** A setting as the server has it; numbers without a unit. */
const row = (name: string, reset_val: string, pending_restart = false): SettingRow => ({
  name,
  setting: reset_val,
  unit: null,
  category: '',
  context: 'user',
  vartype: 'integer',
  source: 'configuration file',
  min_val: '0',
  max_val: '2147483647',
  enumvals: null,
  boot_val: '1',
  reset_val,
  sourcefile: null,
  pending_restart,
});
const set = (name: string): Change => ({
  kind: 'setting',
  name,
  value: '8',
  current_value: '4',
  context: 'user',
});
const inForce = (name: string) => ({ settings: [row(name, '8')] });

describe('a setting', () => {
  it.each([
    [
      'that no window shows more of succeeds by being in force',
      row('log_lock_waits', '8'),
      'succeeded',
      false,
    ],
    ['that waits for a restart is not judged', row('log_lock_waits', '4', true), 'inconclusive', true],
    ['that was changed again is not judged', row('log_lock_waits', '7'), 'inconclusive', false],
  ])('%s', (_, now, word, retry) => {
    expect(verify({}, { settings: [now] }, set('log_lock_waits'))).toMatchObject({ word, retry });
  });

  const spilling = (...blocks: number[]) => ({
    intervals: blocks.map((temp_blks_written) => ({
      statements: [statementRow({ queryid: 's', calls: 10, temp_blks_written })],
    })),
  });
  it.each([
    ['fewer', [100, 110, 90, 105, 95, 100], [10, 12, 9, 11, 10, 8], 'succeeded', false],
    ['more', [10, 12, 9, 11, 10, 8], [100, 110, 90, 105, 95, 100], 'regressed', false],
    ['as many', [100, 110, 90, 105, 95, 100], [102, 108, 93, 99, 97, 101], 'inconclusive', true],
    ['none before or after', [0, 0, 0, 0], [0, 0, 0, 0], 'inconclusive', true],
    ['in too few intervals', [100, 110, 90], [1, 2, 1], 'inconclusive', true],
  ])('work_mem with spills: %s', (_, before, after, word, retry) => {
    const found = verify(
      spilling(...before),
      { ...spilling(...after), ...inForce('work_mem') },
      set('work_mem'),
    );
    expect(found).toMatchObject({ word, retry });
    expect(found.measures[0]).toMatchObject({
      name: 'temporary files of a statement',
      unit: 'bytes per call',
    });
  });

  describe('of a role, a database, or both', () => {
    const parts = { name: 'work_mem', value: '8', current_value: '4', previous: null };
    const role = 'reports';
    const ofDatabase: Change = { kind: 'database.setting', database: 'shop', ...parts };
    const ofBoth: Change = { kind: 'role.database.setting', database: 'shop', role, ...parts };
    const by = (user: string, ...blocks: number[]) => ({
      intervals: blocks.map((temp_blks_written) => ({
        statements: [statementRow({ queryid: 's', calls: 10, temp_blks_written, user })],
      })),
    });
    const many = [100, 110, 90, 105, 95, 100];
    const few = [10, 12, 9, 11, 10, 8];
    const entry = (of: Partial<{ role: string; database: string }>, value = '8') => ({
      role: null,
      database: null,
      name: 'work_mem',
      value,
      ...of,
    });
    const there = (...overrides: ReturnType<typeof entry>[]) => ({
      settings: [row('work_mem', '4')],
      setting_overrides: overrides,
    });

    it.each<[string, Change, ReturnType<typeof entry>, number[], number[], string]>([
      ['of the database: fewer spills', ofDatabase, entry({ database: 'shop' }), many, few, 'succeeded'],
      ['of the database: more', ofDatabase, entry({ database: 'shop' }), few, many, 'regressed'],
      ['of both: fewer', ofBoth, entry({ role, database: 'shop' }), many, few, 'succeeded'],
      ['of another database', ofDatabase, entry({ database: 'other' }), many, few, 'inconclusive'],
      ['of the role alone', ofBoth, entry({ role }), many, few, 'inconclusive'],
      ['another value', ofDatabase, entry({ database: 'shop' }, '16'), many, few, 'inconclusive'],
    ])('%s', (_, change, override, before, after, word) => {
      expect(verify(by(role, ...before), { ...by(role, ...after), ...there(override) }, change).word).toBe(
        word,
      );
    });

    it('another role’s spills say nothing of this one’s', () => {
      const mine = entry({ role, database: 'shop' });
      expect(verify(by('app', ...many), { ...by('app', ...few), ...there(mine) }, ofBoth).word).toBe(
        'inconclusive',
      );
    });

    it('what goes before it is said, and a value that was taken away is to be gone', () => {
      const own = entry({ role, database: 'shop' }, '64');
      const masked = verify({}, there(entry({ database: 'shop' }), own), ofDatabase);
      expect(masked.reason).toContain('64');
      const reset: Change = { kind: 'database.setting', database: 'shop', ...parts, reset: true };
      expect(verify({}, there(), reset).reason).toContain('no longer set');
      expect(verify({}, there(entry({ database: 'shop' })), reset).word).toBe('inconclusive');
      expect(verify({}, there(entry({ database: 'shop' })), reset).reason).toContain('taken away');
    });
  });

  const counted = (requested: number, wal_bytes: number | null): SideParts => ({
    counters: {
      database: null,
      checkpoints: { timed: 5, requested, write_time_ms: 0, sync_time_ms: 0, buffers_written: 0 },
      wal: wal_bytes === null ? null : { wal_records: 1, wal_bytes, wal_fpi: 0, wal_buffers_full: 0 },
      bgwriter: null,
      archiver: null,
      xids: null,
      io: null,
    },
  });
  it.each([
    ['fewer per byte of WAL', counted(40, 10e9), counted(20, 20e9), 'succeeded'],
    ['fewer in an hour, of as little more WAL', counted(40, 40e9), counted(10, 10e9), 'inconclusive'],
    ['more', counted(3, 10e9), counted(30, 10e9), 'regressed'],
    ['too few to tell', counted(3, null), counted(0, null), 'inconclusive'],
    ['none', counted(0, null), counted(0, null), 'inconclusive'],
  ])('max_wal_size with requested checkpoints: %s', (_, before, after, word) => {
    expect(verify(before, { ...after, ...inForce('max_wal_size') }, set('max_wal_size')).word).toBe(word);
  });

  it('of the planner counts only statements whose work changed with their time', () => {
    const change = set('join_collapse_limit');
    const judge = (mean: number, blocks: number) =>
      verify(
        { queries: [exact('q', 10, 2, 400, { blocks: 100 })] },
        { queries: [exact('q', mean, 2, 400, { blocks })], ...inForce('join_collapse_limit') },
        change,
      ).word;
    expect(judge(20, 100)).toBe('inconclusive');
    expect(judge(20, 300)).toBe('regressed');
    expect(judge(4, 30)).toBe('succeeded');
  });

  it('of the planner takes no credit, and no blame, for what an index may have done at the same time', () => {
    const judge = (mean: number, blocks: number) =>
      verify(
        { queries: [exact('q', 10, 2, 400, { blocks: 100 })] },
        { queries: [exact('q', mean, 2, 400, { blocks })], ...inForce('join_collapse_limit') },
        set('join_collapse_limit'),
        ['q'],
      );
    for (const found of [judge(4, 30), judge(20, 300)]) {
      expect(found.word).toBe('inconclusive');
      expect(found.reason).toContain('1 statement(s) that other changes are about as well were left out');
    }
  });
});

describe('storage parameters', () => {
  const change = (options: Record<string, string>, previous: Record<string, string | null>): Change => ({
    kind: 'table.reloptions',
    schema: 'public',
    table: 'orders',
    set: options,
    previous,
  });
  const scaleFactor = (to: string) =>
    change({ autovacuum_vacuum_scale_factor: to }, { autovacuum_vacuum_scale_factor: null });
  const server = { settings: [{ ...row('autovacuum_vacuum_scale_factor', '0.2'), vartype: 'real' }] };
  const orders = (options: Record<string, string>, dead = 10) =>
    tableRow({ oid: 1, name: 'orders', n_live_tup: 100, n_dead_tup: dead, reloptions: options });
  const delta = (counts: Partial<Window['tables'][number]>): Window['tables'][number] => ({
    oid: 1,
    seq_scan: 0,
    seq_tup_read: 0,
    idx_scan: 0,
    n_tup_ins: 0,
    n_tup_upd: 0,
    n_tup_del: 0,
    n_tup_hot_upd: 0,
    autovacuum_count: 0,
    autoanalyze_count: 0,
    ...counts,
  });
  const dead = (options: Record<string, string>, ...rows: number[]): SideParts => ({
    ...server,
    tables: [orders(options)],
    intervals: rows.map((count) => ({ tables: [orders(options, count)] })),
  });

  it.each([
    ['fewer', [40, 35, 44, 38, 41], [8, 5, 9, 7, 6], 'succeeded'],
    ['more', [8, 5, 9, 7, 6], [40, 35, 44, 38, 41], 'regressed'],
    ['as many', [40, 35, 44, 38, 41], [39, 36, 42, 40, 38], 'inconclusive'],
    ['seen twice', [40, 35], [8, 5], 'inconclusive'],
  ])('that ask for vacuum sooner, with dead rows: %s', (_, before, after, word) => {
    const now = { autovacuum_vacuum_scale_factor: '0.02' };
    expect(verify(dead({}, ...before), dead(now, ...after), scaleFactor('0.02')).word).toBe(word);
  });

  it.each([
    [60, 12, 'succeeded'],
    [60, 58, 'inconclusive'],
  ])('that ask for it later, with %i runs before and %i after', (before, after, word) => {
    const side_ = (options: Record<string, string>, autovacuum_count: number): SideParts => ({
      ...server,
      tables: [orders(options)],
      deltas: [delta({ autovacuum_count })],
    });
    const now = { autovacuum_vacuum_scale_factor: '0.4' };
    expect(verify(side_({}, before), side_(now, after), scaleFactor('0.4')).word).toBe(word);
  });

  it('that leave room in pages, with more HOT updates', () => {
    const updated = (options: Record<string, string>, ...hot: number[]): SideParts => ({
      tables: [orders(options)],
      intervals: hot.map((n_tup_hot_upd) => ({
        tables: [orders(options)],
        deltas: [delta({ n_tup_upd: 100, n_tup_hot_upd })],
      })),
    });
    const filled = change({ fillfactor: '80' }, { fillfactor: null });
    const judge = (...hot: number[]) =>
      verify(updated({}, 20, 25, 22, 19, 24), updated({ fillfactor: '80' }, ...hot), filled).word;
    expect(judge(80, 85, 79, 83, 82)).toBe('succeeded');
    expect(judge(21, 24, 20, 23, 22)).toBe('inconclusive');
  });

  it('that were changed again, or that no window shows more of', () => {
    const filled = change({ fillfactor: '80' }, { fillfactor: null });
    expect(verify({ tables: [orders({})] }, { tables: [orders({})] }, filled)).toMatchObject({
      word: 'inconclusive',
      retry: false,
    });
    const quiet = change({ log_autovacuum_min_duration: '0' }, { log_autovacuum_min_duration: null });
    const now = { tables: [orders({ log_autovacuum_min_duration: '0' })] };
    expect(verify({ tables: [orders({})] }, now, quiet).word).toBe('succeeded');
  });
});
