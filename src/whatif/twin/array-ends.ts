/** Elements of an array's text: counted, picked, its ends replaced. They stay as they are written. */

/** An element in quotes: what reads back as the same text whatever is in it. */
const quoted = (value: string) => `"${value.replaceAll(/["\\]/g, '\\$&')}"`;

/** Where the elements of a one-dimensional array's text begin and end; an element in quotes may hold anything. */
function elementSpans(text: string): { start: number; end: number }[] {
  const spans: { start: number; end: number }[] = [];
  let start = 1;
  let inQuotes = false;
  for (let at = 1; at < text.length; at += 1) {
    const character = text[at];
    if (character === '\\') at += 1;
    else if (character === '"') inQuotes = !inQuotes;
    else if (!inQuotes && (character === ',' || at === text.length - 1)) {
      spans.push({ start, end: at });
      start = at + 1;
    }
  }
  return spans;
}

/**
 * A histogram with the column's ends of today. Where a B-tree leads with a column, the planner asks it for the least and
 * greatest value instead of a histogram's first and last bound (get_actual_variable_range() of selfuncs.c): rows that
 * came after the last ANALYZE are then within the range. The twin's indexes hold no rows, so its histogram says it.
 * @param bounds pg_stats.histogram_bounds.
 */
export function withEnds(bounds: string, ends: { min: string; max: string }): string {
  const spans = elementSpans(bounds);
  const [first] = spans;
  const last = spans.at(-1);
  if (!bounds.startsWith('{') || first === undefined || last === undefined || spans.length < 2) return bounds;
  return `{${quoted(ends.min)}${bounds.slice(first.end, last.start)}${quoted(ends.max)}}`;
}

/** Number of elements of a one-dimensional array's text. */
export function countElements(text: string): number {
  return text === '{}' ? 0 : elementSpans(text).length;
}

/** The elements at these places, in this order. */
export function pickElements(text: string, places: readonly number[]): string {
  const spans = elementSpans(text);
  return `{${places.flatMap((place) => (spans[place] ? [text.slice(spans[place].start, spans[place].end)] : [])).join(',')}}`;
}
