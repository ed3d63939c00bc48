/** GIN for what is inside of values: lexemes, members, elements, trigrams. */
import type { UsagePredicate } from '../../../domain/index.ts';
import type { AdvisorCatalog } from '../catalog.ts';
import { type Candidate, makeCandidate, unorderedKey } from './candidate.ts';
import type { Wish } from './wish.ts';

/** Operators of jsonb_path_ops. */
const PATH_OPERATORS: ReadonlySet<string> = new Set(['@>', '@?', '@@']);

export function invertedCandidates({ special, table }: Wish, catalog: AdvisorCatalog): Candidate[] {
  const gin = (predicate: UsagePredicate, opclass: string | null = null) =>
    makeCandidate(table, [unorderedKey(predicate, opclass)], { method: 'gin' });
  return special.flatMap((predicate) => {
    switch (predicate.kind) {
      case 'full_text':
        return [gin(predicate)];
      case 'like_infix':
        return catalog.extensions.has('pg_trgm') ? [gin(predicate, 'gin_trgm_ops')] : [];
      case 'contains': {
        const type = predicate.column === null ? null : (table.columns.get(predicate.column)?.type ?? null);
        if (type === 'jsonb' || (type === null && !(predicate.expression ?? '').includes('range('))) {
          const paths = PATH_OPERATORS.has(predicate.operator);
          return [...(paths ? [gin(predicate, 'jsonb_path_ops')] : []), gin(predicate)];
        }
        return type?.endsWith('[]') || type?.split('.').at(-1) === 'hstore' ? [gin(predicate)] : [];
      }
      default:
        return [];
    }
  });
}
