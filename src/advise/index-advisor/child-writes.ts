/** What an index for a foreign key costs the writes of the referencing table, over the time in which parents went. */
import type { IndexDefinition, IndexSize, RuleContext, TableDelta, Window } from '../../domain/index.ts';
import type { AdvisorTable } from './catalog.ts';
import { normalisedDefinition } from './naming.ts';
import { type WriteCost, writeCost } from './write-cost.ts';

/**
 * By the counters of the window; without one by those since their reset, of which the rows that are there are taken
 * off, for the first filling does not come again: what is left is the least that was written.
 */
export function childWrites(
  { window, snapshot }: RuleContext,
  table: AdvisorTable,
  definition: IndexDefinition,
  size: IndexSize,
): WriteCost {
  const candidate = {
    key: normalisedDefinition(definition),
    definition,
    table,
    selectivity: 1,
    conditions: [],
  };
  return writeCost(candidate, size, [], snapshot, false, window ?? sinceReset(table));
}

function sinceReset({ row }: AdvisorTable): Window {
  const counted: TableDelta = {
    oid: row.oid,
    seq_scan: row.seq_scan,
    seq_tup_read: row.seq_tup_read,
    idx_scan: row.idx_scan ?? 0,
    n_tup_ins: Math.max(0, row.n_tup_ins - Math.max(0, row.reltuples)),
    n_tup_upd: row.n_tup_upd,
    n_tup_del: row.n_tup_del,
    n_tup_hot_upd: row.n_tup_hot_upd,
    autovacuum_count: row.autovacuum_count,
    autoanalyze_count: row.autoanalyze_count,
  };
  return { from: '', to: '', seconds: 0, statements: [], tables: [counted], indexes: [], limits: [] };
}
