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

  describe('with others', () => {
    const utc = (days: MaintenanceWindow['days'], from: string, to: string) =>
      window({ days, from, to, time_zone: 'UTC' });
    it.each<[string, MaintenanceWindow[], string, number]>([
      [
        'meets at midnight',
        [utc(['sat'], '22:00', '00:00'), utc(['sun'], '00:00', '04:00')],
        '2026-11-28T22:30:00Z',
        330,
      ],
      [
        'meets at the end of the week',
        [utc(['sun'], '22:00', '00:00'), utc(['mon'], '00:00', '04:00')],
        '2026-11-29T23:00:00Z',
        300,
      ],
      [
        'overlaps',
        [utc(['sat'], '22:00', '01:00'), utc(['sat', 'sun'], '23:30', '02:30')],
        '2026-11-28T22:00:00Z',
        270,
      ],
      [
        'lies within',
        [utc(['sat'], '22:00', '04:00'), utc(['sat'], '23:00', '23:30')],
        '2026-11-28T23:00:00Z',
        300,
      ],
      [
        'leaves a minute between',
        [utc(['sat'], '22:00', '23:59'), utc(['sun'], '00:00', '04:00')],
        '2026-11-28T22:00:00Z',
        119,
      ],
      [
        'meets in another zone',
        [window({ to: '23:00' }), utc(['sat'], '22:00', '23:00')],
        '2026-11-28T21:00:00Z',
        120,
      ],
      [
        'meets each day, of all the week',
        [utc([...weekdays], '00:00', '12:00'), utc([...weekdays], '12:00', '00:00')],
        '2026-11-28T21:00:00Z',
        Number.POSITIVE_INFINITY,
      ],
      // The last Sunday of March: 02:00 is 03:00.
      [
        'over a night that is short',
        [window({ to: '00:00' }), window({ days: ['sun'], from: '00:00' })],
        '2026-03-28T21:00:00Z',
        300,
      ],
      ['up to an hour that is left out', [window({ to: '02:30' })], '2026-03-28T21:00:00Z', 240],
      // The last Sunday of October: 02:00 comes twice.
      [
        'over a night that is long',
        [window({ to: '00:00' }), window({ days: ['sun'], from: '00:00' })],
        '2026-10-24T20:00:00Z',
        420,
      ],
    ])('%s', (_, windows, at, minutes) => {
      expect(openMinutes(windows, new Date(at))).toBe(minutes);
      expect(openMinutes(windows.toReversed(), new Date(at))).toBe(minutes);
    });
  });

  it('is open for as many minutes as openMinutes says, and closed then', () => {
    const zones = ['Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe'];
    const changes = ['2026-03-08', '2026-03-29', '2026-04-05', '2026-10-04', '2026-10-25', '2026-11-01'];
    for (const [number, day] of changes.entries()) {
      const zone = zones[number % zones.length] ?? 'UTC';
      const windows = [
        window({ days: [...weekdays], from: '21:00', to: '00:00', time_zone: zone }),
        window({ days: [...weekdays], from: '00:00', to: `0${(number % 4) + 1}:30`, time_zone: zone }),
      ];
      const from = Date.parse(`${day}T00:00:00Z`) - 43_200_000;
      for (let minute = 0; minute < 1440; minute += 97) {
        const at = from + minute * 60_000;
        const open = openMinutes(windows, new Date(at));
        const isOpen = (moment: number) => windows.some((one) => minutesLeft(one, new Date(moment)) > 0);
        expect(isOpen(at + open * 60_000)).toBe(false);
        for (let passed = 0; passed < open; passed += 1) expect(isOpen(at + passed * 60_000)).toBe(true);
      }
    }
  });

  it('leaves everything open where there is none', () => {
    expect(openMinutes([], new Date())).toBe(Number.POSITIVE_INFINITY);
    expect(nextOpening([], new Date())).toBeNull();
  });
});
