/**
 * The trigger that a table should have, from its size and its churn: what changes within the wanted interval, but at
 * least 1 % and at most 20 % of the rows; split into a threshold and a scale factor.
 */
import type { Snapshot, TableRow } from '../../domain/index.ts';
import { parameter, rowsOf, serverParameter } from './options.ts';

/** The share of the time that vacuums of this one table may take. */
const BUSY_SHARE = 0.1;
/** Of the live rows: less would have a vacuum read the table for next to nothing, more is the default's 20 %. */
const LEAST_SHARE = 0.01;
const MOST_SHARE = 0.2;
const LEAST_THRESHOLD = 50;
const LEAST_FACTOR = 0.0001;
const MOST_FACTOR = 0.2;

export interface WantedInterval {
  seconds: number;
  formula: string;
}

/** How often autovacuum looks at a database, seconds. */
function naptimeOf(snapshot: Snapshot): number {
  return serverParameter(snapshot, 'autovacuum_naptime')?.value ?? 60;
}

/**
 * How long a table may take to fill its trigger: one round of autovacuum, which finds it full at its first or second
 * look, or as long as a vacuum of the whole table and its indexes takes at autovacuum's cost limit, ten times over,
 * whichever is more. A run counts a read miss for each page, which is the worst of reading; the limit is shared among
 * workers, so that a busy server is slower still.
 */
export function wantedInterval(table: TableRow, snapshot: Snapshot): WantedInterval {
  const value = (name: string, otherwise: number) => parameter(table, snapshot, name)?.value ?? otherwise;
  const naptime = naptimeOf(snapshot);
  const own = value('autovacuum_vacuum_cost_limit', -1);
  const limit = own > 0 ? own : value('vacuum_cost_limit', 200);
  const ownDelay = value('autovacuum_vacuum_cost_delay', 2);
  const delay = ownDelay >= 0 ? ownDelay : value('vacuum_cost_delay', 0);
  const miss = value('vacuum_cost_page_miss', 2);
  const pages = table.main_pages + table.indexes_bytes / snapshot.server.block_size;
  const pagesPerSecond = delay > 0 && miss > 0 ? (limit / miss / delay) * 1000 : Number.POSITIVE_INFINITY;
  const run = pages / pagesPerSecond;
  return {
    seconds: Math.max(naptime, run / BUSY_SHARE),
    formula: `max(naptime ${naptime} s, ${Math.round(pages)} pages of table and indexes at ${Number.isFinite(pagesPerSecond) ? Math.round(pagesPerSecond) : 'unlimited'} a second / ${BUSY_SHARE})`,
  };
}

/** Runs a day that a trigger gives at a rate of dead (or inserted) rows: never more than autovacuum has rounds. */
export function runsADay(rowsPerHour: number, trigger: number, snapshot: Snapshot): number {
  return Math.min((rowsPerHour * 24) / trigger, 86_400 / naptimeOf(snapshot));
}

export interface WantedTrigger {
  /** Dead rows at which autovacuum should come: threshold + scale factor × rows. */
  rows: number;
  threshold: number;
  scale_factor: number;
  /** From 18 on, where churn and not size decides: the trigger does not grow with the table. Null: leave it. */
  max_threshold: number | null;
  formula: string;
}

/** The trigger and its split. */
export function wantedTrigger(
  deadPerHour: number,
  table: TableRow,
  snapshot: Snapshot,
  interval: WantedInterval,
): WantedTrigger {
  const rows = rowsOf(table);
  const byChurn = (deadPerHour * interval.seconds) / 3600;
  const target = Math.min(Math.max(byChurn, LEAST_SHARE * table.n_live_tup), MOST_SHARE * table.n_live_tup);
  const { threshold, scale_factor } = split(target, rows);
  const capped = snapshot.server.server_version_num >= 180000 && byChurn > LEAST_SHARE * table.n_live_tup;
  return {
    rows: threshold + scale_factor * rows,
    threshold,
    scale_factor,
    max_threshold: capped ? Math.round(target) : null,
    formula: `clamp(${Math.round(deadPerHour)} rows an hour × ${Math.round(interval.seconds)} s, 1 %, 20 % of ${table.n_live_tup} live rows) = ${threshold} + ${scale_factor} × ${Math.round(rows)} rows`,
  };
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
