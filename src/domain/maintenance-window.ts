/** When changes may be made: days and times of day in a time zone. */
import { z } from 'zod';

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as 22:30');

/** IANA names only: an offset would be wrong for half of the year. */
export const timeZoneSchema = z.string().refine(
  (name) => {
    if (/^[+-]/.test(name)) return false;
    try {
      new Intl.DateTimeFormat('en', { timeZone: name });
      return true;
    } catch {
      return false;
    }
  },
  { message: 'must be an IANA time zone such as Europe/Berlin' },
);

export const maintenanceWindowSchema = z
  .object({
    /** Days on which it begins. */
    days: z.array(z.enum(weekdays)).min(1),
    /** Local time of day; `to` earlier than `from`, or the same, is on the next day. */
    from: timeOfDay,
    to: timeOfDay,
    time_zone: timeZoneSchema,
  })
  .strict();
export type MaintenanceWindow = z.infer<typeof maintenanceWindowSchema>;

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
/** Every window begins within a week of any moment. */
const WEEK_MINUTES = 7 * DAY_MINUTES;
/** A spring night may skip a window: a day more than a week is looked at. */
const LONGEST_MS = (WEEK_MINUTES + DAY_MINUTES) * MINUTE_MS;

const minutesOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

/** Minutes that it lasts by the wall clock. */
function lengthOf({ from, to }: MaintenanceWindow): number {
  const length = minutesOf(to) - minutesOf(from);
  return length > 0 ? length : length + DAY_MINUTES;
}

/** Making one costs a hundred times as much as using it. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    formats.set(timeZone, format);
  }
  return format;
}

/** Weekday and minute of the day in a time zone: what a clock on the wall there shows. */
function wallClock(at: Date, timeZone: string): { day: number; minute: number } {
  const parts = formatOf(timeZone).formatToParts(at);
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? '';
  const day = weekdays.indexOf(part('weekday').toLowerCase() as (typeof weekdays)[number]);
  return { day, minute: Number(part('hour')) * 60 + Number(part('minute')) };
}

/**
 * Minutes until the window closes by its wall clock, 0 where it is closed. Over a change of summer time that is more or
 * less than what will pass: `openMinutes` tells that.
 */
export function minutesLeft(window: MaintenanceWindow, at: Date): number {
  const { day, minute } = wallClock(at, window.time_zone);
  const length = lengthOf(window);
  for (const weekday of window.days) {
    const begun = weekdays.indexOf(weekday) * DAY_MINUTES + minutesOf(window.from);
    const since = (day * DAY_MINUTES + minute - begun + WEEK_MINUTES) % WEEK_MINUTES;
    if (since < length) return length - since;
  }
  return 0;
}

/**
 * Minutes that will pass until none of these is open any more, 0: all are closed. Windows that meet or overlap are one,
 * over midnight, week ends and changes of summer time, also in different zones. Infinity: there are no windows, or they
 * leave no gap.
 */
export function openMinutes(windows: readonly MaintenanceWindow[], at: Date): number {
  if (windows.length === 0) return Number.POSITIVE_INFINITY;
  let until = at;
  for (;;) {
    const closings = windows.flatMap((window) => closing(window, until) ?? []);
    if (closings.length === 0) return (until.getTime() - at.getTime()) / MINUTE_MS;
    until = new Date(Math.max(...closings));
    // Every window comes again within a week, so that a gap would have been met by then.
    if (until.getTime() - at.getTime() > LONGEST_MS) return Number.POSITIVE_INFINITY;
  }
}

/** When this window closes, ms since the epoch; null: it is closed. */
function closing(window: MaintenanceWindow, at: Date): number | null {
  const left = minutesLeft(window, at);
  if (left === 0) return null;
  const minute = Math.floor(at.getTime() / MINUTE_MS) * MINUTE_MS;
  let end = minute + left * MINUTE_MS;
  // Where the clock was put forward meanwhile it has closed before. Put back, it is open still: the next look tells.
  while (end - MINUTE_MS > minute && minutesLeft(window, new Date(end - MINUTE_MS)) === 0) end -= MINUTE_MS;
  return end;
}

/** When one of them opens next, to the minute; `at` itself where one is open, null where there is none. */
export function nextOpening(windows: readonly MaintenanceWindow[], at: Date): Date | null {
  if (windows.length === 0) return null;
  const minute = Math.floor(at.getTime() / MINUTE_MS) * MINUTE_MS;
  for (let ahead = 0; ahead <= LONGEST_MS / MINUTE_MS; ahead += 1) {
    const moment = ahead === 0 ? at : new Date(minute + ahead * MINUTE_MS);
    if (windows.some((window) => minutesLeft(window, moment) > 0)) return moment;
  }
  return null;
}

/** Minutes of the longest time that they are open within a week from now, 0: there are none. Infinity: they leave no gap. */
export function longestOpening(windows: readonly MaintenanceWindow[], now: Date): number {
  let longest = 0;
  let at = nextOpening(windows, now);
  while (at !== null && at.getTime() - now.getTime() <= LONGEST_MS) {
    const minutes = openMinutes(windows, at);
    longest = Math.max(longest, minutes);
    if (minutes === Number.POSITIVE_INFINITY) break;
    at = nextOpening(windows, new Date(at.getTime() + minutes * MINUTE_MS));
  }
  return longest;
}

/**
 * Whether these windows are open at any moment at which those are not; no windows are always open. Told by the wall
 * clock of each time zone: a window in another zone counts as more, whatever it is called there, for the clocks of two
 * zones need not go on together.
 */
export function opensMore(
  after: readonly MaintenanceWindow[],
  before: readonly MaintenanceWindow[],
): boolean {
  if (before.length === 0) return false;
  if (after.length === 0) return true;
  const open = weeksOf(before);
  return [...weeksOf(after)].some(([zone, minutes]) => {
    const allowed = open.get(zone);
    return [...minutes].some((minute) => !allowed?.has(minute));
  });
}

/** The minutes of the week, by the wall clock of each time zone, at which a window of it is open. */
function weeksOf(windows: readonly MaintenanceWindow[]): Map<string, Set<number>> {
  const weeks = new Map<string, Set<number>>();
  for (const window of windows) {
    const minutes = weeks.get(window.time_zone) ?? new Set();
    for (const day of window.days) {
      const begins = weekdays.indexOf(day) * DAY_MINUTES + minutesOf(window.from);
      for (let at = 0; at < lengthOf(window); at += 1) minutes.add((begins + at) % WEEK_MINUTES);
    }
    weeks.set(window.time_zone, minutes);
  }
  return weeks;
}
