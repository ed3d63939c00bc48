import { describe, expect, test } from 'vitest';
import {
  ACTIVITY_HIDDEN,
  type ActivityGroup,
  activityPoint,
  noActivity,
  ROLES_IN_SAMPLE,
} from '../../src/domain/index.ts';

const group = (user: string | null, state: string | null, sessions: number): ActivityGroup => ({
  backend_type: 'client backend',
  database: 'app',
  user,
  application_name: null,
  state,
  wait_event_type: null,
  wait_event: null,
  query_id: null,
  sessions,
});

const pointOf = (groups: ActivityGroup[], codes: string[] = []) =>
  activityPoint({
    taken_at: '2026-03-01T00:00:00.000Z',
    activity: { ...noActivity, groups },
    server: { database: 'app' },
    limits: codes.map((code) => ({ code })),
  });

describe('a sample of sessions by role', () => {
  test('counts whatever is not idle as at work: a cursor holds its memory, and untracked ones are not known', () => {
    const point = pointOf([
      group('app', 'idle', 40),
      group('app', 'active', 3),
      group('app', 'idle in transaction', 2),
      group('reports', 'idle in transaction (aborted)', 1),
      group('untracked', 'disabled', 4),
      group('idlers', 'idle', 9),
      group('coming', null, 1),
      group(null, 'active', 1),
      { ...group('app', 'active', 8), backend_type: 'parallel worker' },
    ]);
    expect(point).toMatchObject({ total: 61, active: 4 });
    expect(point?.roles).toEqual([
      ['app', 5, 45],
      ['untracked', 4, 4],
      ['reports', 1, 1],
    ]);
    expect(point).not.toHaveProperty('roles_left_out');
  });

  test('has room for the busiest, and bounds the others', () => {
    const many = Array.from({ length: ROLES_IN_SAMPLE + 3 }, (_, n) => group(`tenant ${n}`, 'active', n + 1));
    const point = pointOf([...many, group('tenant 0', 'idle', 70)]);
    expect(point?.roles).toHaveLength(ROLES_IN_SAMPLE);
    expect(point?.roles?.[0]).toEqual([
      `tenant ${ROLES_IN_SAMPLE + 2}`,
      ROLES_IN_SAMPLE + 3,
      ROLES_IN_SAMPLE + 3,
    ]);
    expect(point?.roles_left_out).toEqual([3, 71]);
  });

  test('is none where other roles’ sessions are hidden: what is left is no count', () => {
    expect(pointOf([group('app', 'active', 3)], [ACTIVITY_HIDDEN])).toBeNull();
    expect(pointOf([])).toBeNull();
  });
});
