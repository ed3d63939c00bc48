/** Chosen indexes on expressions that no plan reads leave the set; what there was no time to ask about does not. */
import { expect, test } from 'vitest';
import type { WeighedContender } from '../../../src/advise/index-advisor/charges.ts';
import type { SelectionInput } from '../../../src/advise/index-advisor/selection.ts';
import { withoutUnread } from '../../../src/advise/index-advisor/statistics-only.ts';

/** One chosen index on an expression; the book knows this of the only statement once it was asked. */
async function leftOf(deadline: number, known: { indexes: Set<string> } | null) {
  const asked: unknown[] = [];
  const key = { column: null, expression: 'lower(kind)' };
  const input = {
    contenders: [{ handle: 'h', table_oid: 1, candidate: { definition: { keys: [key] } } }],
    statements: [{ tables: new Set([1]) }],
    base: 100,
    deadline,
    book: {
      ask: async (_: unknown, __: unknown, options: unknown) => void asked.push(options),
      known: () => known,
    },
  } as unknown as SelectionInput;
  const setOf = (members: number[]) =>
    ({ has: [members.includes(0) ? 1 : 0], members: () => members }) as never;
  const weighed = [{ handle: 'h', table_oid: 1, size_bytes: 1, charge: 1 }] as WeighedContender[];
  const charges: number[] = [];
  const { left, found } = await withoutUnread(input, { weighed, found: setOf([0]) }, (again, members) => {
    charges.push(again[0]?.charge ?? 0);
    return setOf(members);
  });
  return { codes: left.map(({ code }) => code), members: found.members(), asked, charges };
}

const IN_AN_HOUR = Date.now() + 3_600_000;

test('one that no plan reads leaves, and is charged so that it does not come back', async () => {
  const { codes, members, charges } = await leftOf(IN_AN_HOUR, { indexes: new Set() });
  expect(codes).toEqual(['statistics_only']);
  expect(members).toEqual([]);
  expect(charges[0]).toBeGreaterThan(100);
});

test('one that is read stays', async () => {
  const { codes, members } = await leftOf(IN_AN_HOUR, { indexes: new Set(['h']) });
  expect([codes, members]).toEqual([[], [0]]);
});

test('after the deadline what was not answered stays, and the book is told of the deadline', async () => {
  const { codes, members, asked } = await leftOf(1, null);
  expect([codes, members]).toEqual([[], [0]]);
  expect(asked).toEqual([{ deadline: 1, exactly: true }]);
});

test('after the deadline what was answered counts', async () => {
  expect((await leftOf(1, { indexes: new Set() })).codes).toEqual(['statistics_only']);
});
