/**
 * The trigger that a table should have, from its size and its churn: as early as its vacuums stay worth their reading,
 * not within one round of autovacuum or the table's own vacuum, at least 1 % and at most 20 % of the rows.
 */
import type { TableRow } from '../../domain/index.ts';
import { rowsOf } from './options.ts';
import type { ServerParameters } from './parameters.ts';
import type { SimulatedTable } from './simulated.ts';
import { pagesTouched, unitsPerSecond, vacuumWork, type Work } from './work.ts';

/** The share of the time that vacuums of this one table may take. */
const BUSY_SHARE = 0.1;
/** Of the live rows: less would have a vacuum read the table for next to nothing, more is the default's 20 %. */
const LEAST_SHARE = 0.01;
const MOST_SHARE = 0.2;
const LEAST_THRESHOLD = 50;
const LEAST_FACTOR = 0.0001;
const MOST_FACTOR = 0.2;

/** What a vacuum does that comes with `dead` rows. */
export function workAt(dead: number, table: SimulatedTable, server: ServerParameters): Work {
  const { rates } = table;
  // Updates that pruning cleaned up touched pages, too.
  const changed = rates.dead > 0 ? (dead * rates.changed) / rates.dead : dead;
  return vacuumWork(
    {
      pages: table.pages,
      index_pages: table.index_pages,
      indexes: table.indexes,
      dead,
      touched_pages: pagesTouched(changed, table.pages),
      frozen_pages: 0,
      aggressive: false,
    },
    server,
  );
}

const pagesRead = (work: Work) => work.heap_pages_read + work.index_pages_read;

export interface WantedTrigger {
  /** Dead rows at which autovacuum should come: threshold + scale factor × rows. */
  rows: number;
  threshold: number;
  scale_factor: number;
  /** From 18 on, where churn and not size decides: the trigger does not grow with the table. Null: leave it. */
  max_threshold: number | null;
  /** Seconds in which it fills. */
  interval_seconds: number;
  formula: string;
}

/**
 * The trigger and its split. Three things ask for a later one than 1 % of the rows: a round of autovacuum (naptime),
 * a vacuum's own length at the cost limit (ten times over), and its reading: it should read no more pages than the
 * writes touched that made the rows dead, so that vacuum never does more than the writes themselves.
 */
export function wantedTrigger(
  table: TableRow,
  simulated: SimulatedTable,
  server: ServerParameters,
): WantedTrigger {
  const rows = rowsOf(table);
  const perSecond = simulated.rates.dead;
  const live = Math.max(1, table.n_live_tup);
  const [least, most] = [LEAST_SHARE * live, MOST_SHARE * live];
  // Where pruning removes most of what dies, many writes stand behind each row that is left.
  const perDead = perSecond > 0 ? (simulated.pages_a_change * simulated.rates.changed) / perSecond : 1;
  const worth = worthIts(least, most, (dead) => pagesRead(workAt(dead, simulated, server)) / perDead);
  const { own_cost_limit, own_cost_delay_ms } = simulated.parameters;
  const speed = unitsPerSecond({
    limit: own_cost_limit ?? server.cost.limit,
    delay_ms: own_cost_delay_ms ?? server.cost.delay_ms,
  });
  const run = workAt(worth, simulated, server).units / speed;
  const interval = Math.max(server.naptime_seconds, run / BUSY_SHARE);
  const byInterval = perSecond * interval;
  const target = Math.min(Math.max(byInterval, worth, least), most);
  const { threshold, scale_factor } = split(target, rows);
  const capped = server.version >= 180000 && byInterval >= worth && byInterval > least;
  return {
    rows: threshold + scale_factor * rows,
    threshold,
    scale_factor,
    max_threshold: capped ? Math.round(target) : null,
    interval_seconds: perSecond > 0 ? target / perSecond : interval,
    formula:
      `clamp(max(${Math.round(worth)} rows from which a vacuum reads no more than the ${Number(perDead.toPrecision(2))} pages that the writes touched for each, ` +
      `${Math.round(perSecond * 3600)} rows an hour × max(naptime ${server.naptime_seconds} s, ${Number(run.toPrecision(2))} s of vacuum / ${BUSY_SHARE})), ` +
      `1 %, 20 % of ${table.n_live_tup} live rows) = ${threshold} + ${scale_factor} × ${Math.round(rows)} rows`,
  };
}

/** The fewest dead rows within the bounds from which `read` of them is no more than they are; by bisection. */
function worthIts(least: number, most: number, read: (dead: number) => number): number {
  if (read(least) <= least) return least;
  if (read(most) > most) return most;
  let [low, high] = [least, most];
  for (let step = 0; step < 40; step += 1) {
    const middle = (low + high) / 2;
    if (read(middle) <= middle) high = middle;
    else low = middle;
  }
  return high;
}

/** A tenth of the target as threshold, so that a table which shrinks is not vacuumed for nothing; the rest by size. */
export function split(target: number, rows: number): { threshold: number; scale_factor: number } {
  const threshold = Math.round(Math.min(target, Math.max(LEAST_THRESHOLD, 0.1 * target)));
  const factor = Math.min(Math.max((target - threshold) / rows, LEAST_FACTOR), MOST_FACTOR);
  return { threshold, scale_factor: Number(factor.toPrecision(2)) };
}

/** Insert-only tables: a twentieth of the table, so that its pages become all-visible, and frozen, while still cached. */
const INSERT_FACTOR = 0.05;
/** Rows of the largest such tables; autovacuum's default threshold for the smallest. */
const LARGE_ROWS = 10_000_000;
const LARGE_INSERT_FACTOR = 0.02;
const INSERT_THRESHOLD = 10_000;

export interface WantedInsertTrigger {
  rows: number;
  threshold: number;
  scale_factor: number;
  formula: string;
}

/** The insert trigger of an insert-only table. */
export function wantedInsertTrigger(table: TableRow): WantedInsertTrigger {
  const rows = rowsOf(table);
  const scale_factor = rows >= LARGE_ROWS ? LARGE_INSERT_FACTOR : INSERT_FACTOR;
  return {
    rows: INSERT_THRESHOLD + scale_factor * rows,
    threshold: INSERT_THRESHOLD,
    scale_factor,
    formula: `${INSERT_THRESHOLD} + ${scale_factor} × ${Math.round(rows)} rows`,
  };
}
