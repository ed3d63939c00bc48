/**
 * Existing indexes that may leave because a new one does all that they do: the search weighs what they cost the writes,
 * and the disk, against what plans lose without them. One that no candidate supersedes structurally stays whatever the
 * plans say, for not all that uses it may have been seen.
 */
import type { IndexDefinition, IndexRow, IndexSize, Snapshot } from '../../domain/index.ts';
import { bloatedByEstimate } from '../repairs/bloated-indexes.ts';
import type { Candidate } from './candidates.ts';
import type { AdvisorTable } from './catalog.ts';
import { supersedes } from './covered.ts';
import { keptBecause } from './existing.ts';
import type { CandidateMaker } from './make-candidates.ts';
import { normalisedDefinition } from './naming.ts';
import type { KnownCandidate } from './search/plan-book.ts';
import type { Contender } from './selection.ts';
import { BLOCK_BYTES } from './size-model.ts';
import type { WriteCost } from './write-cost.ts';

export interface Leaving extends KnownCandidate {
  index: IndexRow;
  /** What its maintenance costs the writes of the window. */
  write: WriteCost;
  /** What it would take once rebuilt: what bloat wastes a REINDEX gives back, and no other index has earned. */
  rebuilt_bytes: number;
  /** That it may go is advised or decided on already. */
  standing?: true;
}

/** Those that some contender supersedes, each once; they cost what a candidate like them would. */
export function indexesThatMayLeave(
  snapshot: Snapshot,
  contenders: readonly Contender[],
  maker: CandidateMaker,
  known: ReadonlySet<string>,
): Leaving[] {
  const leaving = new Map<string, Leaving>();
  const rebuilt = new Map(
    bloatedByEstimate(snapshot).bloated.map(({ oid, expected_bytes }) => [oid, expected_bytes]),
  );
  for (const { candidate } of contenders) {
    for (const index of candidate.table.indexes) {
      const handle = `${index.schema}.${index.name}`;
      if (known.has(handle) || leaving.has(handle) || index.table_oid !== candidate.table.row.oid) continue;
      if (!supersedes(candidate.definition, index) || !mayLeave(index, snapshot)) continue;
      const rebuiltBytes = rebuilt.get(index.oid) ?? index.size_bytes;
      const size: IndexSize = {
        pages: Math.min(index.main_pages, Math.ceil(rebuiltBytes / BLOCK_BYTES)),
        tuples: Math.max(0, index.reltuples),
        tree_height: null,
      };
      const write = maker.writesOf(asCandidate(index, candidate.table), size);
      leaving.set(handle, { handle, table_oid: index.table_oid, index, write, rebuilt_bytes: rebuiltBytes });
    }
  }
  return [...leaving.values()];
}

/** The superseding index serves a foreign key as well as this one does. */
function mayLeave(index: IndexRow, snapshot: Snapshot): boolean {
  const kept = keptBecause(index, snapshot);
  return kept === null || kept.code === 'supports_foreign_key';
}

/** The existing index as if it were proposed on a table without it. */
export function asCandidate(index: IndexRow, table: AdvisorTable): Candidate {
  const names = new Map([...table.columns.values()].map((column) => [column.attnum, column.name]));
  const definition: IndexDefinition = {
    schema: index.schema,
    table: index.table,
    name: index.name,
    method: index.method,
    unique: false,
    keys: index.key_attnums.map((attnum, position) => {
      const option = index.options[position] ?? 0;
      return {
        column: names.get(attnum) ?? null,
        expression: names.has(attnum) ? null : (index.keys[position] ?? ''),
        opclass: null,
        collation: null,
        direction: option & 1 ? 'desc' : 'asc',
        nulls: option & 2 ? 'first' : 'last',
      };
    }),
    include: index.include,
    where: index.predicate,
    options: {},
  };
  const others = table.indexes.filter((other) => other.oid !== index.oid);
  const rows = Math.max(1, table.row.reltuples);
  return {
    key: normalisedDefinition(definition),
    definition,
    table: { ...table, indexes: others },
    selectivity: index.predicate === null ? 1 : Math.min(1, Math.max(0, index.reltuples) / rows),
    conditions: [],
  };
}
