/** A hundred candidates that were left out for the same few reasons are a few lines, none of which is lost. */
import { expect, test } from 'vitest';
import { groupRejections, type Nearness, type Rejection } from '../../src/domain/index.ts';

const near = (short_by: number, instead_of: string | null = null): Nearness => ({
  size_bytes: 8192,
  saves_alone: null,
  saves_beside: instead_of === null ? 0.1 : null,
  must_save: instead_of === null ? 0.1 + short_by : null,
  writes: 0,
  instead_of,
  short_by,
  query_ids: [],
});

const rejected = (candidate: string, parts: Partial<Rejection>): Rejection => ({
  rule: 'index/missing',
  candidate,
  code: 'too_small_gain',
  reason: 'because',
  ...parts,
});

test('by reason and table, what came nearest first, and each once', () => {
  const given = [
    rejected('setting', { rule: 'settings/jit', code: 'as_wanted' }),
    rejected('far', { table: 'a', nearness: near(0.5) }),
    rejected('b far', { table: 'b', nearness: near(0.3) }),
    rejected('near', { table: 'a', nearness: near(0.01) }),
    ...[5, 3, 4, 2].map((share) =>
      rejected(`in place ${share}`, {
        code: 'alternative_of_chosen',
        table: 'a',
        nearness: near(share / 1000, 'chosen'),
      }),
    ),
    rejected('another place', {
      code: 'alternative_of_chosen',
      table: 'a',
      nearness: near(0.009, 'other chosen'),
    }),
    rejected('erased', { code: 'constant_erased' }),
    rejected('there', { code: 'covered_by_existing', table: 'a' }),
    rejected('of a later version', { code: 'some_new_code' }),
  ];
  const { rejections, rejection_groups } = groupRejections(given);
  expect(rejections).toHaveLength(given.length);
  expect(new Set(rejections)).toEqual(new Set(given));
  expect(rejections.map(({ candidate }) => candidate)).toEqual([
    'erased',
    'in place 2',
    'in place 3',
    'in place 4',
    'in place 5',
    'another place',
    'near',
    'far',
    'b far',
    'of a later version',
    'there',
    'setting',
  ]);
  expect(rejection_groups.map(({ area, code, cause, count }) => [area, code, cause, count])).toEqual([
    ['index', 'constant_erased', 'obstacle', 1],
    ['index', 'alternative_of_chosen', 'outweighed', 5],
    ['index', 'too_small_gain', 'outweighed', 3],
    ['index', 'some_new_code', 'outweighed', 1],
    ['index', 'covered_by_existing', 'not_needed', 1],
    ['settings', 'as_wanted', 'not_needed', 1],
  ]);
  const [, alternatives, small, later] = rejection_groups;
  expect(alternatives?.tables.map(({ table, instead_of, count }) => [table, instead_of, count])).toEqual([
    ['a', 'chosen', 4],
    ['a', 'other chosen', 1],
  ]);
  expect(alternatives?.tables[0]?.nearest.map(({ candidate }) => candidate)).toEqual([
    'in place 2',
    'in place 3',
    'in place 4',
  ]);
  expect(small?.tables.map(({ table }) => table)).toEqual(['a', 'b']);
  expect(later?.title).toBe('some new code');
});

test('nothing rejected is no group', () => {
  expect(groupRejections([])).toEqual({ rejections: [], rejection_groups: [] });
});
