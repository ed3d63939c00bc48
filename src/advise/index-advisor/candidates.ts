/** Candidate indexes out of how statements use tables. What pays is not decided here: the planner is asked. */
import type { StatementUsage } from '../../domain/index.ts';
import { blockRangeCandidates } from './candidates/block-range.ts';
import { type Candidate, makeBtree } from './candidates/candidate.ts';
import { hashCandidates } from './candidates/hashed.ts';
import { invertedCandidates } from './candidates/inverted.ts';
import { coveringColumns, keySequences } from './candidates/key-orders.ts';
import { partialCandidates } from './candidates/partial.ts';
import { spatialCandidates } from './candidates/spatial.ts';
import { vectorCandidates } from './candidates/vector.ts';
import { type Wish, wishOf } from './candidates/wish.ts';
import type { AdvisorCatalog } from './catalog.ts';

export type { Candidate } from './candidates/candidate.ts';

/** A table smaller than this is read whole as fast as through any index. */
const MIN_PAGES = 8;
/** Plain, materialised, and partitioned: an index on the last is one on each of its partitions. */
const INDEXABLE: ReadonlySet<string> = new Set(['r', 'm', 'p']);

/** All candidates of one statement, by their key. */
export function candidatesOf(usages: StatementUsage[], catalog: AdvisorCatalog): Map<string, Candidate> {
  const found = new Map<string, Candidate>();
  for (const usage of usages) {
    usage.relations.forEach((relation, position) => {
      const named = catalog.tables.get(relation.table_oid);
      // An index of a parent holds its own rows only: those that inherit from it want one each.
      for (const table of named ? [named, ...(named.heirs ?? [])] : []) {
        if (table.row.main_pages < MIN_PAGES || !INDEXABLE.has(table.row.relkind)) continue;
        const wish = wishOf(usage, position, relation, table, catalog);
        for (const candidate of candidatesOfRelation(wish, catalog)) {
          if (!found.has(candidate.key)) found.set(candidate.key, candidate);
        }
      }
    });
  }
  return found;
}

function candidatesOfRelation(wish: Wish, catalog: AdvisorCatalog): Candidate[] {
  const sequences = keySequences(wish, catalog);
  const candidates: Candidate[] = [];
  for (const keys of sequences) {
    candidates.push(makeBtree(wish.table, keys, {}));
    const include = coveringColumns(wish, keys);
    if (include.length > 0) candidates.push(makeBtree(wish.table, keys, { include }));
  }
  candidates.push(
    ...partialCandidates(wish, sequences),
    ...hashCandidates(wish),
    ...invertedCandidates(wish, catalog),
    ...spatialCandidates(wish, catalog),
    ...blockRangeCandidates(wish),
    ...vectorCandidates(wish, catalog),
  );
  return candidates;
}
