import { beforeAll, expect, test } from 'vitest';
import { keepsOrder } from '../../../src/advise/index-advisor/expression-work.ts';
import { parseSql } from '../../../src/workload/index.ts';

beforeAll(() => parseSql('SELECT 1'));

test.each([
  ["date_trunc('day'::text, at)", true],
  ['pg_catalog.date("At")', true],
  ["date_trunc('month'::text, (at AT TIME ZONE 'UTC'::text))", true],
  ["date_part('hour'::text, at)", false],
  ["date_trunc('day'::text, (at + pause))", false],
  ["date_trunc('day'::text, at) > now()", false],
  ["lower('date('::text || name)", false],
  ['at', false],
])('whether times that are cut off keep their order: %s, %s', (expression, keeps) => {
  expect(keepsOrder(expression)).toBe(keeps);
});
