/** Bytes of an index tuple (indextuple.c): header, values with their alignment, and a bitmap where one is null. */
import type { KeyFacts } from './key-facts.ts';

export const TUPLE_HEADER = 8;
/** Header and null bitmap (for up to 32 columns), aligned. */
export const TUPLE_HEADER_WITH_NULLS = 16;

export function alignTo(bytes: number, alignment: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** Draws of widths that a tuple's average size is taken over. */
const DRAWS = 64;

/** Average bytes of an index tuple with these values (none null), MAXALIGN'ed. */
export function tupleBytes(values: readonly KeyFacts[], header = TUPLE_HEADER): number {
  const draws = values.some((value) => value.widths.length > 1) ? DRAWS : 1;
  let total = 0;
  for (let draw = 0; draw < draws; draw += 1) {
    let offset = header;
    values.forEach((value, position) => {
      // Different strides: the columns' widths are independent of each other.
      const place = (draw * (2 * position + 1) + 7 * position) % DRAWS;
      const width = value.widths[Math.floor(((place + 0.5) / DRAWS) * value.widths.length)] ?? value.width;
      offset = alignTo(offset, value.align) + width;
    });
    total += alignTo(offset, 8);
  }
  return total / draws;
}

/** Which of the values are null, and in what share of the rows: nulls of different columns taken as independent. */
export function nullPatterns<T extends KeyFacts>(values: readonly T[]): { present: T[]; share: number }[] {
  let patterns: { present: T[]; share: number }[] = [{ present: [], share: 1 }];
  for (const value of values) {
    patterns = patterns.flatMap(({ present, share }) => [
      ...(value.null_frac < 1
        ? [{ present: [...present, value], share: share * (1 - value.null_frac) }]
        : []),
      ...(value.null_frac > 0 ? [{ present, share: share * value.null_frac }] : []),
    ]);
  }
  return patterns;
}

/** Average bytes of a tuple over all rows. */
export function averageTupleBytes(values: readonly KeyFacts[]): number {
  return nullPatterns(values).reduce((sum, { present, share }) => {
    const header = present.length < values.length ? TUPLE_HEADER_WITH_NULLS : TUPLE_HEADER;
    return sum + share * tupleBytes(present, header);
  }, 0);
}
