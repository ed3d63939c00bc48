/** Live rows of a table, and whether its statistics are young enough to say how wide they are. */
import type { TableRow } from '../../domain/index.ts';

export type KnownRows =
  | { count: number; source: string }
  | { count: null; reason: 'missing' | 'stale'; source?: never };

/** Above autovacuum's own 10 % + 50, below what would change widths and nulls noticeably. */
const STALE_SHARE = 0.2;
const STALE_ROWS = 50;
/** Without counters the row count of the catalog holds for a file that has about its size of then. */
const SAME_SIZE = 0.1;

/**
 * n_live_tup where something counted since the counters began; else, as after a crash or on a standby, reltuples, if
 * the table has not changed its size since. A session that loads rows and analyses them within a second adds its rows
 * to the counters after ANALYZE set them: both counters are too high then, and the table counts as stale.
 */
export function knownRows(table: TableRow, inRecovery: boolean): KnownRows {
  const counted =
    !inRecovery &&
    [table.last_analyze, table.last_autoanalyze, table.last_vacuum, table.last_autovacuum].some(
      (time) => time !== null,
    );
  if (counted) {
    const rows = table.n_live_tup;
    if (table.n_mod_since_analyze > STALE_SHARE * rows + STALE_ROWS) return { count: null, reason: 'stale' };
    return { count: rows, source: 'pg_stat_all_tables.n_live_tup' };
  }
  if (table.reltuples < 0 || table.relpages === 0) return { count: null, reason: 'missing' };
  if (Math.abs(table.main_pages - table.relpages) > SAME_SIZE * table.relpages) {
    return { count: null, reason: 'stale' };
  }
  return { count: table.reltuples, source: 'pg_class.reltuples' };
}
