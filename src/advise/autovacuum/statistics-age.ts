/** How far a table's statistics lie behind what it holds, by its counters and its size. */
import type { TableRow } from '../../domain/index.ts';
import { rowsOf } from './options.ts';

/** Changed rows below which a load is none. */
export const LOAD_ROWS = 10_000;
/** Share of the rows that changed: half of them are a load. */
const LOAD_SHARE = 0.5;
/** A table that grew to this many times its size without a count of changes lost its counters, as a crash does. */
const GROWN = 2;
const GROWN_PAGES = 128;

type Counted = Pick<TableRow, 'n_mod_since_analyze' | 'reltuples' | 'n_live_tup' | 'relpages' | 'main_pages'>;

/** Rows that changed since ANALYZE, as a share of those that there were then; above 1 where more came than there were. */
export const changedShare = (table: TableRow): number =>
  table.n_mod_since_analyze / Math.max(1, rowsOf(table));

/** So many rows changed since ANALYZE as a load changes. */
export const isLoaded = (table: TableRow): boolean =>
  changedShare(table) >= LOAD_SHARE && table.n_mod_since_analyze >= LOAD_ROWS;

/** It takes twice the pages that it took when it was last looked at, and next to no change was counted. */
export const hasGrownUncounted = ({ relpages, main_pages, n_mod_since_analyze }: Counted): boolean =>
  relpages >= GROWN_PAGES && main_pages >= GROWN * relpages && n_mod_since_analyze < LOAD_ROWS;
