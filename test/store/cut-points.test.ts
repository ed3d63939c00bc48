import { describe, expect, it } from 'vitest';
import { type CutCandidate, chooseCutPoints } from '../../src/store/cut-points.ts';

/** A minute each; a full one each half an hour. */
function day(change: (one: CutCandidate, minute: number) => CutCandidate): CutCandidate[] {
  return Array.from({ length: 1440 }, (_, minute) =>
    change({ epoch: 'a', dealloc: 0, cadence: minute % 30 === 0 ? 'full' : 'fast' }, minute),
  );
}

describe('cut points of a window', () => {
  it('are its ends where nothing happened', () => {
    expect(chooseCutPoints(day((one) => one))).toEqual([0, 1439]);
    expect(chooseCutPoints([])).toEqual([]);
  });

  it('are full snapshots, about evenly spaced, where statements were evicted', () => {
    const cuts = chooseCutPoints(day((one, minute) => ({ ...one, dealloc: minute })));
    expect(cuts).toHaveLength(4);
    expect(cuts.slice(1, -1).every((minute) => minute % 30 === 0)).toBe(true);
    cuts.forEach((minute, index) => {
      if (index > 0) expect(Math.abs(minute - (cuts[index - 1] ?? 0) - 480)).toBeLessThan(60);
    });
  });

  it('are where they would be where there is no full one near', () => {
    const cuts = chooseCutPoints(day((one, minute) => ({ ...one, dealloc: minute, cadence: 'fast' })));
    expect(cuts).toEqual([0, 480, 959, 1439]);
  });

  it('are both sides of a restart', () => {
    const cuts = chooseCutPoints(day((one, minute) => ({ ...one, epoch: minute < 47 ? 'a' : 'b' })));
    expect(cuts).toEqual([0, 46, 47, 1439]);
  });
});
