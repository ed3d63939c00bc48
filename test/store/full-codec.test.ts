import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Snapshot, StatementRow } from '../../src/domain/index.ts';
import { decodeFull, encodeFull, type FullBase } from '../../src/store/full-codec.ts';
import { encodeWhole, takeApart } from '../../src/store/snapshot-codec.ts';
import { hostileSnapshot } from './fixtures.ts';
import { ImaginaryDatabase } from './large-snapshot.ts';

const at = (minute: number) => new Date(Date.UTC(2026, 10, 22, 0, minute)).toISOString();
const template = hostileSnapshot('', 1).statements[0] as StatementRow;

async function through(snapshot: Snapshot, base: FullBase | null): Promise<FullBase> {
  const { meta, rows } = takeApart(snapshot);
  return decodeFull(await encodeFull(meta, rows, base), base);
}

const withStatements = (minute: number, statements: StatementRow[]): Snapshot => ({
  ...hostileSnapshot(at(minute), 1),
  statements,
});

const m2Of = (row: StatementRow) => row.calls * row.stddev_exec_time_ms ** 2;

describe('full snapshots as differences from the first of their day', () => {
  it('keep the spread of a minute late in the day, whatever was before it', async () => {
    const part = fc.record({
      calls: fc.integer({ min: 2, max: 3000 }),
      mean: fc.double({ min: 0.1, max: 1e3, noNaN: true }),
      spread: fc.double({ min: 0.05, max: 2, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(part, part, fc.constantFrom(0, 1000, 1e6), async (usual, last, calls) => {
        const grown = (before: StatementRow, n: number, { mean, spread }: typeof usual): StatementRow => {
          const total = before.total_exec_time_ms + n * mean;
          const gap = before.calls > 0 ? mean - before.total_exec_time_ms / before.calls : 0;
          const m2 =
            m2Of(before) + n * (mean * spread) ** 2 + (gap * gap * before.calls * n) / (before.calls + n);
          const sum = before.calls + n;
          return {
            ...before,
            calls: sum,
            total_exec_time_ms: total,
            mean_exec_time_ms: total / sum,
            stddev_exec_time_ms: Math.sqrt(m2 / sum),
          };
        };
        const first: StatementRow = { ...template, calls, total_exec_time_ms: calls * usual.mean };
        const base = await through(withStatements(0, [first]), null);
        // A day of the usual, then a minute.
        const before = grown(first, usual.calls * 1400, usual);
        const after = grown(before, last.calls, last);
        const [a, b] = [
          await through(withStatements(1400, [before]), base),
          await through(withStatements(1401, [after]), base),
        ].map(({ rows }) => rows.statements[0] as unknown as StatementRow) as [StatementRow, StatementRow];
        expect([a.calls, b.calls]).toEqual([before.calls, after.calls]);
        expect(Math.abs(b.total_exec_time_ms - after.total_exec_time_ms)).toBeLessThan(
          0.000501 + after.total_exec_time_ms * 1e-15,
        );
        for (const [kept, exact] of [
          [a, before],
          [b, after],
        ] as const) {
          // 2^-21 of what came since the first, and what doubles lose.
          expect(Math.abs(m2Of(kept) - m2Of(exact))).toBeLessThan(
            (m2Of(exact) - m2Of(first)) * (2 ** -21 + 1e-12) + m2Of(exact) * 1e-12 + 1e-3,
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  it('come back whole where keys are there twice, or rows are no numbers', async () => {
    const odd = { ...template, calls: 0.5, queryid: '9' };
    const base = await through(withStatements(0, [template, odd]), null);
    for (const statements of [[template, template], [odd], [{ ...odd, calls: 7 }, template], []]) {
      const { rows } = await through(withStatements(1, statements), base);
      expect(rows.statements.map((row) => row.calls)).toEqual(statements.map((row) => row.calls));
    }
  });

  it('of before are read', async () => {
    const database = new ImaginaryDatabase({ statements: 20, tables: 5, active: 0.5 });
    const first = takeApart(database.snapshot(at(0)));
    const base = await decodeFull(await encodeWhole(first.meta, first.rows, null), null);
    database.work();
    const second = takeApart(database.snapshot(at(1)));
    const old = await encodeWhole(second.meta, second.rows, first.rows);
    expect((await decodeFull(old, base)).rows).toEqual(second.rows);
    await expect(decodeFull(Buffer.from([6, 0, 0, 0, 0]), base)).rejects.toThrow(/format 6/);
  });
});
