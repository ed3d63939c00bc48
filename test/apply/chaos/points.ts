/** Where an apply is stopped dead: at one call of its journal. */
import type { Journal } from '../../../src/domain/index.ts';

export interface Point {
  method: 'intend' | 'settle';
  /** The n-th call of this method, from 1. */
  call: number;
  moment: 'before' | 'after';
}

/**
 * Of an apply whose journal has so many rows. After a row is settled and before the next is written nothing happens that
 * could be cut off: of these two only the first of all and the last of all are played, unless `all`.
 */
export function pointsOf(entries: number, all = false): Point[] {
  return Array.from({ length: entries }, (_, index) => index + 1).flatMap((call) =>
    (['intend', 'settle'] as const).flatMap((method) =>
      (['before', 'after'] as const)
        .map((moment): Point => ({ method, call, moment }))
        .filter(
          ({ moment }) =>
            all ||
            (method === 'intend') === (moment === 'after') ||
            (method === 'intend' ? call === 1 : call === entries),
        ),
    ),
  );
}

/** The journal, but at the point `arrive` is called and awaited; null: at none. */
export function stoppingAt(inner: Journal, point: Point | null, arrive: () => Promise<void>): Journal {
  const calls = { intend: 0, settle: 0 };
  const around = async <T>(method: 'intend' | 'settle', work: () => Promise<T>): Promise<T> => {
    calls[method] += 1;
    const here = point?.method === method && point.call === calls[method];
    if (here && point.moment === 'before') await arrive();
    const result = await work();
    if (here && point.moment === 'after') await arrive();
    return result;
  };
  return {
    intend: (entry) => around('intend', () => inner.intend(entry)),
    settle: (step, outcome) => around('settle', () => inner.settle(step, outcome)),
    entries: () => inner.entries(),
  };
}
