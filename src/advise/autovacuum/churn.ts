/** How fast a table's rows change: over the window where there is one, otherwise since its counters began. */
import type { RuleContext, TableRow } from '../../domain/index.ts';
import { statisticsBegan } from '../settings/observed.ts';

export interface Churn {
  /** Rows that updates and deletes leave dead, an hour. */
  dead_per_hour: number;
  /** Rows inserted, an hour. */
  inserted_per_hour: number;
  /** Updates and deletes, and inserts, that were counted. */
  dead: number;
  inserted: number;
  /** Autovacuums of the table that were counted. */
  autovacuums: number;
  /** How long that was watched. */
  seconds: number;
  from: 'window' | 'cumulative';
  /** In words, for evidence. */
  source: string;
}

/**
 * The table's churn. Null: nobody knows over how long its counters were counted.
 * A window without a row for the table is one in which nothing happened to it.
 */
export function churnOf(table: TableRow, context: RuleContext): Churn | null {
  const { window } = context;
  if (window && window.seconds > 0) {
    const delta = window.tables.find((item) => item.oid === table.oid);
    return rates(
      {
        dead: (delta?.n_tup_upd ?? 0) + (delta?.n_tup_del ?? 0),
        inserted: delta?.n_tup_ins ?? 0,
        autovacuums: delta?.autovacuum_count ?? 0,
      },
      window.seconds,
      'window',
      `pg_stat_user_tables over a window of ${Math.round(window.seconds)} s`,
    );
  }
  const began = statisticsBegan(context);
  if (began === null) return null;
  const seconds = (Date.parse(context.snapshot.taken_at) - Date.parse(began)) / 1000;
  if (!(seconds > 0)) return null;
  return rates(
    {
      dead: table.n_tup_upd + table.n_tup_del,
      inserted: table.n_tup_ins,
      autovacuums: table.autovacuum_count,
    },
    seconds,
    'cumulative',
    `pg_stat_user_tables since ${began}`,
  );
}

function rates(
  counted: Pick<Churn, 'dead' | 'inserted' | 'autovacuums'>,
  seconds: number,
  from: Churn['from'],
  source: string,
): Churn {
  return {
    ...counted,
    dead_per_hour: (counted.dead * 3600) / seconds,
    inserted_per_hour: (counted.inserted * 3600) / seconds,
    seconds,
    from,
    source,
  };
}
