/**
 * Rejections to be read: a hundred candidates that were left out for the same few reasons are a few lines. One shape for
 * the text, the JSON and the API.
 */
import { z } from 'zod';
import { type Rejection, rejectionSchema } from './recommendation.ts';
import { rejectionCauses, rejectionWords } from './rejection-words.ts';

/** Of each table of a group so many are shown, those that came nearest. */
const NEAREST = 3;

/** What was left out for one reason, on one table; where a recommended index does the same work, in its place. */
export const rejectedOfTableSchema = z.object({
  /** As SQL names it; null: it is about no table. */
  table: z.string().nullable(),
  /** The recommended index in whose place they would come; null: none. */
  instead_of: z.string().nullable(),
  count: z.number(),
  /** Those that came nearest to being recommended, the nearest first; where nothing was weighed, the first ones. */
  nearest: z.array(rejectionSchema),
});

/** What was left out for one reason. */
export const rejectionGroupSchema = z.object({
  /** Area of the rules: index, statistics, settings, autovacuum, health. */
  area: z.string(),
  /** As each of the rejections has it. */
  code: z.string(),
  /**
   * obstacle: it would help, or may, and something stands in its way. outweighed: it was weighed and found wanting.
   * unknown: too little was seen. not_needed: all is well as it is.
   */
  cause: z.enum(rejectionCauses),
  /** The reason in words. */
  title: z.string(),
  count: z.number(),
  /** Those with what came nearest first. */
  tables: z.array(rejectedOfTableSchema),
});
export type RejectionGroup = z.infer<typeof rejectionGroupSchema>;

/** Areas in the order of the registry; what is of no known area comes last. */
const AREAS = ['index', 'statistics', 'settings', 'autovacuum', 'health'];

const areaOf = ({ rule }: Rejection) => rule.split('/')[0] ?? rule;
const shortBy = ({ nearness }: Rejection) => nearness?.short_by ?? Number.POSITIVE_INFINITY;

function inOrder(list: readonly string[], one: string): number {
  const place = list.indexOf(one);
  return place === -1 ? list.length : place;
}

/** Ascending; both infinite is a tie. */
const ascending = (a: number, b: number) => (a === b ? 0 : a - b);

function byKey(items: readonly Rejection[], key: (item: Rejection) => string): Rejection[][] {
  const groups = new Map<string, Rejection[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return [...groups.values()];
}

/**
 * Groups them by area and reason, and within by table; first what stands in the way of something, then what came nearest
 * to being recommended, what is not known, and what is well as it is.
 * @returns `rejections`: all of them in the order of the groups.
 */
export function groupRejections(given: readonly Rejection[]): {
  rejections: Rejection[];
  rejection_groups: RejectionGroup[];
} {
  const groups = byKey(given, (one) => JSON.stringify([areaOf(one), one.code])).map((items) => {
    const tables = byKey(items, ({ table, nearness }) =>
      JSON.stringify([table ?? null, nearness?.instead_of ?? null]),
    )
      .map((of) => of.toSorted((a, b) => ascending(shortBy(a), shortBy(b))))
      .sort(([a], [b]) => (a && b ? ascending(shortBy(a), shortBy(b)) : 0));
    const [first] = items as [Rejection, ...Rejection[]];
    const nearest = Math.min(...items.map(shortBy));
    return { area: areaOf(first), code: first.code, ...rejectionWords(first.code), nearest, tables, items };
  });
  groups.sort(
    (a, b) =>
      inOrder(AREAS, a.area) - inOrder(AREAS, b.area) ||
      inOrder(rejectionCauses, a.cause) - inOrder(rejectionCauses, b.cause) ||
      ascending(a.nearest, b.nearest) ||
      b.items.length - a.items.length,
  );
  return {
    rejections: groups.flatMap(({ tables }) => tables.flat()),
    rejection_groups: groups.map(({ area, code, cause, title, tables, items }) => ({
      area,
      code,
      cause,
      title,
      count: items.length,
      tables: tables.map((of) => ({
        table: of[0]?.table ?? null,
        instead_of: of[0]?.nearness?.instead_of ?? null,
        count: of.length,
        nearest: of.slice(0, NEAREST),
      })),
    })),
  };
}
