import { expect, test } from 'vitest';
import type { SampledValues } from '../../../src/advise/index-advisor/alike-groups.ts';
import { groupSizes } from '../../../src/advise/index-advisor/group-sizes.ts';

const values: SampledValues = {
  estimate: 58_900,
  is_counted: false,
  rows: 200_000,
  sampled: 30_000,
  pages: 4000,
  correlation: 0.08,
  common: { values: 0, share: 0 },
  referred: null,
  bounds: [],
};

test('bounds that leave room for far fewer values than ANALYZE found are none: ranks of a stripped snapshot', () => {
  const ranks = Array.from({ length: 101 }, (_, place) => 2 * place);
  expect(groupSizes({ ...values, bounds: ranks })).toEqual(groupSizes(values));
});

test('bounds between which all numbers are used bound how many values there are', () => {
  const bounds = Array.from({ length: 101 }, (_, place) => 600 * place);
  const { distinct } = groupSizes({ ...values, bounds });
  expect(distinct).toBeGreaterThan(50_000);
  expect(distinct).toBeLessThanOrEqual(60_001);
  // Without them values drawn at random are what explains the sample, and of those there are more.
  expect(groupSizes(values).distinct).toBeGreaterThan(65_000);
});
