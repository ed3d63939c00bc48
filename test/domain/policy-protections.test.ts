import { describe, expect, it } from 'vitest';
import {
  applyPolicySchema,
  loosenedProtections,
  type MaintenanceWindow,
  opensMore,
} from '../../src/domain/index.ts';

const night: MaintenanceWindow = {
  days: ['mon', 'tue', 'sun'],
  from: '22:00',
  to: '04:00',
  time_zone: 'Europe/Berlin',
};

describe('windows that open more', () => {
  it.each([
    ['the same', [night], false],
    ['none: always open', [], true],
    ['a day less', [{ ...night, days: ['mon'] }], false],
    ['another day', [{ ...night, days: ['mon', 'wed'] }], true],
    ['shorter', [{ ...night, from: '23:00', to: '03:59' }], false],
    ['a minute longer', [{ ...night, to: '04:01' }], true],
    [
      'the part after midnight, by its own day',
      [{ ...night, days: ['wed'], from: '00:00', to: '04:00' }],
      false,
    ],
    ['over the end of the week', [{ ...night, days: ['sun'], from: '23:30', to: '00:30' }], false],
    [
      'two that make up one',
      [
        { ...night, to: '00:00' },
        { ...night, days: ['tue', 'wed', 'mon'], from: '00:00', to: '04:00' },
      ],
      false,
    ],
    ['the same hours of another zone', [{ ...night, time_zone: 'Europe/Paris' }], true],
    ['the whole day', [{ ...night, from: '00:00', to: '00:00' }], true],
  ] as [string, MaintenanceWindow[], boolean][])('%s', (_, after, more) => {
    expect(opensMore(after, [night])).toBe(more);
  });

  it('not, where they were open always', () => {
    expect(opensMore([night], [])).toBe(false);
    expect(opensMore([], [])).toBe(false);
  });
});

it('each member that protects is told where it does so less', () => {
  const tight = applyPolicySchema.parse({
    windows: [night],
    disk_budget_bytes: 1000,
    max_replica_lag_seconds: 5,
    max_applies_per_server: 1,
    yield_after_seconds: 5,
    expire_days: 3,
    blocker_queries: 'hidden',
  });
  const loose = applyPolicySchema.parse({
    max_applies_per_server: 2,
    yield_after_seconds: null,
    blocker_queries: 'as_they_are',
  });
  expect(loosenedProtections(loose, tight)).toEqual([
    'windows',
    'disk_budget_bytes',
    'max_replica_lag_seconds',
    'max_applies_per_server',
    'yield_after_seconds',
    'expire_days',
    'blocker_queries',
  ]);
  expect(loosenedProtections(tight, loose)).toEqual([]);
});
