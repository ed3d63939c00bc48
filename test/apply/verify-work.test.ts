/** Verdicts that the work of each call decides, where the other statements of a server cannot: they lie far apart. */
import { describe, expect, it } from 'vitest';
import { built, createChange } from '../../bench/verification/measured-index.ts';
import { verifyApply } from '../../src/apply/index.ts';
import type { Change, WorkloadQuery } from '../../src/domain/index.ts';
import { statementRow } from '../workload/snapshots.ts';
import { exact, type SideParts, side } from './sides.ts';

/** What the demo's other statements did: a third faster, two thirds slower, a third faster. */
const controls = (when: 'before' | 'after') =>
  (
    [
      ['c1', 0.069, 0.054],
      ['c2', 0.021, 0.035],
      ['c3', 0.035, 0.022],
    ] as const
  ).map(([id, was, is]) => exact(id, when === 'before' ? was : is, 0.1, 1_600, { blocks: 4 }));

const scanned: SideParts = {
  indexes: [built],
  index_scans: [{ oid: 7, idx_scan: 80, idx_tup_read: 80, idx_tup_fetch: 80 }],
};

interface Parts {
  query: WorkloadQuery;
  intervals?: SideParts['intervals'];
}

function verdictOf(before: Parts, after: Parts, change: Change = createChange) {
  const of = (when: 'before' | 'after', { query, intervals }: Parts): SideParts => ({
    queries: [query, ...controls(when)],
    ...(intervals ? { intervals } : {}),
  });
  return verifyApply({
    change,
    affected_query_ids: ['q'],
    otherwise_changed_query_ids: [],
    before: side(of('before', before)),
    after: side({ ...of('after', after), ...(change === createChange ? scanned : {}) }),
    // Of the first look.
    max_p: 0.0005,
  }).verdict;
}

/** Intervals of the statement alone, as blocks of each of its calls. */
const inIntervals = (calls: number, mean: number, blocks: readonly number[]): SideParts['intervals'] =>
  blocks.map((of) => ({
    statements: [
      statementRow({
        queryid: 'q',
        calls,
        total_exec_time_ms: calls * mean,
        mean_exec_time_ms: mean,
        shared_blks_hit: calls * of,
      }),
    ],
  }));

const slow = exact('q', 88, 15, 80, { blocks: 4_419 });
const fast = exact('q', 0.023, 0.004, 80, { blocks: 3.5 });

describe('three others that lie far apart', () => {
  it('do not hide that each call does a thousandth of its work', () => {
    expect(verdictOf({ query: slow }, { query: fast })).toMatchObject({ verdict: 'succeeded' });
    // Three intervals before and one after show nothing of how it varies.
    expect(
      verdictOf(
        { query: slow, intervals: inIntervals(27, 88, [4_400, 4_419, 4_430]) },
        { query: fast, intervals: inIntervals(80, 0.023, [3.5]) },
      ).verdict,
    ).toBe('succeeded');
  });

  it('do not hide that each call does a hundred times as much without an index that was dropped', () => {
    const drop: Change = {
      kind: 'index.drop',
      schema: 'public',
      table: 'orders',
      name: 'orders_idx',
      definition: '',
    };
    const query = 'select * from orders where a = $1';
    const reading = (mean: number, blocks: number) => ({
      query: exact('q', mean, mean / 5, 80, { query, blocks }),
    });
    expect(verdictOf(reading(0.2, 5), reading(40, 4_000), drop).verdict).toBe('regressed');
  });
});

describe('a write that is slower in time alone, too early to tell for how long', () => {
  const insert = (mean: number, calls: number) =>
    exact('w', mean, mean / 5, calls, {
      class: 'insert',
      query: 'INSERT INTO orders VALUES ($1)',
      blocks: 4,
    });
  const judged = (calls: number, seconds: number) => {
    const of = (queries: WorkloadQuery[], parts: SideParts = {}) => {
      const one = side({ ...parts, queries });
      return { ...one, window: { ...one.window, seconds } };
    };
    return verifyApply({
      change: createChange,
      affected_query_ids: ['q'],
      otherwise_changed_query_ids: [],
      before: of([slow, insert(0.5, calls)]),
      after: of([fast, insert(1.5, calls)], scanned),
      max_p: 0.0005,
    }).verdict;
  };

  it('does not hold up what reads won a hundred times as much of', () => {
    const { verdict, reason } = judged(80, 600);
    expect(verdict).toBe('succeeded');
    expect(reason).toContain('1 write statement(s) on the table got slower, the worst by 1.000 ms a call');
  });

  it('holds it up where it would outweigh them', () => {
    expect(judged(80_000, 600)).toMatchObject({
      verdict: 'inconclusive',
      reason: expect.stringContaining('too early to tell'),
    });
  });
});

describe('is not told to be the work of an index', () => {
  it('what is faster alone: from the cache where it was read before, or free of waits', () => {
    const read = { ...slow, shared_blks_hit: 0, shared_blks_read: slow.shared_blks_hit };
    const cached = exact('q', 0.5, 0.1, 80, { blocks: 4_419 });
    expect(verdictOf({ query: read }, { query: cached }).verdict).toBe('inconclusive');
  });

  it('what does half of its work, as after a deploy or with other parameters', () => {
    const half = exact('q', 44, 8, 80, { blocks: 2_200 });
    expect(verdictOf({ query: slow }, { query: half }).verdict).toBe('inconclusive');
  });

  it('what does less work and is no faster', () => {
    const waiting = exact('q', 87, 15, 80, { blocks: 3.5 });
    expect(verdictOf({ query: slow }, { query: waiting }).verdict).toBe('inconclusive');
  });

  it('that a few heavy calls among light ones are gone', () => {
    // One of 80 calls took nearly all of it: a deviation of nine times the mean.
    const heavy = exact('q', 10, 85, 80, { blocks: 1_000 });
    const light = exact('q', 0.3, 0.1, 80, { blocks: 30 });
    expect(verdictOf({ query: heavy }, { query: light }).verdict).toBe('inconclusive');
    // The same means of calls that resemble each other.
    const even = exact('q', 10, 2, 80, { blocks: 1_000 });
    expect(verdictOf({ query: even }, { query: light }).verdict).toBe('succeeded');
  });

  it('that parameters which came and went before do so again', () => {
    const swings = [9_000, 60, 8_000, 90, 9_500, 70];
    const parts = (blocks: readonly number[], mean: number) => ({
      query: exact('q', mean, mean / 5, 80, {
        blocks: blocks.reduce((sum, of) => sum + of, 0) / blocks.length,
      }),
      intervals: inIntervals(20, mean, blocks),
    });
    expect(verdictOf(parts(swings, 88), parts([60, 80, 70, 90], 1.5)).verdict).toBe('inconclusive');
    expect(verdictOf(parts([4_400, 4_500, 4_300, 4_400], 88), parts([60, 80, 70, 90], 1.5)).verdict).toBe(
      'succeeded',
    );
  });
});
