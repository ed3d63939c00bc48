/**
 * pgvector: `ORDER BY embedding <-> $1 LIMIT n` by an approximate index. Which methods and operator classes there are
 * depends on the extension's version (its CHANGELOG): HNSW since 0.5.0; halfvec, sparsevec and L1 distance since 0.7.0.
 */
import type { UsagePredicate } from '../../../domain/index.ts';
import type { AdvisorCatalog } from '../catalog.ts';
import { type Candidate, makeCandidate, unorderedKey, vectorTypeOf } from './candidate.ts';
import type { Wish } from './wish.ts';

/** Operator to the last part of its class's name: `vector_l2_ops`. */
const DISTANCES: ReadonlyMap<string, string> = new Map([
  ['<->', 'l2'],
  ['<#>', 'ip'],
  ['<=>', 'cosine'],
  ['<+>', 'l1'],
]);
/** HNSW_MAX_DIM, IVFFLAT_MAX_DIM: a vector must fit into a page; half as long elements, twice as many of them. */
const MAX_DIMENSIONS: Readonly<Record<string, number>> = { vector: 2000, halfvec: 4000, sparsevec: 1e9 };
const HNSW_SINCE = [0, 5];
const HALVES_SINCE = [0, 7];

function isAtLeast(version: string, wanted: readonly number[]): boolean {
  const parts = version.split('.').map(Number);
  for (const [position, number] of wanted.entries()) {
    const own = parts[position] ?? 0;
    if (own !== number) return own > number;
  }
  return true;
}

export function vectorCandidates(
  { distances, table, has_limit }: Wish,
  catalog: AdvisorCatalog,
): Candidate[] {
  const version = catalog.extensions.get('vector');
  // Without LIMIT all rows are wanted, and an approximate index does not give them all.
  if (version === undefined || !has_limit) return [];
  return distances.flatMap((predicate) => ofDistance(predicate, version) ?? []);

  function ofDistance(predicate: UsagePredicate, installed: string): Candidate | null {
    const column = predicate.column === null ? undefined : table.columns.get(predicate.column);
    const type = column === undefined ? null : vectorTypeOf(column.type);
    const distance = DISTANCES.get(predicate.operator);
    // Vectors of no declared length cannot be indexed.
    if (type === null || distance === undefined || type.dimensions === null) return null;
    if (type.dimensions > (MAX_DIMENSIONS[type.name] ?? 0)) return null;
    const isNew = isAtLeast(installed, HALVES_SINCE);
    if ((type.name !== 'vector' || distance === 'l1') && !isNew) return null;
    const key = unorderedKey(predicate, `${type.name}_${distance}_ops`);
    if (isAtLeast(installed, HNSW_SINCE)) return makeCandidate(table, [key], { method: 'hnsw' });
    // The documentation's start: rows / 1000 up to a million rows, the root of the rows above.
    const rows = Math.max(1, table.row.reltuples);
    const lists = Math.max(10, Math.round(rows <= 1e6 ? rows / 1000 : Math.sqrt(rows)));
    return makeCandidate(table, [key], { method: 'ivfflat', options: { lists: String(lists) } });
  }
}
