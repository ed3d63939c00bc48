/** What tables showed, interval by interval. */
import type { TableRow, Window } from '../../domain/index.ts';
import type { Side } from './judgement.ts';
import type { Counted } from './own-measure.ts';
import { evenly, type Series } from './series.ts';

type Named = { schema: string; table: string };

function among(row: TableRow, tables: readonly Named[] | undefined): boolean {
  return tables?.some(({ schema, table }) => row.schema === schema && row.name === table) ?? true;
}

/** Where the share of dead rows is read. */
export const DEAD_ROWS =
  'pg_stat_user_tables.n_dead_tup ÷ (n_live_tup + n_dead_tup), at the end of each interval';

/** Dead rows over all rows of these tables together, at the end of each interval; of all tables where none is named. */
export function deadShare(side: Side, tables?: readonly Named[]): Series {
  return evenly(side, ({ tables: rows }) => {
    const counted = rows.filter((row) => among(row, tables));
    const dead = counted.reduce((sum, row) => sum + row.n_dead_tup, 0);
    const all = counted.reduce((sum, row) => sum + row.n_dead_tup + row.n_live_tup, 0);
    return all > 0 ? dead / all : null;
  });
}

/** HOT updates over all updates of these tables together, in each interval that had some. */
export function hotShare(side: Side, tables: readonly Named[]): Series {
  return evenly(side, ({ window, tables: rows }) => {
    const oids = new Set(rows.filter((row) => among(row, tables)).map(({ oid }) => oid));
    const deltas = window.tables.filter(({ oid }) => oids.has(oid));
    const updates = deltas.reduce((sum, delta) => sum + delta.n_tup_upd, 0);
    const hot = deltas.reduce((sum, delta) => sum + delta.n_tup_hot_upd, 0);
    return updates > 0 ? hot / updates : null;
  });
}

/** Runs of autovacuum on these tables in the whole window, and how long that was, hours. */
export function autovacuumRuns(side: Side, tables: readonly Named[]): Counted {
  const oids = new Set(side.snapshot.tables.filter((row) => among(row, tables)).map(({ oid }) => oid));
  const runsIn = ({ tables: deltas }: Window) =>
    deltas.filter(({ oid }) => oids.has(oid)).reduce((sum, delta) => sum + delta.autovacuum_count, 0);
  return {
    count: runsIn(side.window),
    exposure: side.window.seconds / 3600,
    rates: evenly(side, ({ window }) =>
      window.seconds > 0 ? runsIn(window) / (window.seconds / 3600) : null,
    ),
  };
}
