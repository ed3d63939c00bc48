import { deepStrictEqual } from 'node:assert';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type FastSnapshot,
  fastPart,
  indexCounterColumns,
  type StatementRow,
  tableCounterColumns,
} from '../../src/domain/index.ts';
import { isOldBody, unframe } from '../../src/store/body-frame.ts';
import { indexColumns, tableColumns } from '../../src/store/counter-models.ts';
import { decodeFast, encodeFast } from '../../src/store/fast-codec.ts';
import { decodeOldFast, fastFromOldState, oldStateOfFull } from '../../src/store/fast-codec-v1.ts';
import { type FastState, fastFromState, stateOfFull, stateOfOld } from '../../src/store/fast-state.ts';
import { decodeFull } from '../../src/store/full-codec.ts';
import { decodeWhole, takeApart } from '../../src/store/snapshot-codec.ts';
import { hostileSnapshot } from './fixtures.ts';
import { ImaginaryDatabase } from './large-snapshot.ts';

const base = hostileSnapshot('2026-11-22T10:00:00Z', 100);
const template = base.statements[0] as StatementRow;
const at = (minute: number) => new Date(Date.UTC(2026, 10, 22, 10, minute)).toISOString();
const noTexts = new Map<string, string>();

function fastOf(minute: number, statements: StatementRow[]): FastSnapshot {
  return fastPart({ ...base, taken_at: at(minute), collected_at: at(minute), statements });
}

function stateBefore(statements: StatementRow[]): FastState {
  return stateOfFull(takeApart({ ...base, statements }).rows, base.taken_at);
}

/** Written, read, and what was read: it must be what the writer goes on from. */
async function through(fast: FastSnapshot, before: FastState): Promise<FastState> {
  const { body, state } = await encodeFast(fast, before, before);
  const read = await decodeFast(body, before);
  // Compares typed arrays as memory, models of thousands of numbers among them.
  deepStrictEqual(read, state);
  return read;
}

const m2Of = (row: StatementRow) => row.calls * row.stddev_exec_time_ms ** 2;

/** The spread that an interval adds within itself. */
function ownM2(before: StatementRow, after: StatementRow): number {
  const n = after.calls - before.calls;
  const gap =
    (after.total_exec_time_ms - before.total_exec_time_ms) / n - before.total_exec_time_ms / before.calls;
  return m2Of(after) - m2Of(before) - (gap * gap * before.calls * n) / after.calls;
}

/** The row after n more calls of this mean and sum of squared deviations. */
function grown(before: StatementRow, n: number, mean: number, own: number): StatementRow {
  const calls = before.calls + n;
  const total = before.total_exec_time_ms + n * mean;
  const gap = before.calls > 0 ? mean - before.total_exec_time_ms / before.calls : 0;
  const m2 = m2Of(before) + own + (calls > 0 ? (gap * gap * before.calls * n) / calls : 0);
  return {
    ...before,
    calls,
    total_exec_time_ms: total,
    mean_exec_time_ms: calls > 0 ? total / calls : 0,
    stddev_exec_time_ms: calls > 0 ? Math.sqrt(m2 / calls) : 0,
  };
}

describe('statements in fast snapshots', () => {
  /** A minute: calls, their mean and deviation in ms and as a share of it. */
  const minute = fc.record({
    calls: fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 2 })),
    mean: fc.double({ min: 0.01, max: 1e4, noNaN: true }),
    spread: fc.double({ min: 0.05, max: 2, noNaN: true }),
  });

  it('keep calls exactly, totals to 1 µs and intervals’ spread to 2^-8 of it and of the one before, resets among them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(minute, { minLength: 1, maxLength: 12 }),
        fc.nat(11),
        fc.constantFrom(0, 100, 1e9),
        async (minutes, resetAt, calls) => {
          let exact: StatementRow = { ...template, query: null, calls, total_exec_time_ms: calls * 1.5 };
          let state = stateBefore([exact]);
          let kept = exact;
          let loose = 0;
          for (const [index, given] of minutes.entries()) {
            const isReset = index === resetAt;
            const before = isReset
              ? { ...exact, calls: 0, total_exec_time_ms: 0, stddev_exec_time_ms: 0 }
              : exact;
            // Fewer than before: more could not be told from an interval.
            const n = isReset
              ? Math.min(given.calls, Math.max(0, before.calls, exact.calls - 1))
              : given.calls;
            const own = n > 1 ? n * (given.spread * given.mean) ** 2 : 0;
            const now = grown(before, n, given.mean, own);
            state = await through(fastOf(index + 1, [now]), state);
            const [read] = fastFromState(state, [], noTexts).statements;
            if (!read) throw new Error('the statement is lost');
            expect(read.calls).toBe(now.calls);
            expect(Math.abs(read.total_exec_time_ms - now.total_exec_time_ms)).toBeLessThan(
              0.000501 + now.total_exec_time_ms * 1e-15,
            );
            const gap = before.calls > 0 && n > 0 ? given.mean - before.total_exec_time_ms / before.calls : 0;
            if (isReset || before.calls === 0) loose = 0;
            else {
              const rounding = m2Of(now) * 1e-12 + 0.004 * Math.abs(gap) + 2e-5;
              if (n > 1) expect(Math.abs(ownM2(kept, read) - own)).toBeLessThan(own / 256 + loose + rounding);
              if (n > 0) loose = n > 1 ? (own + loose + rounding) / 256 : loose + rounding;
              // What a reader makes of the whole is as near.
              expect(Math.abs(m2Of(read) - m2Of(now))).toBeLessThan(loose + own / 256 + rounding);
            }
            exact = now;
            kept = read;
          }
        },
      ),
      { numRuns: 80 },
    );
  });

  it('keep the spread of a minute behind a billion calls, also when the row was away for a while', async () => {
    const busy: StatementRow = {
      ...template,
      query: null,
      calls: 1e9,
      total_exec_time_ms: 1.5e9,
      stddev_exec_time_ms: 40,
    };
    const other = { ...busy, queryid: '7' };
    let state = await through(fastOf(1, [busy, other]), stateBefore([busy, other]));
    // Evicted, or not read: gone, and back with all its history.
    state = await through(fastOf(2, [other]), state);
    const back = grown(busy, 5000, 2, 5000 * 0.5 ** 2);
    state = await through(fastOf(3, [other, back]), state);
    const later = grown(back, 2000, 3, 2000 * 0.7 ** 2);
    const [before] = fastFromState(state, [], noTexts).statements.filter((row) => row.queryid !== '7');
    state = await through(fastOf(4, [later, other]), state);
    const [now] = fastFromState(state, [], noTexts).statements.filter((row) => row.queryid !== '7');
    if (!before || !now) throw new Error('the statement is lost');
    expect(now.calls - before.calls).toBe(2000);
    const own = 2000 * 0.7 ** 2;
    // 1e9 calls of 40 ms deviation: the source itself has the sum of squares to some 1e-15 of 1.6e12.
    expect(Math.abs(ownM2(before, now) - own)).toBeLessThan(own / 256 + 1.6e12 * 1e-14);
    // A lone call has no spread of its own.
    const lone = await through(fastOf(5, [grown(later, 1, 90, 0), other]), state);
    const [last] = fastFromState(lone, [], noTexts).statements.filter((row) => row.queryid !== '7');
    expect(Math.abs(ownM2(now, last as StatementRow))).toBeLessThan(own / 256 + 1.6e12 * 1e-14 + 0.004 * 90);
  });

  it('of any history come back: rows that go and come, nulls, numbers that no counter has, doubles', async () => {
    const figure = fc.oneof(fc.nat(5), fc.nat(), fc.maxSafeNat(), fc.constantFrom(0, 0.5, -3, 1e300));
    const statement = fc.record({
      queryid: fc.constantFrom('1', '2', '3', '4'),
      calls: figure,
      rows: figure,
      shared_blks_hit: figure,
      wal_bytes: figure,
      total_exec_time_ms: fc.double({ min: 0, max: 1e12, noNaN: true }),
      stddev_exec_time_ms: fc.double({ min: 0, max: 1e6, noNaN: true }),
      jit_time_ms: fc.option(fc.nat(1000)),
      stats_since: fc.constantFrom(null, '2026-01-01T00:00:00Z', 'infinity'),
    });
    const table = fc.record({
      oid: fc.constantFrom(1, 2, 3),
      idx_scan: fc.option(figure),
      n_dead_tup: figure,
      last_vacuum: fc.constantFrom(null, '2026-01-01T00:00:00.25Z', '2026-01-01T00:00:00.250Z', 'infinity'),
      last_seq_scan: fc.constantFrom(null, '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z'),
    });
    const noTable = Object.fromEntries(tableCounterColumns.map((name) => [name, 0]));
    const snapshot = fc.record({ statements: fc.array(statement), tables: fc.array(table) });
    await fc.assert(
      fc.asyncProperty(fc.array(snapshot, { minLength: 1, maxLength: 6 }), async (minutes) => {
        let state = stateBefore([]);
        for (const [index, given] of minutes.entries()) {
          const statements = given.statements.map((row) => ({ ...template, query: null, ...row }));
          const tables = given.tables.map((row) => ({
            ...noTable,
            ...row,
          })) as unknown as FastSnapshot['tables'];
          state = await through({ ...fastOf(index + 1, statements), tables }, state);
          const read = fastFromState(state, [], noTexts);
          const exactly = (rows: readonly object[]) =>
            rows
              .map((row) => {
                const {
                  total_exec_time_ms: _t,
                  mean_exec_time_ms: _m,
                  stddev_exec_time_ms: _s,
                  ...rest
                } = row as StatementRow;
                return JSON.stringify(Object.entries(rest).sort());
              })
              .sort();
          expect(exactly(read.statements)).toEqual(exactly(statements));
          const minutesOnly = (rows: FastSnapshot['tables']) =>
            rows.map((row) => ({
              ...row,
              last_seq_scan: row.last_seq_scan && Date.parse(row.last_seq_scan),
            }));
          expect(exactly(minutesOnly(read.tables))).toEqual(exactly(minutesOnly(tables)));
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('the format of fast snapshots', () => {
  it('has a forecast for every counter that is read', () => {
    const names = (columns: typeof tableColumns) => ['oid', ...columns.map(({ name }) => name)].sort();
    expect(names(tableColumns)).toEqual([...tableCounterColumns].sort());
    expect(names(indexColumns)).toEqual([...indexCounterColumns].sort());
  });

  it('of before is read, and gone on from', async () => {
    const file = JSON.parse(await readFile(new URL('fast-version-1.json', import.meta.url), 'utf8')) as {
      full: string;
      texts: Record<string, string>;
      fast: { body: string; expected: FastSnapshot }[];
    };
    const texts = new Map(Object.entries(file.texts));
    const full = await decodeWhole(Buffer.from(file.full, 'base64'), null);
    let old = oldStateOfFull(full.rows);
    for (const { body, expected } of file.fast) {
      const bytes = Buffer.from(body, 'base64');
      expect(isOldBody(bytes)).toBe(true);
      old = await decodeOldFast(bytes, old);
      expect(fastFromOldState(old, [], texts)).toEqual({ ...expected, collected_at: expected.taken_at });
    }
    const last = fastFromOldState(old, [], texts);
    const next = { ...last, statements: last.statements.map((row) => grown(row, 10, 2, 1)) };
    const read = fastFromState(await through(next, stateOfOld(old)), [], texts);
    expect(read.statements.map((row) => row.calls)).toEqual(next.statements.map((row) => row.calls));
    expect(read.tables.map((row) => row.idx_scan)).toEqual(last.tables.map((row) => row.idx_scan));
  });

  it('has the time of temporary files exactly, from before there was any, and of a row nothing else again', async () => {
    const rowAt = (read: number | null, write: number | null, calls: number) => ({
      ...template,
      query: null,
      calls,
      temp_blk_read_time_ms: read,
      temp_blk_write_time_ms: write,
    });
    let state = stateBefore([{ ...template, query: null, calls: 1 }]);
    const rows = [rowAt(null, null, 2), rowAt(1.25, 0.007, 3), rowAt(1.25, 9.007, 4), rowAt(1.25, 9.007, 5)];
    for (const [index, row] of rows.entries()) {
      const { body } = await encodeFast(fastOf(index + 1, [row]), state, state);
      const { head } = await unframe<{ plain: { statements: { changed?: unknown } } }>(body);
      const changed = [
        [[0, { temp_blk_read_time_ms: null, temp_blk_write_time_ms: null }]],
        [[0, { temp_blk_read_time_ms: 1.25, temp_blk_write_time_ms: 0.007 }]],
        [[0, { temp_blk_write_time_ms: 9.007 }]],
        undefined,
      ][index];
      expect(head.plain.statements.changed).toEqual(changed);
      state = await through(fastOf(index + 1, [row]), state);
      expect(fastFromState(state, [], noTexts).statements).toMatchObject([
        {
          calls: row.calls,
          temp_blk_read_time_ms: row.temp_blk_read_time_ms,
          temp_blk_write_time_ms: row.temp_blk_write_time_ms,
        },
      ]);
    }
  });

  it('of 2 and of today stays what it is: forecasts are part of it', async () => {
    const file = JSON.parse(await readFile(new URL('snapshot-version-2.json', import.meta.url), 'utf8')) as {
      full: string;
      texts: Record<string, string>;
      fast: { body: string; expected: FastSnapshot }[];
      second: { body: string; expected: unknown };
    };
    const texts = new Map(Object.entries(file.texts));
    const first = await decodeFull(Buffer.from(file.full, 'base64'), null);
    let state = stateOfFull(first.rows, first.meta.collected_at);
    for (const { body, expected } of file.fast) {
      state = await decodeFast(Buffer.from(body, 'base64'), state);
      expect(fastFromState(state, [], texts)).toEqual(expected);
    }
    const second = await decodeFull(Buffer.from(file.second.body, 'base64'), first);
    expect(second.rows).toEqual(file.second.expected);
  });

  it('is refused where it is a later one', async () => {
    const { body } = await encodeFast(fastOf(1, []), stateBefore([]), stateBefore([]));
    body[0] = 6;
    await expect(decodeFast(body, stateBefore([]))).rejects.toThrow(/format 6/);
  });

  it('takes nothing away from what it is a difference from', async () => {
    const database = new ImaginaryDatabase({ statements: 50, tables: 10, active: 0.5 });
    const before = stateOfFull(takeApart(database.snapshot(at(0))).rows, at(0));
    const copy = structuredClone(before);
    database.workZipf(500);
    database.churn();
    await through(fastPart(database.snapshot(at(1))), before);
    deepStrictEqual(before, copy);
  });
});
