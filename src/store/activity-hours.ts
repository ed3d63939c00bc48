/** Samples of sessions of an hour as distributions: their percentiles stay what they were, which went with which does not. */
import type { ActivityPoint } from '../domain/index.ts';

const HOUR_MS = 3_600_000;
const figures = [
  'total',
  'active',
  'idle',
  'idle_in_transaction',
  'active_here',
  'waiting_for_lock',
] as const;
type Figure = (typeof figures)[number];

export interface ActivityHour {
  /** Its beginning, on our clock. */
  hour: string;
  samples: number;
  /** Of each figure its values, ascending, with how many samples had them. */
  values: Record<Figure, [value: number, samples: number][]>;
  /** The greatest of the hour; null: none seen. */
  oldest_xmin_age: number | null;
}

/** Beginning of the hour (UTC) of a time. */
export function hourOf(time: string): string {
  return new Date(Math.floor(Date.parse(time) / HOUR_MS) * HOUR_MS).toISOString();
}

/** @param samples with the time that each was collected, oldest first. */
export function activityHours(
  samples: readonly { collected_at: string; activity: ActivityPoint }[],
): ActivityHour[] {
  const hours = new Map<string, ActivityPoint[]>();
  for (const { collected_at, activity } of samples) {
    const hour = hourOf(collected_at);
    hours.set(hour, [...(hours.get(hour) ?? []), activity]);
  }
  return [...hours].map(([hour, points]) => {
    const ages = points.flatMap(({ oldest_xmin_age }) => (oldest_xmin_age === null ? [] : [oldest_xmin_age]));
    return {
      hour,
      samples: points.length,
      values: Object.fromEntries(
        figures.map((figure) => [figure, distribution(points.map((point) => point[figure]))]),
      ) as ActivityHour['values'],
      oldest_xmin_age: ages.length > 0 ? Math.max(...ages) : null,
    };
  });
}

function distribution(values: readonly number[]): [number, number][] {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a - b);
}

/**
 * Samples with the same distributions: each figure by itself in ascending order, so that a sample is none that was
 * taken. They say so (`rolled_up`).
 */
export function samplesOfHour({ hour, samples, values, oldest_xmin_age }: ActivityHour): ActivityPoint[] {
  const ascending = Object.fromEntries(
    figures.map((figure) => [
      figure,
      values[figure].flatMap(([value, count]) => Array.from({ length: count }, () => value)),
    ]),
  ) as Record<Figure, number[]>;
  return Array.from({ length: samples }, (_, index) => ({
    taken_at: hour,
    ...(Object.fromEntries(figures.map((figure) => [figure, ascending[figure][index] ?? 0])) as Record<
      Figure,
      number
    >),
    oldest_xmin_age: index === samples - 1 ? oldest_xmin_age : null,
    rolled_up: true,
  }));
}

/** The hour has something of from..to. */
export function overlaps({ hour }: ActivityHour, from: Date, to: Date): boolean {
  const begin = Date.parse(hour);
  return begin <= to.getTime() && begin + HOUR_MS > from.getTime();
}
