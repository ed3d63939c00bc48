/** Whether an index that exists does already what a candidate would. */
import type { IndexDefinition, IndexRow } from '../../domain/index.ts';

/** pg_index.indoption: bit 0 descending, bit 1 nulls first. */
function optionOf(key: IndexDefinition['keys'][number]): number {
  const descending = key.direction === 'desc';
  const nullsFirst = key.nulls === null ? descending : key.nulls === 'first';
  return (descending ? 1 : 0) | (nullsFirst ? 2 : 0);
}

const plain = (text: string) => text.replace(/[\s()"]/g, '').replace(/::text\b/g, '');

/**
 * The existing valid index that starts with the candidate's keys, in this order or wholly reversed, over the same rows
 * or all of them, and holds the included columns too.
 */
export function coveringIndex(candidate: IndexDefinition, existing: readonly IndexRow[]): IndexRow | null {
  return existing.find((index) => isCovered(candidate, index)) ?? null;
}

function isCovered(candidate: IndexDefinition, index: IndexRow): boolean {
  if (!index.is_valid || index.method !== candidate.method) return false;
  if (index.predicate !== null && plain(index.predicate) !== plain(candidate.where ?? '')) return false;
  if (candidate.keys.length > index.keys.length) return false;
  const sameKeys = candidate.keys.every((key, position) => {
    const own = index.keys[position] ?? '';
    const class_ = index.opclasses[position]?.split('.').at(-1) ?? '';
    const classFits = key.opclass === null ? !class_.includes('pattern_ops') : class_ === key.opclass;
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
