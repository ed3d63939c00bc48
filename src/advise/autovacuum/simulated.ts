/** What the replay of autovacuum takes and gives. */
import type { ServerParameters, TableParameters } from './parameters.ts';

export interface SimulatedTable {
  name: string;
  /** pg_class.reltuples, or live rows where it was never analysed. */
  rows: number;
  pages: number;
  index_pages: number;
  indexes: number;
  /** A second. */
  rates: {
    /** Updates and deletes: each clears its page's all-visible bit. */
    changed: number;
    /** Row versions left dead for vacuum; less than `changed` where pruning removes those of HOT updates. */
    dead: number;
    inserted: number;
    deleted: number;
  };
  /** Pages that a change touches when it is made: what vacuum's reading is held against. */
  pages_a_change: number;
  parameters: TableParameters;
  /** How it stands at the beginning. */
  dead: number;
  inserted_since_vacuum: number;
  modified_since_analyze: number;
  visible_share: number;
  frozen_share: number;
  xid_age: number;
}

export interface SimulationInput {
  /** In the order in which a worker takes them: that of pg_class. */
  tables: readonly SimulatedTable[];
  server: ServerParameters;
  xids_per_second: number;
  /** How long at most; less where more than 4,000 events happen, and `days` of the result says how long it was. */
  days: number;
}

export interface TableOutcome {
  name: string;
  vacuums_a_day: number;
  /** Of them against wraparound. */
  forced: number;
  analyzes_a_day: number;
  /** Most dead row versions at any time, and their mean over time. */
  dead_peak: number;
  dead_mean: number;
  /** By vacuums, of table and indexes; and by analyzes. */
  pages_read_a_day: number;
  pages_dirtied_a_day: number;
  /** Longest single vacuum, throttled, seconds. */
  longest_seconds: number;
  /** Longest time from due to begun beyond the round that was due anyway, seconds. */
  longest_wait_seconds: number;
  index_passes_most: number;
}

export interface SimulationOutcome {
  days: number;
  tables: TableOutcome[];
  /** Share of the time of all workers that they were at work, 0..1. */
  busy_share: number;
  /** Cost units spent a day under the shared limit: tables with a limit of their own are left out. */
  units_a_day: number;
  /** Share of the rounds at which a table was due and no worker free. */
  starved_share: number;
}
