/** Whether an index that exists does already what a candidate would. */
import type { IndexDefinition, IndexRow } from '../../domain/index.ts';
import { columnsRead } from '../../workload/index.ts';

/** pg_index.indoption: bit 0 descending, bit 1 nulls first. */
function optionOf(key: IndexDefinition['keys'][number]): number {
  const descending = key.direction === 'desc';
  const nullsFirst = key.nulls === null ? descending : key.nulls === 'first';
  return (descending ? 1 : 0) | (nullsFirst ? 2 : 0);
}

/** Two texts of one expression are the same by this, whoever put parentheses, quotes and casts to text around it. */
export const plain = (text: string) => text.replace(/[\s()"]/g, '').replace(/::text\b/g, '');

/**
 * The existing valid index that starts with the candidate's keys, in this order or wholly reversed, over the same rows
 * and holds the included columns too. One over all rows does the work of a partial one where it has what the condition
 * is about among its keys; else it reads all rows in order to find those (`(id) WHERE published_at IS NULL` beside the
 * primary key).
 */
export function coveringIndex(candidate: IndexDefinition, existing: readonly IndexRow[]): IndexRow | null {
  return existing.find((index) => isCovered(candidate, index)) ?? null;
}

/** Operator classes that are nobody's default: they serve other operators than the type's own class. */
const SPECIAL_CLASSES = ['pattern_ops', 'path_ops', 'trgm_ops', 'bloom_ops'];

/** pg_get_indexdef() writes a collation only where it is not the column's own; keys are given without. */
function hasCollationOf(index: IndexRow, candidate: IndexDefinition): boolean {
  const wanted = candidate.keys.flatMap((key) => key.collation ?? []);
  if (wanted.length === 0) {
    return !index.definition.includes(' COLLATE ') || index.keys.some((key) => key.includes('COLLATE'));
  }
  return wanted.every((collation) => index.definition.includes(` COLLATE ${collation}`));
}

function holdsSameRows(index: IndexRow, { where }: IndexDefinition): boolean {
  if (index.predicate !== null) return plain(index.predicate) === plain(where ?? '');
  const keys = new Set(index.keys.map(plain));
  return [...columnsRead(where)].every((column) => keys.has(plain(column)));
}

function isCovered(candidate: IndexDefinition, index: IndexRow): boolean {
  // What a hash index looks up, a B-tree that leads with it does next to as fast.
  const serves =
    index.method === candidate.method || (candidate.method === 'hash' && index.method === 'btree');
  if (!index.is_valid || !serves || !hasCollationOf(index, candidate)) return false;
  if (!holdsSameRows(index, candidate)) return false;
  if (candidate.keys.length > index.keys.length) return false;
  const sameKeys = candidate.keys.every((key, position) => {
    const own = index.keys[position] ?? '';
    const class_ = index.opclasses[position]?.split('.').at(-1) ?? '';
    const classFits =
      key.opclass === null
        ? !SPECIAL_CLASSES.some((special) => class_.endsWith(special))
        : class_ === key.opclass.split('.').at(-1);
    return plain(own) === plain(key.column ?? key.expression ?? '') && classFits;
  });
  if (!sameKeys) return false;
  if (candidate.method === 'btree') {
    const differences = candidate.keys.map((key, position) => optionOf(key) ^ (index.options[position] ?? 0));
    // All alike, or every direction and every place of nulls the other way round: the index is read backwards.
    if (
      !differences.every((difference) => difference === 0) &&
      !differences.every((difference) => difference === 3)
    ) {
      return false;
    }
  }
  const held = new Set([...index.keys.map(plain), ...index.include.map(plain)]);
  return candidate.include.every((name) => held.has(plain(name)));
}

/**
 * Whether an index like this would do all that the existing one of its table does: the same keys lead it in the same
 * order, wholly reversed or not, over the same rows, and it holds the included columns. A unique index does more than be
 * read.
 */
export function supersedes(definition: IndexDefinition, index: IndexRow): boolean {
  if (definition.table !== index.table || definition.schema !== index.schema) return false;
  if (definition.method !== 'btree' || index.method !== 'btree' || index.is_unique) return false;
  if (index.definition.includes(' COLLATE ') || index.key_attnums.includes(0)) return false;
  if (plain(index.predicate ?? '') !== plain(definition.where ?? '')) return false;
  if (index.keys.length > definition.keys.length) return false;
  const differences = index.keys.map((own, position) => {
    const key = definition.keys[position];
    const class_ = index.opclasses[position]?.split('.').at(-1) ?? '';
    const isClass =
      key?.opclass == null
        ? !SPECIAL_CLASSES.some((special) => class_.endsWith(special))
        : class_ === key.opclass.split('.').at(-1);
    if (
      !key ||
      key.column === null ||
      key.collation !== null ||
      plain(own) !== plain(key.column) ||
      !isClass
    ) {
      return null;
    }
    return optionOf(key) ^ (index.options[position] ?? 0);
  });
  if (!differences.every((difference) => difference === 0) && !differences.every((each) => each === 3)) {
    return false;
  }
  const held = new Set([
    ...definition.keys.map(({ column }) => plain(column ?? '')),
    ...definition.include.map(plain),
  ]);
  return index.include.every((name) => held.has(plain(name)));
}
