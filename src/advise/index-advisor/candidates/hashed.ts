/**
 * Hash where it wins: long values that are only ever compared for equality. A hash index keeps four bytes of each,
 * 20 bytes an entry with its line pointer at three quarters full pages (hash.h), so about 27 a row; a B-tree keeps the
 * value itself, unless equal ones are many and stored once.
 */
import type { UsagePredicate } from '../../../domain/index.ts';
import { distinctCount, rowCount } from '../catalog.ts';
import { type Candidate, isOrdered, makeCandidate, unorderedKey } from './candidate.ts';
import type { Wish } from './wish.ts';

/** From this width on (bytes) a B-tree's entry, 12 bytes more than the value at nine tenths full pages, is twice a hash's. */
const LONG = 36;
/** Share of the rows with a value of their own: below it a B-tree stores equal ones once, and hash chains overflow. */
const DISTINCT = 0.5;

export function hashCandidates(wish: Wish): Candidate[] {
  const { table } = wish;
  const rows = rowCount(table);
  const compared = [...wish.equalities, ...wish.joins].filter((predicate) => predicate.kind === 'equality');
  const ordered = new Set([...wish.ranges, ...wish.orders.flat(), ...wish.groups.flat()].map(nameOf));
  return compared.flatMap((predicate) => {
    const column = predicate.column === null ? undefined : table.columns.get(predicate.column);
    if (column?.stats == null || !isOrdered(predicate, table)) return [];
    const distinct = distinctCount(column, rows) ?? 0;
    const long = column.typlen < 0 && column.stats.avg_width >= LONG;
    if (!long || distinct < DISTINCT * rows || ordered.has(nameOf(predicate))) return [];
    return [makeCandidate(table, [unorderedKey(predicate)], { method: 'hash' })];
  });
}

const nameOf = (operand: Pick<UsagePredicate, 'column' | 'expression'>) =>
  operand.column ?? `(${operand.expression})`;
