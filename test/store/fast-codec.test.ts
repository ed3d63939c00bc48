import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fastPart, type StatementRow } from '../../src/domain/index.ts';
import { decodeFast, encodeFast, fastFromState, stateOfFull } from '../../src/store/fast-codec.ts';
import { takeApart } from '../../src/store/snapshot-codec.ts';
import { hostileSnapshot } from './fixtures.ts';

/** A minute: calls, their mean and deviation in ms and as a share of it. */
const minute = fc.record({
  calls: fc.integer({ min: 0, max: 5000 }),
  mean: fc.double({ min: 0.01, max: 1e4, noNaN: true }),
  spread: fc.double({ min: 0.05, max: 2, noNaN: true }),
});

const m2Of = (row: StatementRow) => row.calls * row.stddev_exec_time_ms ** 2;

/** The spread that an interval adds within itself. */
function ownM2(before: StatementRow, after: StatementRow): number {
  const n = after.calls - before.calls;
  const gap =
    (after.total_exec_time_ms - before.total_exec_time_ms) / n - before.total_exec_time_ms / before.calls;
  return m2Of(after) - m2Of(before) - (gap * gap * before.calls * n) / after.calls;
}

describe('statements in fast snapshots', () => {
  it('keep totals to 1 µs and intervals’ spread to 0.1 % of it and of the one before, however many follow each other, resets among them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(minute, { minLength: 1, maxLength: 12 }),
        fc.nat(11),
        async (minutes, resetAt) => {
          const snapshot = hostileSnapshot('2026-11-22T10:00:00Z', 100);
          const [template] = snapshot.statements;
          if (!template) throw new Error('the fixture has no statement');
          let exact: StatementRow = { ...template, query: null };
          let state = stateOfFull(takeApart({ ...snapshot, statements: [exact] }).rows);
          let kept = exact;
          // The closed loop makes an interval's error good in the next one.
          let ownBefore = 0;
          for (const [index, { calls, mean, spread }] of minutes.entries()) {
            const isReset = index === resetAt;
            const before = isReset
              ? { ...exact, calls: 0, total_exec_time_ms: 0, stddev_exec_time_ms: 0 }
              : exact;
            const n = isReset ? Math.max(1, Math.min(calls, before.calls)) : calls;
            const total = before.total_exec_time_ms + n * mean;
            const sum = before.calls + n;
            const gap = before.calls > 0 ? mean - before.total_exec_time_ms / before.calls : 0;
            const own = n > 1 ? n * (spread * mean) ** 2 : 0;
            const m2 = m2Of(before) + own + (sum > 0 ? (gap * gap * before.calls * n) / sum : 0);
            const after = { ...before, calls: sum, total_exec_time_ms: total };
            after.mean_exec_time_ms = sum > 0 ? total / sum : 0;
            after.stddev_exec_time_ms = sum > 0 ? Math.sqrt(m2 / sum) : 0;
            const fast = fastPart({ ...snapshot, statements: [after] });
            state = await decodeFast((await encodeFast(fast, state, state)).body, state);
            const [now] = fastFromState(state, [], new Map()).statements;
            if (!now) throw new Error('the statement is lost');
            expect(Math.abs(now.total_exec_time_ms - total)).toBeLessThan(0.000501 + total * 1e-15);
            expect(now.stddev_exec_time_ms).toBeGreaterThanOrEqual(0);
            if (n > 1 && !isReset) {
              // What cancels out of large sums is lost in exact figures too; half a µs of mean counts as well.
              const rounding = m2 * 1e-12 + Math.abs(gap) * 0.004 * n;
              expect(Math.abs(ownM2(kept, now) - own)).toBeLessThan((own + ownBefore) / 1000 + rounding);
            }
            // A minute without a call makes nothing good.
            if (isReset) ownBefore = 0;
            else if (n > 0) ownBefore = own + ownBefore / 1000;
            exact = after;
            kept = now;
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
