import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextSlot, retrySlot } from '../../jobs/slots.ts';

const MINUTE = 60_000;

describe('slots', () => {
  const ids = fc.uuid();
  const moments = fc.date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true });

  it('come evenly, always after the moment, and belong to the target', () => {
    fc.assert(
      fc.property(ids, moments, (id, moment) => {
        const first = nextSlot(id, moment, MINUTE);
        expect(first.getTime()).toBeGreaterThan(moment.getTime());
        expect(first.getTime() - moment.getTime()).toBeLessThanOrEqual(MINUTE);
        expect(nextSlot(id, first, MINUTE).getTime() - first.getTime()).toBe(MINUTE);
        expect(nextSlot(id, new Date(first.getTime() - 1), MINUTE)).toEqual(first);
      }),
    );
  });

  it('of many targets are spread over the interval', () => {
    const at = new Date('2026-01-01T00:00:00Z');
    const seconds = new Array<number>(60).fill(0);
    for (let n = 0; n < 600; n += 1) {
      const slot = nextSlot(`tgt_${n}`, at, MINUTE);
      const second = Math.floor((slot.getTime() - 1 - at.getTime()) / 1000);
      seconds[second] = (seconds[second] ?? 0) + 1;
    }
    // Ten a second on average.
    expect(Math.max(...seconds)).toBeLessThan(25);
    expect(seconds.filter((count) => count === 0).length).toBeLessThan(3);
  });

  it('come later after each failure, up to a quarter of an hour', () => {
    fc.assert(
      fc.property(ids, moments, fc.nat(40), (id, moment, failures) => {
        const wait = retrySlot(id, moment, MINUTE, failures).getTime() - moment.getTime();
        const next = retrySlot(id, moment, MINUTE, failures + 1).getTime() - moment.getTime();
        expect(next).toBeGreaterThanOrEqual(wait);
        expect(wait).toBeLessThanOrEqual(16 * MINUTE);
      }),
    );
    expect(
      retrySlot('x', new Date(0), MINUTE, 10).getTime() - nextSlot('x', new Date(0), MINUTE).getTime(),
    ).toBe(15 * MINUTE);
  });
});
