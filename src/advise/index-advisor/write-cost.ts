/** What an index costs the writes of a window, in planner cost units, so that it stands against what reads save. */
import type { IndexSize, Snapshot } from '../../domain/index.ts';
import type { Candidate } from './candidates.ts';
import type { AdvisorStatement } from './statement.ts';

/** Share of leaf pages that an insert finds outside of memory; a guess until I/O timing says better. */
const MISS = 0.05;
/** What the planner charges for each page of a descent: DEFAULT_PAGE_CPU_MULTIPLIER of costsize.c. */
const PAGE_CPU_MULTIPLIER = 50;

export interface WriteCost {
  /** Planner cost units over the window. */
  cost: number;
  /** Entries added in the window. */
  entries: number;
  /** Updates that are heap-only now and would not be any more. */
  lost_hot_updates: number;
  formula: string;
}

/** Numbers of the target's planner, as its settings have them. */
function planner(snapshot: Snapshot): Record<'operator' | 'tuple' | 'random', number> {
  const read = (name: string, fallback: number) =>
    Number(snapshot.settings.find((row) => row.name === name)?.setting ?? fallback);
  return {
    operator: read('cpu_operator_cost', 0.0025),
    tuple: read('cpu_index_tuple_cost', 0.005),
    random: read('random_page_cost', 4),
  };
}

/**
 * Entries × (descent + entry + page misses): inserts add one each; updates do where they set a column of the index, or
 * were not heap-only to begin with. An update that was heap-only and sets a column of this index enters *every* index
 * of its table from then on.
 */
export function writeCost(
  candidate: Candidate,
  size: IndexSize,
  statements: readonly AdvisorStatement[],
  snapshot: Snapshot,
  cumulative: boolean,
): WriteCost {
  const unit = planner(snapshot);
  const height = size.tree_height ?? 1;
  const perEntry =
    (height + 1) * PAGE_CPU_MULTIPLIER * unit.operator +
    Math.log2(Math.max(2, size.tuples)) * unit.operator +
    unit.tuple +
    MISS * unit.random;
  // A block-range summary is touched once for many rows.
  const rate = candidate.definition.method === 'brin' ? 0.02 : candidate.definition.method === 'gin' ? 3 : 1;
  const { row, indexes } = candidate.table;
  const hotShare = row.n_tup_upd > 0 ? row.n_tup_hot_upd / row.n_tup_upd : 0.5;
  const inIndex = new Set(indexedColumns(candidate));
  let entries = 0;
  let lostHot = 0;
  for (const { query, usages } of statements) {
    const target = usages[0]?.relations.find(
      (relation) => relation.is_written && relation.table_oid === row.oid,
    );
    if (!target) continue;
    if (isOneOffLoad(query, cumulative)) continue;
    const rows = Math.max(query.rows, query.calls);
    if (query.class === 'insert') entries += rows * candidate.selectivity;
    if (query.class === 'update' || query.class === 'merge') {
      const setsKey = target.columns_written.some((name) => inIndex.has(name));
      if (setsKey && candidate.definition.method !== 'brin') {
        entries += rows;
        lostHot += rows * hotShare;
      } else {
        entries += rows * (1 - hotShare) * candidate.selectivity;
      }
    }
  }
  const cost = (entries * rate + lostHot * indexes.length) * perEntry;
  return {
    cost,
    entries: entries * rate,
    lost_hot_updates: lostHot,
    formula: `(${Math.round(entries * rate)} entries + ${Math.round(lostHot)} lost HOT updates × ${indexes.length} indexes) × ${perEntry.toFixed(3)} (descent of ${height + 1} pages, entry, ${MISS} page misses)`,
  };
}

/** Rows a call from which on an INSERT is a load, and calls up to which it is taken for a singular one. */
const LOAD_ROWS = 10_000;
const LOAD_CALLS = 2;

/**
 * Counters since their reset may hold the filling of the tables, which will not come again and would outweigh
 * everything; in a window every write counts.
 */
function isOneOffLoad(query: AdvisorStatement['query'], cumulative: boolean): boolean {
  return (
    cumulative &&
    query.class === 'insert' &&
    query.calls <= LOAD_CALLS &&
    query.rows / Math.max(1, query.calls) >= LOAD_ROWS
  );
}

function indexedColumns({ definition, table }: Candidate): string[] {
  const plain = definition.keys.flatMap((key) => key.column ?? []);
  const text = [...definition.keys.map((key) => key.expression ?? ''), definition.where ?? ''].join(' ');
  const mentioned = [...table.columns.keys()].filter((name) => text.includes(name));
  return [...plain, ...definition.include, ...mentioned];
}
