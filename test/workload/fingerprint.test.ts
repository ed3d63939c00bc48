import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fingerprint } from '../../src/workload/index.ts';

/** What may stand between two words and mean nothing. */
const gap = fc.constantFrom(
  ' ',
  '  ',
  '\n',
  '\t\n ',
  ' /* a comment; */ ',
  ' -- until here\n',
  ' /* nested /* ü */ */ ',
);
const constant = fc.oneof(
  fc.integer({ min: 0, max: 1e6 }).map(String),
  fc.integer({ min: 1, max: 9 }).map((n) => `$${n}`),
  fc.stringMatching(/^[a-z ]{0,8}$/).map((text) => `'${text}'`),
  fc.constant(`'it''s'`),
);
const list = fc.array(constant, { minLength: 2, maxLength: 12 });

/** Words of a statement, with holes for constants and lists. */
const FORMS: ((one: string, many: string) => string[])[] = [
  (one, many) => [
    'select',
    'a',
    ',',
    'b',
    'from',
    's.t',
    'where',
    'a',
    'in',
    '(',
    many,
    ')',
    'and',
    'b',
    '=',
    one,
  ],
  (one) => ['update', 't', 'set', 'a', '=', one, 'where', 'b', '<', one],
  (_, many) => ['insert', 'into', 't', '(', 'a', ')', 'values', '(', many.split(',')[0] ?? '1', ')'],
  (one) => ['delete', 'from', '"Größe"', 'where', 'a', 'like', one],
];

/** Words in spacing and comments of their own; keywords in any case. */
const written = fc
  .tuple(
    fc.nat(FORMS.length - 1),
    constant,
    list,
    fc.array(gap, { minLength: 24, maxLength: 24 }),
    fc.boolean(),
  )
  .map(([form, one, many, gaps, upper]) => {
    const words = FORMS[form]?.(one, many.join(', ')) ?? [];
    const cased = words.map((word) =>
      upper && /^(select|from|where|and|in|update|set|insert|into|values|delete|like)$/.test(word)
        ? word.toUpperCase()
        : word,
    );
    return { form, sql: cased.map((word, index) => word + (gaps[index] ?? ' ')).join('') };
  });

describe('fingerprints', () => {
  test('neither spacing, comments, case, constants nor the length of a list make another statement', async () => {
    const ids = await Promise.all(FORMS.map((form) => fingerprint(form('1', '1, 2').join(' '))));
    expect(new Set(ids).size).toBe(FORMS.length);
    await fc.assert(
      fc.asyncProperty(written, async ({ form, sql }) => {
        expect(await fingerprint(sql)).toBe(ids[form]);
      }),
      { numRuns: 400 },
    );
  });

  test('another table, schema, column, operator, direction or limit does', async () => {
    const texts = [
      'select a from t where b = 1',
      'select a from u where b = 1',
      'select a from s.t where b = 1',
      'select a from "T" where b = 1',
      'select c from t where b = 1',
      'select a from t where c = 1',
      'select a from t where b > 1',
      'select a from t where b = 1 order by a',
      'select a from t where b = 1 order by a desc',
      'select a from t where b = 1 limit 1',
      'select a from t where b = 1 offset 1',
      'select a from t where b in (1, 2)',
      'select a from t where b not in (1, 2)',
      'select a from t where b is null',
      'select distinct a from t where b = 1',
      'select a from t where b = 1 for update',
    ];
    expect(new Set(await Promise.all(texts.map(fingerprint))).size).toBe(texts.length);
  });
});
