/** What happens to a table's rows: from its counters in the window, or from the statements where there is no window. */
import type { Window } from '../../domain/index.ts';
import type { AdvisorTable } from './catalog.ts';
import type { AdvisorStatement } from './statement.ts';

/** Rows, over the window. */
export interface WriteCounts {
  inserted: number;
  updated: number;
  /** Of the updated: heap-only, without entries in any index. */
  hot: number;
  deleted: number;
  source: 'pg_stat_user_tables' | 'statements';
}

/** Rows a call from which on an INSERT is a load, and calls up to which it is taken for a singular one. */
const LOAD_ROWS = 10_000;
const LOAD_CALLS = 2;
/** Heap-only share of a table's updates of which no counter tells. */
const UNKNOWN_HOT_SHARE = 0.5;

/**
 * Counters hold everything that was written, by functions, COPY and cascades, too; statements only what was seen of
 * them.
 * @param cumulative The statements' counters go back to their reset.
 */
export function writeCounts(
  table: AdvisorTable,
  statements: readonly AdvisorStatement[],
  window: Window | null,
  cumulative: boolean,
): WriteCounts {
  const oids = new Set(table.leaves ?? [table.row.oid]);
  const deltas = window?.tables.filter((delta) => oids.has(delta.oid)) ?? [];
  if (deltas.length > 0) {
    const sum = (pick: 'n_tup_ins' | 'n_tup_upd' | 'n_tup_del' | 'n_tup_hot_upd') =>
      deltas.reduce((total, delta) => total + delta[pick], 0);
    return {
      inserted: sum('n_tup_ins'),
      updated: sum('n_tup_upd'),
      hot: sum('n_tup_hot_upd'),
      deleted: sum('n_tup_del'),
      source: 'pg_stat_user_tables',
    };
  }
  const counts = { inserted: 0, updated: 0, hot: 0, deleted: 0, source: 'statements' as const };
  for (const { statement, rows } of writersOf(table, statements)) {
    const { query } = statement;
    if (query.class === 'insert' && !(cumulative && isLoad(query))) counts.inserted += rows;
    if (query.class === 'update' || query.class === 'merge') counts.updated += rows;
    if (query.class === 'delete') counts.deleted += rows;
  }
  const { n_tup_upd, n_tup_hot_upd } = table.row;
  const hotShare = n_tup_upd > 0 ? n_tup_hot_upd / n_tup_upd : UNKNOWN_HOT_SHARE;
  return { ...counts, hot: counts.updated * hotShare };
}

/**
 * Counters since their reset may hold the filling of the tables, which will not come again and would outweigh
 * everything; in a window every write counts.
 */
function isLoad(query: AdvisorStatement['query']): boolean {
  return query.calls <= LOAD_CALLS && query.rows / Math.max(1, query.calls) >= LOAD_ROWS;
}

/** Statements that write a table, with the columns that they set. */
function writersOf(
  { row }: AdvisorTable,
  statements: readonly AdvisorStatement[],
): { statement: AdvisorStatement; sets: string[]; rows: number }[] {
  return statements.flatMap((statement) => {
    const targets = (statement.usages[0]?.relations ?? []).filter(
      (relation) => relation.is_written && relation.table_oid === row.oid,
    );
    if (targets.length === 0) return [];
    const sets = targets.flatMap((target) => target.columns_written);
    return [{ statement, sets, rows: Math.max(statement.query.rows, statement.query.calls) }];
  });
}

/**
 * Heap-only updates that an index on `added` would end: those that set one of its columns. An update that sets a column
 * of an index that exists is not heap-only today, so it cannot lose it (HeapDetermineColumnsInfo()). No statement with
 * a SET list seen: none is known to.
 * @param indexed Columns of the existing indexes, keys, expressions, predicates and included ones.
 */
export function lostHotUpdates(
  counts: WriteCounts,
  table: AdvisorTable,
  statements: readonly AdvisorStatement[],
  { indexed, added }: { indexed: ReadonlySet<string>; added: ReadonlySet<string> },
): number {
  let free = 0;
  let ended = 0;
  for (const { sets, rows } of writersOf(table, statements)) {
    if (sets.length === 0 || sets.some((name) => indexed.has(name))) continue;
    free += rows;
    if (sets.some((name) => added.has(name))) ended += rows;
  }
  return free === 0 ? 0 : counts.hot * (ended / free);
}
