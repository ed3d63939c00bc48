/** BRIN where values follow the table's order: a range of pages then holds a range of values. */
import { type Candidate, makeCandidate, unorderedKey } from './candidate.ts';
import type { Wish } from './wish.ts';

/** From this correlation and size on, a range of pages holds a range of values. */
const BRIN_CORRELATION = 0.9;
const BRIN_PAGES = 1024;

export function blockRangeCandidates({ ranges, table }: Wish): Candidate[] {
  const pages = table.row.main_pages;
  if (pages < BRIN_PAGES) return [];
  return ranges.flatMap((predicate) => {
    const column = predicate.column === null ? undefined : table.columns.get(predicate.column);
    const correlation = column?.stats?.correlation ?? null;
    if (predicate.kind !== 'range' || correlation === null || Math.abs(correlation) < BRIN_CORRELATION)
      return [];
    const options = { pages_per_range: String(pages < 65_536 ? 32 : 128) };
    return [makeCandidate(table, [unorderedKey(predicate)], { method: 'brin', options })];
  });
}
