/** B-tree keys: which columns in which order. */
import type { Operand } from '../../../domain/index.ts';
import { type AdvisorCatalog, distinctCount, rowCount } from '../catalog.ts';
import { isOrdered, type KeyPart, withPatternClass } from './candidate.ts';
import type { Wish } from './wish.ts';

/** Longest key; beyond it the gain of a further column is next to nothing. */
const MAX_KEYS = 4;
/** Columns that INCLUDE may add, and their bytes together. */
const MAX_INCLUDED = 8;
const MAX_INCLUDED_BYTES = 96;

/** Key orders worth a question: equalities by how much they narrow, then one range or the order. */
export function keySequences(wish: Wish, catalog: AdvisorCatalog): KeyPart[][] {
  const { table, groups } = wish;
  const rows = rowCount(table);
  const narrowing = (operand: Operand) =>
    operand.column === null ? rows : (distinctCount(table.columns.get(operand.column), rows) ?? 1);
  const indexable = (operand: Operand) => isOrdered(operand, table);
  const equalities: KeyPart[] = wish.equalities
    .filter((predicate) => predicate.kind !== 'is_null' && indexable(predicate))
    .sort((a, b) => narrowing(b) - narrowing(a));
  const ranges: KeyPart[] = wish.ranges
    .filter((predicate) => predicate.kind !== 'is_not_null' && indexable(predicate))
    .map((predicate) => withPatternClass(predicate, table, catalog));
  const joins: KeyPart[] = wish.joins.filter(indexable);
  const orders: KeyPart[][] = wish.orders.filter((order) => order.every(indexable));
  const either: KeyPart[] = wish.special
    .filter(
      (predicate) =>
        ['equality', 'in', 'range', 'like_prefix'].includes(predicate.kind) && indexable(predicate),
    )
    .map((predicate) => withPatternClass(predicate, table, catalog));

  const sequences: KeyPart[][] = [];
  const add = (keys: KeyPart[]) => {
    const distinct = dedupe(keys).slice(0, MAX_KEYS);
    if (distinct.length > 0) sequences.push(distinct);
  };
  for (const one of [...equalities, ...ranges, ...joins, ...either]) add([one]);
  add(equalities);
  // The other way round it serves this statement as well, and those that have but the last of the columns.
  add(equalities.toReversed());
  for (const range of ranges) add([...equalities, range]);
  // Two ranges: the second filters within the index.
  if (ranges.length > 1) add([...equalities, ...ranges]);
  for (const order of orders) {
    add([...equalities, ...order]);
    add(order);
    for (const range of ranges) add([...equalities, ...order, range]);
  }
  for (const join of joins) {
    add([join, ...equalities]);
    add([...equalities, join]);
    for (const range of ranges) add([join, ...equalities, range]);
    for (const order of orders) add([join, ...equalities, ...order]);
  }
  if (joins.length > 1) add([...joins, ...equalities]);
  for (const group of groups) {
    const parts: KeyPart[] = group.filter(indexable);
    if (parts.length === group.length) {
      add(parts);
      add([...equalities, ...parts]);
    }
  }
  return sequences;
}

function dedupe(keys: KeyPart[]): KeyPart[] {
  const seen = new Set<string>();
  return keys.filter((key) => {
    const text = key.column ?? `(${key.expression})`;
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}

/** Columns that would make the index answer alone, where they are few and narrow. */
export function coveringColumns(wish: Wish, keys: KeyPart[]): string[] {
  const read = wish.relation.columns_read;
  if (read === null || wish.relation.is_written || keys.some((key) => key.column === null)) return [];
  const inKey = new Set(keys.map((key) => key.column));
  const rest = read.filter((name) => !inKey.has(name));
  if (rest.length === 0 || rest.length > MAX_INCLUDED) return [];
  const bytes = rest.reduce((sum, name) => {
    const column = wish.table.columns.get(name);
    return sum + (column && column.typlen > 0 ? column.typlen : (column?.stats?.avg_width ?? 32));
  }, 0);
  return bytes <= MAX_INCLUDED_BYTES ? rest.toSorted() : [];
}
