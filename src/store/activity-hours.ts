/** Samples of sessions of an hour as distributions: their percentiles stay what they were, which went with which does not. */
import type { ActivityPoint, RoleSessions } from '../domain/index.ts';

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
  values: Record<Figure, Distribution>;
  /** The greatest of the hour; null: none seen. */
  oldest_xmin_age: number | null;
  /** By role; absent: no sample of the hour counted roles, as those of before did not. */
  roles?: RolesHour;
}

interface RolesHour {
  /** Samples that counted roles. */
  samples: number;
  /** Of the samples that met a role at work. */
  values: [role: string, at_work: Distribution, connected: Distribution][];
  left_out?: ActivityPoint['roles_left_out'];
}

/** Values, ascending, with how many samples had them. */
type Distribution = [value: number, samples: number][];

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
      ...rolesHour(points),
    };
  });
}

function rolesHour(points: readonly ActivityPoint[]): Pick<ActivityHour, 'roles'> {
  const counted = points.flatMap(({ roles }) => (roles ? [roles] : []));
  if (counted.length === 0) return {};
  const rows = new Map<string, RoleSessions[]>();
  for (const row of counted.flat()) rows.set(row[0], [...(rows.get(row[0]) ?? []), row]);
  const rest = points.flatMap(({ roles_left_out }) => (roles_left_out ? [roles_left_out] : []));
  return {
    roles: {
      samples: counted.length,
      values: [...rows].map(([role, seen]) => [
        role,
        distribution(seen.map((row) => row[1])),
        distribution(seen.map((row) => row[2])),
      ]),
      ...(rest.length > 0
        ? { left_out: [Math.max(...rest.map((row) => row[0])), Math.max(...rest.map((row) => row[1]))] }
        : {}),
    },
  };
}

function distribution(values: readonly number[]): Distribution {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a - b);
}

/**
 * Samples with the same distributions: each figure by itself in ascending order, so that a sample is none that was
 * taken. They say so (`rolled_up`).
 */
export function samplesOfHour({
  hour,
  samples,
  values,
  oldest_xmin_age,
  roles,
}: ActivityHour): ActivityPoint[] {
  const ascending = Object.fromEntries(figures.map((figure) => [figure, spread(values[figure])])) as Record<
    Figure,
    number[]
  >;
  const byRole = roles ? rolesOfSamples(roles, samples) : [];
  return Array.from({ length: samples }, (_, index) => ({
    taken_at: hour,
    ...(Object.fromEntries(figures.map((figure) => [figure, ascending[figure][index] ?? 0])) as Record<
      Figure,
      number
    >),
    oldest_xmin_age: index === samples - 1 ? oldest_xmin_age : null,
    ...byRole[index],
    rolled_up: true,
  }));
}

const spread = (values: Distribution): number[] =>
  values.flatMap(([value, count]) => Array.from({ length: count }, () => value));

/** The last of the hour's samples are those that counted roles, and the last of these met each of them. */
function rolesOfSamples(
  { samples: counted, values, left_out: rest }: RolesHour,
  samples: number,
): (Pick<ActivityPoint, 'roles' | 'roles_left_out'> | undefined)[] {
  const found: RoleSessions[][] = Array.from({ length: counted }, () => []);
  for (const [role, atWork, connected] of values) {
    const [work, all] = [spread(atWork), spread(connected)];
    work.forEach((value, index) => {
      found[counted - work.length + index]?.push([role, value, all[index] ?? value]);
    });
  }
  return Array.from({ length: samples }, (_, index) => {
    const roles = found[index - (samples - counted)];
    if (!roles) return undefined;
    return { roles, ...(rest && index === samples - 1 ? { roles_left_out: rest } : {}) };
  });
}

/** The hour has something of from..to. */
export function overlaps({ hour }: ActivityHour, from: Date, to: Date): boolean {
  const begin = Date.parse(hour);
  return begin <= to.getTime() && begin + HOUR_MS > from.getTime();
}
