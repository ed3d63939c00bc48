/** Verdicts, held against windows whose truth is known. */
import { describe, expect, it } from 'vitest';
import { built, createChange } from '../../bench/verification/measured-index.ts';
import { mayConcern, verifyApply } from '../../src/apply/index.ts';
import { holm, studentTwoSided } from '../../src/apply/verify/welch.ts';
import type { Change } from '../../src/domain/index.ts';
import { tableRow } from '../workload/snapshots.ts';
import { exact, type SideParts, side } from './sides.ts';

const scanned: SideParts = {
  indexes: [built],
  index_scans: [{ oid: 7, idx_scan: 10_000, idx_tup_read: 10_000, idx_tup_fetch: 10_000 }],
};

function verify(
  before: SideParts,
  after: SideParts,
  options: { change?: Change; affected?: string[]; otherwise?: string[] } = {},
) {
  return verifyApply({
    change: options.change ?? createChange,
    affected_query_ids: options.affected ?? ['q'],
    otherwise_changed_query_ids: options.otherwise ?? [],
    before: side(before),
    after: side(after),
    max_p: 0.01,
  });
}

describe('a new index', () => {
  const before = { queries: [exact('q', 10, 4, 100)] };

  it('that no statement used did not make them faster', () => {
    const { verdict, retry } = verify(before, { queries: [exact('q', 2, 1, 100)], indexes: [built] });
    expect(verdict.verdict).toBe('inconclusive');
    expect(retry).toBe(true);
  });

  it('that was read too rarely for what they gained is not why', () => {
    const read = (scans: number, spread: number) =>
      verify(
        { queries: [exact('q', 10, spread, 10_000)] },
        {
          queries: [exact('q', 2, 1, 10_000)],
          indexes: [built],
          index_scans: [{ oid: 7, idx_scan: scans, idx_tup_read: scans, idx_tup_fetch: scans }],
        },
      ).verdict;
    // 0.5 · 10,000 · 8² ÷ (10² + 1²) = 3,168.3: all calls are alike, so that a third of them cannot be all of the gain.
    expect(read(3_168, 1)).toMatchObject({
      verdict: 'inconclusive',
      reason: expect.stringContaining('3169 at least'),
    });
    expect(read(3_169, 1).verdict).toBe('succeeded');
    // Few heavy calls may be.
    expect(read(400, 30).verdict).toBe('succeeded');
  });

  it('waits for calls after, but not for calls before that will never come', () => {
    const few = verify(before, { queries: [exact('q', 2, 1, 29)], ...scanned });
    expect(few).toMatchObject({ verdict: { verdict: 'inconclusive' }, retry: true });
    const never = verify(
      { queries: [exact('q', 10, 4, 29)] },
      { queries: [exact('q', 2, 1, 900)], ...scanned },
    );
    expect(never).toMatchObject({ verdict: { verdict: 'inconclusive' }, retry: false });
  });

  it('below a tenth, however sure, is no success, and is final', () => {
    const controls = ['c1', 'c2', 'c3'].map((id) => exact(id, 4, 1, 100_000));
    const { verdict, retry } = verify(
      { queries: [exact('q', 10, 1, 100_000), ...controls] },
      { queries: [exact('q', 9.2, 1, 100_000), ...controls], ...scanned },
    );
    expect(verdict).toMatchObject({ verdict: 'inconclusive', statements: [{ p_value: expect.any(Number) }] });
    expect(retry).toBe(false);
  });

  it('is not credited with what a statement gained less than its controls', () => {
    const controls = (mean: number) => ['c1', 'c2', 'c3'].map((id) => exact(id, mean, 1, 400));
    const { verdict } = verify(
      { queries: [exact('q', 10, 3, 400), ...controls(4)] },
      { queries: [exact('q', 5.2, 2, 400), ...controls(2)], ...scanned },
    );
    expect(verdict.verdict).toBe('inconclusive');
  });

  it('is not credited with what only its controls lost', () => {
    const controls = (mean: number) => ['c1', 'c2', 'c3'].map((id) => exact(id, mean, 1, 4_000));
    const hidden = (blocks: number) =>
      verify(
        { queries: [exact('q', 10, 3, 4_000, { blocks: 800 }), ...controls(2)] },
        { queries: [exact('q', 10, 3, 4_000, { blocks }), ...controls(3)], ...scanned },
      ).verdict.verdict;
    expect(hidden(800)).toBe('inconclusive');
    // Unless the work of each call tells that it did get cheaper, and a slower server hid it.
    expect(hidden(200)).toBe('succeeded');
  });

  it('without controls must gain more than load may do by itself', () => {
    const later = (mean: number) => ({ queries: [exact('q', mean, 1, 10_000)], ...scanned });
    expect(verify({ queries: [exact('q', 10, 1, 10_000)] }, later(8)).verdict.verdict).toBe('inconclusive');
    expect(verify({ queries: [exact('q', 10, 1, 10_000)] }, later(5)).verdict.verdict).toBe('succeeded');
  });

  it('of another change at the same time does not serve as a control', () => {
    const controls = (mean: number) => ['c1', 'c2', 'c3'].map((id) => exact(id, mean, 1, 400));
    const { verdict } = verify(
      { queries: [exact('q', 10, 3, 400), ...controls(4)] },
      { queries: [exact('q', 5.2, 2, 400), ...controls(2)], ...scanned },
      { otherwise: ['c1', 'c2', 'c3'] },
    );
    expect(verdict.verdict).toBe('succeeded');
  });

  // Another index to keep up takes blocks as it takes time.
  const insert = (mean: number, calls: number, query = 'INSERT INTO public."orders" VALUES ($1)') =>
    exact('w', mean, 0.1, calls, { class: 'insert', query, blocks: 4 * mean });

  it('whose writes lose more than its reads win has regressed', () => {
    const { verdict } = verify(
      { queries: [exact('q', 10, 4, 100), insert(1, 100_000)] },
      { queries: [exact('q', 5, 2, 100), insert(1.5, 100_000)], ...scanned },
    );
    expect(verdict.verdict).toBe('regressed');
    expect(verdict.measures).toContainEqual(
      expect.objectContaining({ name: 'time lost by writes in the window after', after: 50_000 }),
    );
  });

  it('whose writes lose less is a success that says so', () => {
    const { verdict } = verify(
      { queries: [exact('q', 10, 4, 1_000), insert(1, 100)] },
      { queries: [exact('q', 5, 2, 1_000), insert(1.5, 100)], ...scanned },
    );
    expect(verdict.verdict).toBe('succeeded');
    expect(verdict.reason).toContain('write statement');
  });

  it('does not answer for writes elsewhere, nor for a few microseconds', () => {
    for (const [was, is, query] of [
      [1, 1.5, "INSERT INTO other VALUES ('orders') -- orders"],
      [0.1, 0.14, undefined],
    ] as const) {
      const { verdict } = verify(
        { queries: [exact('q', 10, 4, 100), insert(was, 1_000_000, query)] },
        { queries: [exact('q', 5, 2, 100), insert(is, 1_000_000, query)], ...scanned },
      );
      expect(verdict.verdict).toBe('succeeded');
    }
  });

  it('that is gone or invalid is nothing to verify', () => {
    const after = { queries: [exact('q', 2, 1, 100)] };
    expect(verify(before, after)).toMatchObject({ verdict: { verdict: 'inconclusive' }, retry: false });
    expect(verify(before, { ...after, indexes: [{ ...built, is_valid: false }] }).verdict.verdict).toBe(
      'inconclusive',
    );
  });
});

describe('a dropped index', () => {
  const change: Change = {
    kind: 'index.drop',
    schema: 'public',
    table: 'orders',
    name: 'orders_idx',
    definition: '',
  };
  const reading = (mean: number, calls: number) =>
    exact('r', mean, 1, calls, { query: 'SELECT * FROM public.Orders o WHERE o.a = $1', blocks: 4 * mean });

  it.each([
    ['succeeded', false, reading(10, 100), reading(10.2, 100)],
    ['regressed', false, reading(10, 100), reading(20, 100)],
    // Without controls and intervals a load that is half as large again explains it as well.
    ['inconclusive', true, reading(10, 100), reading(14, 100)],
    ['inconclusive', true, reading(10, 100), reading(40, 29)],
    ['inconclusive', true, reading(10, 100), exact('x', 10, 1, 1000, { query: 'select from other' })],
  ])('is %s by the statements on its table', (word, retry, before, after) => {
    expect(
      verify({ queries: [before], indexes: [built] }, { queries: [after] }, { change, affected: [] }),
    ).toMatchObject({ verdict: { verdict: word }, retry });
  });
});

describe('beside other changes', () => {
  const names = ['c1', 'c2', 'c3', 'c4'];
  const others = (mean: number) => names.map((id) => exact(id, mean, mean / 10, 400, { blocks: 40 * mean }));
  const reading = exact('r', 10, 1, 400, { query: 'select * from orders where a = $1', blocks: 40 });
  const at = { schema: 'public', table: 'orders', name: 'orders_idx' };

  // They became a hundred times as fast: what did not is no slower for it.
  it.each<[Change, string]>([
    [{ kind: 'index.drop', ...at, definition: '' }, 'inconclusive'],
    [{ kind: 'index.reindex', ...at, definition: '' }, 'succeeded'],
  ])('$kind is not told by what these moved', (change, word) => {
    const index = { ...built, name: 'orders_idx', size_bytes: 1_000_000 };
    const judge = (otherwise: string[]) =>
      verify(
        { queries: [reading, ...others(100)], indexes: [index] },
        {
          queries: [{ ...reading, shared_blks_hit: reading.shared_blks_hit * 2 }, ...others(1)],
          indexes: change.kind === 'index.drop' ? [] : [{ ...index, size_bytes: 500_000 }],
        },
        { change, affected: [], otherwise },
      ).verdict;
    expect(judge(names)).toMatchObject({ verdict: word, statements: [{ ratio: 1, p_value: 1 }] });
    // With them as controls it lost, and its blocks say so, too.
    expect(judge([]).verdict).toBe('regressed');
  });

  it('knows which statements another change may have moved', () => {
    const insert = 'INSERT INTO shop."orders" VALUES ($1)';
    expect(mayConcern(createChange, insert)).toBe(true);
    expect(mayConcern(createChange, "select 'orders' from items")).toBe(false);
    const options = { kind: 'table.reloptions', schema: 'public', set: {}, previous: {} } as const;
    const family = {
      ...options,
      table: 'items',
      others: [{ schema: 'public', table: 'orders', previous: {} }],
    };
    expect(mayConcern(family, insert)).toBe(true);
    const setting = {
      kind: 'setting',
      name: 'work_mem',
      value: '8MB',
      current_value: '4MB',
      context: 'user',
    };
    expect(mayConcern(setting as Change, insert)).toBe(false);
  });
});

describe('ANALYZE', () => {
  it.each([
    ['newer', '2025-06-01T12:30:00Z', 'succeeded'],
    ['the same', '2025-06-01T10:00:00Z', 'inconclusive'],
  ])('statistics that are %s', (_, last_analyze, word) => {
    const table = (at: string) => tableRow({ oid: 1, name: 'orders', last_analyze: at });
    expect(
      verify(
        { tables: [table('2025-06-01T10:00:00Z')] },
        { tables: [table(last_analyze)] },
        { change: { kind: 'analyze', schema: 'public', table: 'orders' } },
      ).verdict.verdict,
    ).toBe(word);
  });
});

describe('the test itself', () => {
  // Two-sided critical values of Student's t from printed tables.
  it.each([
    [12.706, 1, 0.05],
    [3.182, 3, 0.05],
    [2.228, 10, 0.05],
    [3.169, 10, 0.01],
    [2.756, 29, 0.01],
    [2.576, 1e7, 0.01],
    [0, 5, 1],
  ])('t = %f with %f degrees of freedom has p = %f', (t, degrees, p) => {
    expect(studentTwoSided(t, degrees)).toBeCloseTo(p, 3);
    expect(studentTwoSided(-t, degrees)).toBeCloseTo(p, 3);
  });

  it('corrects several after Holm, in their order, leaving out what was not tested', () => {
    expect(holm([0.04, null, 0.01, 0.03])).toEqual([0.06, null, 0.03, 0.06]);
    expect(holm([0.6, 0.7])).toEqual([1, 1]);
  });
});
