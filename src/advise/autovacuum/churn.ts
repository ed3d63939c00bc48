/** How fast a table's rows change: over the window where there is one, otherwise since its counters began. */
import type { RuleContext, TableDelta, TableRow } from '../../domain/index.ts';
import { statisticsBegan } from '../settings/observed.ts';

/** What was counted. */
interface Counted {
  /** Updates and deletes, and inserts. */
  dead: number;
  inserted: number;
  deleted: number;
  updated: number;
  /** HOT ones among the updates, and those that went to another page; null before 16 or where not counted. */
  hot: number;
  newpage: number | null;
  /** Row versions that stayed dead, what pruning removed left out; equal to `dead` where nobody knows. */
  left: number;
  /** Autovacuums of the table that were counted. */
  autovacuums: number;
}

export interface Churn extends Counted {
  /** Row versions left dead for vacuum, an hour. */
  dead_per_hour: number;
  /** Updates and deletes, an hour. */
  changed_per_hour: number;
  /** Rows inserted, an hour. */
  inserted_per_hour: number;
  /** Was it seen what pruning leaves of them? Otherwise all of them count as left. */
  pruning_seen: boolean;
  /** How long that was watched. */
  seconds: number;
  from: 'window' | 'cumulative';
  /** In words, for evidence. */
  source: string;
}

/** Of at least so many updates and deletes the change of n_dead_tup tells what pruning leaves. */
const ENOUGH_TO_TELL = 500;

/**
 * The table's churn. Null: nobody knows over how long its counters were counted.
 * A window without a row for the table is one in which nothing happened to it.
 */
export function churnOf(table: TableRow, context: RuleContext): Churn | null {
  const { window, snapshot } = context;
  const counts16 = snapshot.server.server_version_num >= 160000;
  if (window && window.seconds > 0) {
    const delta = window.tables.find((item) => item.oid === table.oid);
    const dead = (delta?.n_tup_upd ?? 0) + (delta?.n_tup_del ?? 0);
    const left = delta ? leftOf(delta, dead) : null;
    return rates(
      {
        dead,
        inserted: delta?.n_tup_ins ?? 0,
        deleted: delta?.n_tup_del ?? 0,
        updated: delta?.n_tup_upd ?? 0,
        hot: delta?.n_tup_hot_upd ?? 0,
        newpage: counts16 ? (delta?.n_tup_newpage_upd ?? null) : null,
        left: left ?? dead,
        autovacuums: delta?.autovacuum_count ?? 0,
      },
      left !== null,
      window.seconds,
      'window',
      `pg_stat_user_tables over a window of ${Math.round(window.seconds)} s`,
    );
  }
  const began = statisticsBegan(context);
  if (began === null) return null;
  const seconds = (Date.parse(snapshot.taken_at) - Date.parse(began)) / 1000;
  if (!(seconds > 0)) return null;
  const dead = table.n_tup_upd + table.n_tup_del;
  return rates(
    {
      dead,
      inserted: table.n_tup_ins,
      deleted: table.n_tup_del,
      updated: table.n_tup_upd,
      hot: table.n_tup_hot_upd,
      newpage: table.n_tup_newpage_upd,
      left: dead,
      autovacuums: table.autovacuum_count,
    },
    false,
    seconds,
    'cumulative',
    `pg_stat_user_tables since ${began}`,
  );
}

/**
 * Pruning takes what it removes off n_dead_tup (pgstat_update_heap_dead_tuples): while no vacuum comes, its growth is
 * what is left. Null: a vacuum came, or too little happened to tell.
 */
function leftOf(delta: TableDelta, dead: number): number | null {
  const vacuumed = delta.autovacuum_count > 0 || (delta.vacuum_count ?? 0) > 0;
  if (delta.dead_tup_change === undefined || vacuumed || dead < ENOUGH_TO_TELL) return null;
  return Math.min(dead, Math.max(0, delta.dead_tup_change));
}

function rates(
  counted: Counted,
  pruningSeen: boolean,
  seconds: number,
  from: Churn['from'],
  source: string,
): Churn {
  const perHour = (count: number) => (count * 3600) / seconds;
  return {
    ...counted,
    dead_per_hour: perHour(counted.left),
    changed_per_hour: perHour(counted.dead),
    inserted_per_hour: perHour(counted.inserted),
    pruning_seen: pruningSeen,
    seconds,
    from,
    source,
  };
}
