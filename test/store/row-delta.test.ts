import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeRows, encodeRows, type Row } from '../../src/store/row-delta.ts';

const cell = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(null, true, false, ''),
  fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)) as unknown),
);
/** Few ids, so that rows meet their likes, double keys among them. */
const row = fc.record({ id: fc.integer({ min: 0, max: 6 }), a: cell, b: cell });
const loose = fc.dictionary(fc.constantFrom('id', 'a', 'b', 'c'), cell);
const keyOf = (given: Row) => JSON.stringify(given.id) ?? '';
const throughJson = (value: unknown) => JSON.parse(JSON.stringify(value));

describe('rows as differences', () => {
  it.each([
    ['of the same columns', row],
    ['of any columns', loose],
  ])('come back exactly, from any base: %s', (_, rows) => {
    fc.assert(
      fc.property(fc.array<Row>(rows), fc.option(fc.array<Row>(rows)), (given, base) => {
        const encoded = throughJson(encodeRows(given, base, keyOf));
        expect(decodeRows(encoded, base)).toEqual(throughJson(given));
      }),
      { numRuns: 500 },
    );
  });

  it('take nothing for rows that stay as they are, and steps for those that move', () => {
    const base = [
      { id: 1, calls: 10, text: 'x' },
      { id: 2, calls: 9_007_199_254_740_991, text: 'y' },
      { id: 3, calls: 5, text: 'z' },
    ];
    const now = [base[0] ?? {}, { id: 9, calls: 1, text: 'n' }, { ...base[2], calls: 8 }];
    expect(encodeRows(base, base, keyOf)).toEqual({ runs: [[0, 3]], added: {}, steps: {}, values: {} });
    expect(encodeRows(now, base, keyOf)).toEqual({
      runs: [
        [0, 1],
        [-1, 1],
        [2, 1],
      ],
      added: { id: [9], calls: [1], text: ['n'] },
      steps: { calls: [[2], [3]] },
      values: {},
    });
  });

  it('do not fit another base', () => {
    const base = [{ id: 1, calls: 1 }];
    const encoded = encodeRows([{ id: 1, calls: 2 }], base, keyOf);
    expect(() => decodeRows(encoded, [])).toThrow(RangeError);
  });
});
