import { describe, expect, it } from 'vitest';
import {
  type MaintenanceWindow,
  maintenanceWindowSchema,
  minutesLeft,
  nextOpening,
  openMinutes,
  weekdays,
} from '../../src/domain/index.ts';

const window = (over: Partial<MaintenanceWindow> = {}): MaintenanceWindow => ({
  days: ['sat'],
  from: '22:00',
  to: '04:00',
  time_zone: 'Europe/Berlin',
  ...over,
});

describe('a maintenance window', () => {
  it.each([
    ['before it opens, in winter time', '2026-11-28T20:59:00Z', 0],
    ['as it opens', '2026-11-28T21:00:00Z', 360],
    ['after midnight, on a day that is not its own', '2026-11-29T02:59:00Z', 1],
    ['as it closes', '2026-11-29T03:00:00Z', 0],
    ['an hour earlier by UTC in summer time', '2026-07-04T20:00:00Z', 360],
    ['on another night', '2026-11-27T23:00:00Z', 0],
  ])('%s', (_, at, minutes) => {
    expect(minutesLeft(window(), new Date(at))).toBe(minutes);
  });

  it('goes over the end of the week', () => {
    const sunday = window({ days: ['sun'], from: '23:00', to: '01:00', time_zone: 'UTC' });
    expect(minutesLeft(sunday, new Date('2026-11-30T00:30:00Z'))).toBe(30);
  });

  it('lasts a day where it ends when it begins', () => {
    const all = window({ days: ['mon'], from: '00:00', to: '00:00', time_zone: 'UTC' });
    expect(minutesLeft(all, new Date('2026-11-30T23:59:00Z'))).toBe(1);
    expect(minutesLeft(all, new Date('2026-12-01T00:00:00Z'))).toBe(0);
  });

  it('refuses offsets, unknown zones, and times that are none', () => {
    for (const wrong of [
      { time_zone: '+02:00' },
      { time_zone: 'Europe/Nowhere' },
      { from: '24:00' },
      { days: [] },
    ]) {
      expect(maintenanceWindowSchema.safeParse({ ...window(), ...wrong }).success).toBe(false);
    }
  });

  it('is open when nextOpening says so, and at no minute before, for many windows and moments', () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    const clock = () => `${String(random(24)).padStart(2, '0')}:${String(random(60)).padStart(2, '0')}`;
    const zones = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kolkata', 'Pacific/Apia'];
    for (let round = 0; round < 12; round += 1) {
      const one = window({
        days: [weekdays[random(7)] ?? 'mon'],
        from: clock(),
        to: clock(),
        time_zone: zones[round % zones.length] ?? 'UTC',
      });
      // Near the changes of summer time as well.
      const at = new Date(Date.UTC(2026, random(12), 1 + random(28), random(24), random(60)));
      const opening = nextOpening([one], at);
      if (opening === null) throw new Error('a weekly window opens within a week');
      expect(openMinutes([one], opening)).toBeGreaterThan(0);
      for (const minutes of [1, 7, 60]) {
        const before = new Date(opening.getTime() - minutes * 60_000);
        if (before > at) expect(openMinutes([one], before)).toBe(0);
      }
    }
  });

  it('leaves everything open where there is none', () => {
    expect(openMinutes([], new Date())).toBe(Number.POSITIVE_INFINITY);
    expect(nextOpening([], new Date())).toBeNull();
  });
});
