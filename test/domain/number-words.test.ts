import { expect, test } from 'vitest';
import { ageWords, amountWords, roughSeconds, savingWords } from '../../src/domain/index.ts';

test.each([
  [0, '0 minutes'],
  [-1, '0 minutes'],
  [1 / 1440, '1 minute'],
  [0.02, '29 minutes'],
  [0.5, '12 hours'],
  [1, '24 hours'],
  [1.9, '45.6 hours'],
  [2, '2 days'],
  [29.96, '30 days'],
  [400.25, '400.3 days'],
])('%d days of counting are %s', (days, words) => expect(ageWords(days)).toBe(words));

test.each([
  [0.984_8, '980 ms'],
  [14.03, '14 s'],
  [128, '2.2 min'],
])('about %d seconds are %s', (seconds, words) => expect(roughSeconds(seconds)).toBe(words));

test('a cost has no zeros that say nothing', () => {
  expect([0.075, 1, 1.0001, 12.34, 1234.5].map(amountWords)).toEqual(['0.075', '1', '1', '12.3', '1,235']);
});

test('what makes plans dearer is not said to save', () => {
  const words = ['saves', 'costs'] as const;
  expect(savingWords(0.032, words)).toBe('saves 3.20 %');
  expect(savingWords(-0.0014, words)).toBe('costs 0.14 % more');
  expect(savingWords(-0.000_001, words)).toBe('saves next to nothing');
});
